/* The steps of the protocol.  Each inline has the name of the function in bazanite_wal that it models;
   the comment before it says in which module that is.  They use the locals of a process:

     me        its number
     r         how the last step ended: OK, REFUSED, GAVE_UP
     job       what it has .lock for
     tx, image the transaction under way and its after-image
     lsn       what it waits for
     k, g, b   frames counted, a generation and its base, inside one step
     target    END before a sync
     known     Core.header: the generation that this process knows
     joined    Core.joined_generation
     fresh     Core.joined_log: it joined others, and has not synced the log since
     entered, critical   as in Core
     quit      it is about to close its handle
     leader    it synced last (needed by a left-out rule alone)                                  */

#define NOTHING          0    /* what a process has .lock for */
#define TRANSACTION      1
#define HELD_TRANSACTION 2
#define CHECKPOINT       3
#define HELP             4
#define READING          5
#define GOODBYE          6

#define PROCESS_LOCALS \
  byte r, job, tx, image, lsn, k, g, b, target, known, joined, before, value; \
  bit fresh, entered, critical, quit, leader, owner
#define FORGET_LOCALS \
  r = 0; job = 0; tx = 0; image = 0; lsn = 0; k = 0; g = 0; b = 0; target = 0; known = 0; joined = 0; \
  before = 0; value = 0; fresh = 0; entered = 0; critical = 0; quit = 0; leader = 0; owner = 0

/* ------------------------------------------------------------------ the log's header and frames */

/* log.read_header: the newest header in the page cache -> g, b */
inline read_header() {
  d_step {
    g = 0; n_ = 0;
    do
    :: n_ < 4 -> if :: cache_header[n_] > g -> g = cache_header[n_]; b = cache_base[n_] :: else -> skip fi; n_++
    :: else -> break
    od;
    n_ = 0;
    assert(g > 0)    /* never is the only header torn */
  }
}

/* scan.scan_generation: how many whole frames follow the header g -> k; before: the last one's checksum */
inline scan_generation() {
  d_step {
    k = 0; before = 0;
    do
    :: k < SLOTS -> if :: WHOLE(k, g, before) -> before = cache[k].tx; k++ :: else -> break fi
    :: else -> break
    od;
    /* no power cut and no kill looks like corruption: no later watermark covers a bad frame */
    n_ = k + 1;
    do
    :: n_ < SLOTS -> assert(!(cache[n_].generation == g && cache[n_].watermark > b + k)); n_++
    :: else -> break
    od;
    n_ = 0
  }
}

/* log.write_header_again */
inline write_header_again() {
  disk_write_header((g % 2) + (RULE_HEADER_COPY -> 2 : 0), g, b)
}

/* ------------------------------------------------------------------ group commit: the log's syncs */

/* group.right_to_sync */
inline right_to_sync() {
  if
  :: atomic { dot_sync == FREE -> dot_sync = me + 1; r = OK }
  :: atomic { STUCK(dot_sync) -> r = GAVE_UP }
  fi
}

/* group._let_go */
inline _let_go() {
  atomic { dot_sync = FREE; if :: RULE_PUBLISH_UNDER_SYNC -> target = 0 :: else -> skip fi };
  if
  :: !RULE_PUBLISH_UNDER_SYNC && r == OK && target -> d_step { DURABLE = target; target = 0 }
  :: else -> target = 0
  fi
}

/* group._write_again: of what is not durable, frames and header */
inline _write_again() {
  read_header();
  d_step {
    if
    :: g == GENERATION ->
       n_ = DURABLE;
       do
       :: n_ < END ->
          assert(cache[n_ - b].generation == g);
          dirty_frames = dirty_frames | B(n_ - b); n_++
       :: else -> break
       od;
       n_ = 0
    :: else -> skip
    fi
  };
  write_header_again();
  d_step { g = 0; b = 0 }
}

/* core.poison */
inline poison() { d_step { if :: RULE_POISON -> POISONED = 1; r = REFUSED :: else -> r = GAVE_UP fi } }

