/* The kernel and the disk: a page cache that survives kills, and what a power cut may leave of it.

   A unit (a frame, a header, a data cell) that was written and not synced may be on disk as it was, as
   it is, or torn; each by itself, in no order.  Data cells are sectors: never torn, as redo would not
   look at them. */

typedef Frame {
  byte generation;  /* 0: no whole frame; the salt of the real one */
  byte tx;          /* whose it is, its checksum too: every transaction is another one */
  byte previous;    /* the checksum that it names, 0 the salt */
  byte image;       /* after-image of the cell: all transactions it tells of, this one included */
  byte watermark    /* DURABLE as it was when the frame was written */
}
Frame cache[SLOTS];
Frame disk[SLOTS];
byte dirty_frames = 0;

/* Header places: 0 and 1 are the slots, 2 and 3 the copies beside them.  A generation, or 0. */
byte cache_header[4];
byte disk_header[4];
byte cache_base[4];
byte disk_base[4];
byte dirty_headers = 0;
bit renaming = 0;   /* a new log has the name, and the directory is not synced */

/* The data files: a cell that each transaction overwrites, with all transactions that it tells of,
   and a file to which each adds its own row.  Both must always tell the same. */
byte cell = 0, disk_cell = 0;
bit dirty_cell = 0;
byte rows = 0, disk_rows = 0, dirty_rows = 0;

byte fails = FAILS;
byte open_files = 0;    /* who has log and data files open */
byte log_error = 0;     /* who is still to be told of a failed write-back of the log */
byte data_error = 0;    /* ... of data files */
byte n_;                /* a counter inside atomic steps, else 0 */

inline copy_frame(to, from) {
  to.generation = from.generation; to.tx = from.tx; to.previous = from.previous;
  to.image = from.image; to.watermark = from.watermark
}
inline no_frame(f) { f.generation = 0; f.tx = 0; f.previous = 0; f.image = 0; f.watermark = 0 }

/* Whether the cached frame n is whole, of that generation, and follows the frame before it. */
#define WHOLE(n, gen, before) (cache[n].generation == (gen) && (!RULE_CHAIN || cache[n].previous == (before)))

/* pwrite of a frame: any prefix of it if the writer is killed.  The version before may be on disk. */
inline disk_write_frame(n, gen, who, before, what) {
  atomic {
    if
    :: dirty_frames & B(n) -> if :: true -> skip :: true -> d_step { copy_frame(disk[n], cache[n]) } fi
    :: else -> skip
    fi;
    d_step { no_frame(cache[n]); dirty_frames = dirty_frames | B(n) }
  }
  d_step {
    cache[n].generation = gen; cache[n].tx = who; cache[n].previous = before;
    cache[n].image = what; cache[n].watermark = DURABLE;
    dirty_frames = dirty_frames | B(n)
  }
}

inline disk_write_header(place, gen, at) {
  atomic {
    if
    :: dirty_headers & B(place) ->
       if :: true -> skip :: true -> d_step { disk_header[place] = cache_header[place]; disk_base[place] = cache_base[place] } fi
    :: else -> skip
    fi;
    d_step { cache_header[place] = 0; cache_base[place] = 0; dirty_headers = dirty_headers | B(place) }
  }
  d_step { cache_header[place] = gen; cache_base[place] = at; dirty_headers = dirty_headers | B(place) }
}

inline disk_flush_log() {
  d_step {
    n_ = 0;
    do
    :: n_ < SLOTS -> if :: dirty_frames & B(n_) -> copy_frame(disk[n_], cache[n_]) :: else -> skip fi; n_++
    :: else -> break
    od;
    n_ = 0;
    do
    :: n_ < 4 -> if :: dirty_headers & B(n_) -> disk_header[n_] = cache_header[n_]; disk_base[n_] = cache_base[n_] :: else -> skip fi; n_++
    :: else -> break
    od;
    n_ = 0; dirty_frames = 0; dirty_headers = 0
  }
}