/* group._sync: caller holds .sync */
inline _sync() {
  if
  :: atomic { POISONED -> r = REFUSED }
  :: atomic { else -> r = OK };
     if
     :: (RULE_SYNCING && SYNCING) || (RULE_JOINED_LOG && fresh) -> _write_again()
     :: else -> skip
     fi;
     d_step { SYNCING = 1; target = END };
     disk_sync_log();
     if
     :: r != OK -> poison(); target = 0
     :: else ->
        d_step {
          if :: RULE_TELL_SYNCED -> skip :: else -> target = END fi;
          fresh = 0; leader = 1;
          if :: RULE_PUBLISH_UNDER_SYNC && target > DURABLE -> DURABLE = target :: else -> skip fi
        };
        SYNCING = 0
     fi
  fi
}

/* group.sync_held: caller holds .lock */
inline sync_held() {
  right_to_sync();
  if
  :: r == OK -> _sync(); _let_go()
  :: else -> skip
  fi
}

/* group.write_header: caller holds .lock; the header g with base b */
inline write_header() {
  right_to_sync();
  if
  :: r == OK ->
     if
     :: POISONED -> r = REFUSED
     :: else ->
        if
        :: RULE_SYNCING && SYNCING -> k = g; value = b; _sync(); d_step { g = k; b = value; k = 0; value = 0 }
        :: else -> skip
        fi;
        if
        :: r == OK ->
           disk_write_header(g % 2, g, b);
           k = g; value = b;
           if :: RULE_HEADER_SYNC -> _sync() :: else -> skip fi;
           d_step { g = k; b = value; k = 0; value = 0 }
        :: else -> skip
        fi
     fi;
     _let_go()
  :: else -> skip
  fi
}

/* ------------------------------------------------------------------ apply */

/* apply.apply_up_to: caller holds .lock; the frames of (APPLIED, lim] */
inline apply_up_to(lim) {
  if :: RULE_SEQUENCE_OR -> SEQUENCE = SEQUENCE | 1 :: else -> SEQUENCE = (SEQUENCE + 1) & SEQUENCE_MASK fi;
  k = APPLIED;
  do
  :: k < lim ->
     d_step {
       assert(k >= BASE && k - BASE < SLOTS);                   /* the log has not forgotten it, */
       assert(cache[k - BASE].generation == GENERATION);        /* it is whole, */
       assert(disk[k - BASE].generation == GENERATION && disk[k - BASE].tx == cache[k - BASE].tx) /* and durable */
     };
     disk_write_cell(cache[k - BASE].image);
     d_step { rows = rows | B(cache[k - BASE].tx - 1); dirty_rows = dirty_rows | B(cache[k - BASE].tx - 1); k++ }
  :: else -> break
  od;
  atomic {
    k = 0;
    if :: RULE_ONE_DURABLE -> APPLIED = (lim > APPLIED -> lim : APPLIED) :: else -> APPLIED = DURABLE fi
  };
  if
  :: RULE_SEQUENCE_OR -> SEQUENCE = ((SEQUENCE | 1) + 1) & SEQUENCE_MASK
  :: else -> SEQUENCE = (SEQUENCE + 1) & SEQUENCE_MASK
  fi
}

/* apply.finish_apply: caller holds .lock */
inline finish_apply() {
  value = (RULE_APPLY_DURABLE -> DURABLE : END);
  if
  :: APPLIED < value || (SEQUENCE & 1) -> apply_up_to(value)
  :: else -> skip
  fi;
  value = 0
}

/* apply.redo_generation */
inline redo_generation() {
  value = APPLIED;
  SEQUENCE = SEQUENCE | 1;
  APPLIED = BASE;
  apply_up_to(value);
  value = 0
}

/* apply.catch_up: what the transaction sees -> image, and whether that is durable -> lsn */
inline catch_up() {
  d_step {
    if
    :: END > APPLIED ->
       assert(cache[END - 1 - BASE].generation == GENERATION && cache[END - 1 - BASE].tx == TAIL);
       image = cache[END - 1 - BASE].image; lsn = END
    :: else -> image = cell; lsn = 0
    fi
  }
}

/* ------------------------------------------------------------------ holding the global lock */

/* lock.acquire */
inline acquire() {
  if
  :: atomic { dot_lock == FREE -> dot_lock = me + 1; r = OK }
  :: atomic { STUCK(dot_lock) -> r = GAVE_UP }
  fi
}

/* repair.repair: finish what a dead holder left */
inline repair() {
  read_header();
  if
  :: g == GENERATION + 1 ->
     write_header();
     if :: r == OK -> GENERATION = g; disk_forget_old_frames(g) :: else -> skip fi
  :: else -> skip
  fi;
  if
  :: r == OK ->
     scan_generation();
     assert(g == GENERATION && b + k >= END);    /* the log holds what was published */
     d_step {
       known = g;
       if :: RULE_ADOPT -> TAIL = before; END = b + k
          :: else -> TAIL = (END > b -> cache[END - b - 1].tx : 0)
       fi
     };
     d_step { REDO = g; CHECKPOINTING = 0 }
  :: else -> skip
  fi;
  d_step { g = 0; b = 0; k = 0; before = 0 }
}

/* section._enter: caller got .lock */
inline _enter() {
  if
  :: atomic { POISONED -> r = REFUSED }
  :: atomic { else -> r = OK };
     if
     :: RULE_BUSY && BUSY -> critical = 1; repair(); if :: r == OK -> critical = 0 :: else -> skip fi
     :: else -> skip
     fi;
     if
     :: r == OK ->
        d_step {
          entered = 1; BUSY = 1;
          assert(POISONED || DURABLE <= END);
          assert(POISONED || !RULE_APPLY_DURABLE || APPLIED <= DURABLE);
          /* core.load_generation: the log's header is what was published; kills and cuts poison nobody */
          assert(GENERATION > 0 && cache_header[GENERATION % 2] == GENERATION);
          if :: RULE_LOAD_GENERATION || known == 0 -> known = GENERATION :: else -> skip fi
        };
        finish_apply()
     :: else -> skip
     fi
  fi
}

/* section.leave */
inline leave() {
  d_step {
    if :: entered && !critical -> BUSY = 0 :: else -> skip fi;
    entered = 0; critical = 0; dot_lock = FREE
  }
}

/* section._finish_what_became_durable */
inline _finish_what_became_durable() {
  if
  :: !critical && !POISONED -> finish_apply()
  :: else -> skip
  fi
}

/* ------------------------------------------------------------------ checkpoint */

/* checkpoint.sync_data_files */
inline sync_data_files(redo) {
  if
  :: POISONED -> r = REFUSED
  :: else ->
     if
     :: redo && ((RULE_REDO_JOINED && joined == GENERATION) || (RULE_REDO_MARK && (REDO == GENERATION || CHECKPOINTING))) ->
        redo_generation()
     :: else -> skip
     fi;
     disk_sync_data();
     if :: r != OK -> poison() :: else -> skip fi
  fi
}

/* checkpoint.sync_ahead: without .lock */
inline sync_ahead() {
  r = OK;
  if
  :: atomic { CHECKPOINTING == 0 || CHECKPOINTING == me + 1 -> CHECKPOINTING = me + 1 };
     sync_data_files(0);
     if :: r == OK && CHECKPOINTING == me + 1 -> CHECKPOINTING = 0 :: else -> skip fi
  :: else -> skip
  fi
}

/* checkpoint.checkpoint_locked: caller holds .lock */
inline checkpoint_locked() {
  if
  :: END == BASE -> r = OK
  :: else ->
     if :: RULE_CHECKPOINT_LOG -> sync_held() :: else -> r = OK fi;
     if
     :: r == OK ->
        if
        :: APPLIED < END || (SEQUENCE & 1) -> apply_up_to(END)
        :: else -> skip
        fi;
        if :: RULE_DATA_FIRST -> sync_data_files(1) :: else -> skip fi
     :: else -> skip
     fi;
     if
     :: r == OK ->
        d_step {
          critical = 1; g = known + 1; b = END;
          assert(!RULE_DATA_FIRST || (disk_cell == cell && disk_rows == rows))    /* before the log forgets */
        };
        write_header();
        if
        :: r == OK ->
           TAIL = 0;
           d_step { GENERATION = g; CHECKPOINTING = 0; known = g; critical = 0 };
           if :: RULE_HEADER_SYNC -> disk_forget_old_frames(g) :: else -> skip fi;
           if :: RULE_DATA_FIRST -> skip :: else -> sync_data_files(0) fi
        :: else -> skip
        fi;
        d_step { g = 0; b = 0 }
     :: else -> skip
     fi
  fi
}