/* Any part of what is dirty reaches the disk, and all of it is taken for clean. */
inline disk_flush_some_log() {
  n_ = 0;
  do
  :: n_ < SLOTS ->
     if
     :: dirty_frames & B(n_) ->
        if
        :: true -> skip
        :: true -> d_step { copy_frame(disk[n_], cache[n_]) }
        :: true -> d_step { no_frame(disk[n_]) }
        fi
     :: else -> skip
     fi;
     n_++
  :: else -> break
  od;
  n_ = 0;
  do
  :: n_ < 4 ->
     if
     :: dirty_headers & B(n_) ->
        if
        :: true -> skip
        :: true -> d_step { disk_header[n_] = cache_header[n_]; disk_base[n_] = cache_base[n_] }
        :: true -> d_step { disk_header[n_] = 0; disk_base[n_] = 0 }
        fi
     :: else -> skip
     fi;
     n_++
  :: else -> break
  od;
  n_ = 0; dirty_frames = 0; dirty_headers = 0
}

inline disk_flush_some_data() {
  if
  :: dirty_cell -> if :: true -> skip :: true -> disk_cell = cell fi
  :: else -> skip
  fi;
  dirty_cell = 0; n_ = 0;
  do
  :: n_ < TXS -> if :: dirty_rows & B(n_) -> if :: true -> skip :: true -> disk_rows = disk_rows | B(n_) fi :: else -> skip fi; n_++
  :: else -> break
  od;
  n_ = 0; dirty_rows = 0
}

/* fdatasync of the log: r says how it ended.  Who is told is told once. */
inline disk_sync_log() {
  atomic {
    if
    :: log_error & B(me) -> log_error = (TOLD_ONCE -> 0 : log_error & ~B(me)); disk_flush_log(); r = REFUSED
    :: else ->
       if
       :: true -> disk_flush_log(); r = OK
       :: fails > 0 && (dirty_frames || dirty_headers) ->
          fails--; disk_flush_some_log(); log_error = (TOLD_ONCE -> 0 : open_files & ~B(me)); r = REFUSED
       fi
    fi
  }
}

/* fsync of every data file */
inline disk_sync_data() {
  atomic {
    if
    :: data_error & B(me) -> data_error = (TOLD_ONCE -> 0 : data_error & ~B(me)); r = REFUSED
    :: !(data_error & B(me)) && fails > 0 && (dirty_cell || dirty_rows) ->
       fails--; disk_flush_some_data(); data_error = (TOLD_ONCE -> 0 : open_files & ~B(me)); r = REFUSED
    :: !(data_error & B(me)) -> r = OK
    fi;
    if
    :: r == OK -> d_step { if :: dirty_cell -> disk_cell = cell :: else -> skip fi; dirty_cell = 0; disk_rows = disk_rows | dirty_rows; dirty_rows = 0 }
    :: else -> skip
    fi
  }
}

inline disk_write_cell(what) {
  atomic {
    if
    :: dirty_cell && disk_cell != cell -> if :: true -> skip :: true -> disk_cell = cell fi
    :: else -> skip
    fi;
    cell = what; dirty_cell = 1
  }
}
inline disk_write_row(who) { d_step { rows = rows | B(who - 1); dirty_rows = dirty_rows | B(who - 1) } }

inline disk_open() {
  d_step {
    open_files = open_files | B(me);
    /* told once: whoever syncs first hears, also who opened it since */
    log_error = (TOLD_ONCE && log_error -> log_error | B(me) : log_error & ~B(me));
    data_error = (TOLD_ONCE && data_error -> data_error | B(me) : data_error & ~B(me))
  }
}
inline disk_close() {
  open_files = open_files & ~B(me);
  log_error = (TOLD_ONCE -> log_error : log_error & ~B(me));
  data_error = (TOLD_ONCE -> data_error : data_error & ~B(me))
}

/* Frames of older generations never validate again once a newer header is durable: all the same. */
inline disk_forget_old_frames(newest) {
  d_step {
    n_ = 0;
    if
    :: disk_header[newest % 2] == newest ->
       do
       :: n_ < SLOTS ->
          if
          :: cache[n_].generation != newest -> no_frame(cache[n_]); no_frame(disk[n_]); dirty_frames = dirty_frames & ~B(n_)
          :: else -> skip
          fi;
          n_++
       :: else -> break
       od
    :: else -> skip
    fi;
    n_ = 0
  }
}