/* ------------------------------------------------------------------ commit */

/* commit._publish: TAIL, then END */
inline _publish() {
  TAIL = tx;
  d_step { END = END + 1; lsn = END; critical = 0; k = 0; before = 0 }
}

/* commit.append: one frame at END, then _publish */
inline append() {
  d_step { image = image | B(tx - 1); k = END - cache_base[known % 2]; before = TAIL; critical = 1 };
  assert(k < SLOTS);
  assert(disk_header[known % 2] == known || disk_header[known % 2 + 2] == known);    /* before its first frame */
  disk_write_frame(k, known, tx, before, image);
  _publish()
}

/* commit.transaction: its part under .lock.  It is rolled back, or appended, or appended under a held
   storage.lock(), where commit.sync_and_apply_locked follows. */
inline transaction() {
  catch_up();
  if
  :: d_step { refusals > 0 -> refusals--; tx = 0; if :: RULE_HORIZON -> skip :: else -> lsn = 0; seen = seen | image fi }
  :: d_step { held > 0 -> held--; job = HELD_TRANSACTION }; append()
  :: append()
  fi
}

/* commit.settle: its caller hears, or does not, and is told what it saw */
inline settle() {
  d_step {
    if
    :: r == OK && tx ->
       assert(cell & B(tx - 1));      /* what is acknowledged is in the data files */
       acknowledged = acknowledged | B(tx - 1)
    :: r == OK && !tx -> seen = seen | image
    :: else -> quit = 1      /* the program closes its handle */
    fi;
    tx = 0; lsn = 0; image = 0; leader = 0; r = OK
  }
}

/* group._try_sync: caller got .sync */
inline _try_sync() {
  if
  :: DURABLE < lsn -> _sync()
  :: else -> r = OK
  fi;
  _let_go()
}

/* group.wait_applied: one look of _lead at the words; until lsn is durable and applied.  HELP is
   section.help_apply, which got .lock. */
inline wait_applied() {
  if
  :: atomic { APPLIED >= lsn -> r = OK; settle() }
  :: atomic { APPLIED < lsn && POISONED -> r = REFUSED; settle() }
  :: atomic { APPLIED < lsn && !POISONED && DURABLE >= lsn && dot_lock == FREE && (RULE_HELP || leader) ->
              dot_lock = me + 1; job = HELP }
  :: atomic { APPLIED < lsn && !POISONED && DURABLE < lsn && dot_sync == FREE -> dot_sync = me + 1 };
     _try_sync();
     if
     :: r != OK && !RULE_POISON -> settle()     /* a left-out rule: a failure is told, and no more */
     :: else -> r = OK
     fi
  :: atomic { APPLIED < lsn && !POISONED && (DURABLE >= lsn -> STUCK(dot_lock) : STUCK(dot_sync)) ->
              r = GAVE_UP; settle() }
  fi
}

/* ------------------------------------------------------------------ reading */

/* store.reading: with the lock, only what is in the files */
inline reading() {
  value = cell;
  d_step { assert(value == rows); seen = seen | value; value = 0 }
}

/* store.quick_read: counts only if nothing changed meanwhile; else READING takes the lock */
inline quick_read() {
  atomic { before = SEQUENCE; r = (POISONED || (before & 1) -> GAVE_UP : OK) };
  if
  :: r == OK ->
     value = cell;
     k = rows;
     d_step {
       if
       :: (SEQUENCE == before || !RULE_SEQUENCE_TWICE) && !POISONED -> assert(value == k); seen = seen | value
       :: else -> r = GAVE_UP
       fi;
       before = 0; value = 0; k = 0
     }
  :: else -> before = 0
  fi;
  if
  :: r == OK -> skip
  :: else -> acquire(); if :: r == OK -> job = READING :: else -> quit = 1; r = OK fi
  fi
}

/* ------------------------------------------------------------------ holding the global lock */

/* Whether this job makes a checkpoint: it was asked for, the log is full (commit._make_room), or who
   leaves is the last (attach._say_goodbye). */
#define CHECKPOINTS_NOW \
  (job == CHECKPOINT || (job == TRANSACTION && END - cache_base[known % 2] >= SLOTS) || \
   (job == GOODBYE && attached == B(me)))

/* section.exclusive: the caller got .lock; job says for what */
inline exclusive() {
  _enter();
  if :: r == OK && CHECKPOINTS_NOW -> checkpoint_locked() :: else -> skip fi;
  if
  :: r == OK && job == TRANSACTION -> transaction()
  :: r == OK && job == READING -> reading()
  :: else -> skip
  fi;
  if
  :: r == OK && (job == HELD_TRANSACTION || (job == GOODBYE && attached != B(me))) -> sync_held()
  :: else -> skip
  fi;
  if
  :: r == OK && job != HELP && job != GOODBYE -> _finish_what_became_durable()
  :: else -> skip
  fi;
  d_step {
    if
    :: job == GOODBYE -> attached = attached & ~B(me); inside = inside & ~B(me); quit = 1
    :: job == TRANSACTION && r != OK -> tx = 0; quit = 1
    :: job == HELD_TRANSACTION -> if :: r == OK -> assert(cell & B(tx - 1)); acknowledged = acknowledged | B(tx - 1) :: else -> quit = 1 fi; tx = 0; lsn = 0; image = 0
    :: job != HELP && job != TRANSACTION && job != HELD_TRANSACTION && job != GOODBYE && r != OK -> quit = 1
    :: else -> skip
    fi;
    if :: !lsn -> image = 0; tx = 0 :: else -> skip fi;
    job = NOTHING; r = OK
  };
  leave()
}

/* ------------------------------------------------------------------ recovery */

/* log.name_new_log: rename, and sync the directory */
inline name_new_log() {
  d_step {
    n_ = 0;
    do
    :: n_ < SLOTS -> if :: n_ >= k -> no_frame(cache[n_]) :: else -> skip fi; n_++
    :: else -> break
    od;
    n_ = 0;
    do
    :: n_ < 4 -> cache_header[n_] = 0; cache_base[n_] = 0; n_++
    :: else -> break
    od;
    n_ = 0;
    cache_header[g % 2] = g; cache_base[g % 2] = b;
    dirty_frames = 0; dirty_headers = 0; log_error = 0;
    renaming = 1
  };
  atomic {
    d_step { dirty_frames = B(SLOTS) - 1; dirty_headers = 15; renaming = 0 };
    disk_flush_log()
  }
}

/* recovery._make_verified_bytes_durable: k frames of generation g */
inline _make_verified_bytes_durable() {
  r = OK;
  if
  :: !RULE_RECOVERY_DURABLE -> skip
  :: RULE_RECOVERY_DURABLE && k > 0 && RULE_NEW_LOG ->
     atomic { if :: true -> skip :: fails > 0 -> fails--; r = REFUSED fi };   /* write_new_log */
     if :: r == OK -> name_new_log() :: else -> skip fi
  :: RULE_RECOVERY_DURABLE && !(k > 0 && RULE_NEW_LOG) ->
     dirty_frames = dirty_frames | (B(k) - 1);
     write_header_again();
     disk_sync_log()
  fi
}

/* recovery._start_generation */
inline _start_generation() {
  disk_write_header((g + 1) % 2, g + 1, b + k);
  disk_sync_log()
}

/* attach._initialise */
inline _initialise() {
  GENERATION = 2;
  d_step { WITNESS = 1; READY = 1 }
}

/* shared.clear_words, then attach._initialise.  The log is empty and durable: the model starts its
   generations, positions and slots anew here, so that there are not too many. */
inline clear_words() {
  d_step {
    WITNESS = 0; END = 0; DURABLE = 0; APPLIED = 0; SEQUENCE = 0; GENERATION = 0; POISONED = 0;
    BUSY = 0; SYNCING = 0; TAIL = 0; REDO = 0; CHECKPOINTING = 0;
    cache_header[0] = 2; disk_header[0] = 2; cache_header[1] = 1; disk_header[1] = 1;
    cache_header[2] = 0; disk_header[2] = 0; cache_header[3] = 0; disk_header[3] = 0;
    n_ = 0;
    do
    :: n_ < 4 -> cache_base[n_] = 0; disk_base[n_] = 0; n_++
    :: else -> break
    od;
    n_ = 0;
    do
    :: n_ < SLOTS -> no_frame(cache[n_]); no_frame(disk[n_]); n_++
    :: else -> break
    od;
    n_ = 0; dirty_frames = 0; dirty_headers = 0
  };
  _initialise()
}

/* recovery.recover: by the first opener */
inline recover() {
  READY = 0;
  assert(inside == 0);    /* alone */
  read_header();
  scan_generation();
  before = 0;
  assert(!(WITNESS && GENERATION == g && DURABLE > b + k));    /* scan.with_witness refuses nobody needlessly */
  _make_verified_bytes_durable();
  if
  :: r == OK ->
     value = 0;
     do
     :: value < k -> disk_write_cell(cache[value].image); d_step { rows = rows | B(cache[value].tx - 1); dirty_rows = dirty_rows | B(cache[value].tx - 1); value++ }
     :: else -> break
     od;
     value = 0;
     d_step {
       assert(cell == rows);                              /* whole transactions, a prefix */
       assert((acknowledged & ~cell) == 0);               /* none that was acknowledged is lost, */
       assert((seen & ~cell) == 0)                        /* nor one that anybody was told of */
     };
     disk_sync_data()
  :: else -> skip
  fi;
  if
  :: r == OK -> _start_generation()
  :: else -> skip
  fi;
  if
  :: r == OK -> clear_words()
  :: else -> skip
  fi;
  d_step { g = 0; b = 0; k = 0 }
}

/* ------------------------------------------------------------------ attach and detach */

/* attach._attach_locked: one attempt; leaves the do-loop of attach when it is over */
inline _attach_locked() {
  disk_open();
  if
  :: d_step { first_opener == FREE && attached == 0 -> first_opener = me + 1 };
     recover();
     if
     :: r == OK ->
        d_step { first_opener = FREE; attached = attached | B(me); known = GENERATION; joined = 0; fresh = 0 };
        atomic { inside = inside | B(me); dot_lock = FREE; break }
     :: else ->      /* refused, nothing is lost; somebody opens it again */
        d_step { first_opener = FREE; disk_close() };
        d_step { dot_lock = FREE; r = OK }
     fi
  :: first_opener != FREE || attached != 0 ->
     atomic { first_opener == FREE -> attached = attached | B(me) };    /* tried again until it is free */
     if
     :: RULE_READY && READY == 0 ->      /* a process is dying: start over */
        d_step { attached = attached & ~B(me); disk_close(); dot_lock = FREE }
     :: POISONED && (READY || !RULE_READY) ->
        d_step { attached = attached & ~B(me); disk_close(); dot_lock = FREE; r = REFUSED }; break
     :: !POISONED && (READY || !RULE_READY) ->
        d_step { known = GENERATION; joined = GENERATION; fresh = (BUSY || DURABLE < END) };
        atomic { inside = inside | B(me); dot_lock = FREE; break }
     fi
  fi
}

/* attach.attach */
inline attach() {
  do
  :: acquire();
     if
     :: r != OK -> break
     :: else -> _attach_locked()
     fi
  od
}

/* attach.detach: GOODBYE is the part under .lock; a poisoned directory is just left */
inline detach() {
  if
  :: POISONED -> inside = inside & ~B(me)
  :: else ->
     acquire();
     if :: r == OK -> job = GOODBYE :: else -> inside = inside & ~B(me) fi
  fi
}

/* ------------------------------------------------------------------ fork */

/* posix._close_all_in_child: its copies of the first writer's descriptors */
inline _close_all_in_child() {
  d_step {
    if
    :: RULE_FORK_ABANDON -> skip
    :: else ->      /* LOCK_UN: the lock goes, whoever has it open */
       if :: dot_lock == 1 -> dot_lock = FREE :: else -> skip fi;
       if :: dot_sync == 1 -> dot_sync = FREE :: else -> skip fi;
       attached = attached & ~B(0)
    fi;
    heir = 0;
    if :: dot_lock == HEIR -> dot_lock = FREE :: else -> skip fi;
    if :: dot_sync == HEIR -> dot_sync = FREE :: else -> skip fi;
    if :: first_opener == HEIR -> first_opener = FREE :: else -> skip fi;
    attached = attached & ~B(PROCESSES)
  }
}
