/* The commit protocol of bazanite_wal, as built: see README.md beside this file. */

#include "bounds.pml"
#include "disk.pml"
#include "words.pml"
#include "steps.pml"

/* What the kernel does with a dead process: its locks go one by one, while others go on. */
inline die() {
  d_step {
    dying = dying | B(me); inside = inside & ~B(me); stopped = stopped & ~B(me); disk_close(); FORGET_LOCALS
  };
  if
  :: FORKS && me == CHILD -> _close_all_in_child()
  :: else -> skip
  fi;
  do
  :: d_step { dot_lock == me + 1 -> dot_lock = (me == 0 && heir -> HEIR : FREE) }
  :: d_step { dot_sync == me + 1 -> dot_sync = (me == 0 && heir -> HEIR : FREE) }
  :: d_step { first_opener == me + 1 -> first_opener = (me == 0 && heir -> HEIR : FREE) }
  :: d_step { attached & B(me) -> attached = attached & ~B(me); if :: me == 0 && heir -> attached = attached | B(PROCESSES) :: else -> skip fi }
  :: atomic { dot_lock != me + 1 && dot_sync != me + 1 && first_opener != me + 1 && !(attached & B(me)) ->
              killed = killed & ~B(me); dying = dying & ~B(me); break }
  od
}

/* The end of attach.detach: everything is closed. */
inline close_everything() {
  d_step { inside = inside & ~B(me); attached = attached & ~B(me); disk_close(); FORGET_LOCALS }
}

/* It has nothing under way. */
#define WORKING (job == NOTHING && lsn == 0 && !quit && !over && (inside & B(me)))

#define WRITER 0
#define READER 1
#define FORKED 2     /* a writer that waits to be born */

/* commit.append in the parent's transaction: what core.forked keeps a child from */
inline take_oneself_for_the_parent() {
  if
  :: owner && transactions < TXS && BUSY && END - BASE < SLOTS ->
     d_step { transactions++; tx = transactions; known = GENERATION; quit = 1; entered = 1; inside = inside | B(me) };
     catch_up(); append(); leave()
  :: else -> goto end_idle
  fi
}

/* A process.  It comes back when it was killed. */
proctype Process(byte me; byte kind) {
  PROCESS_LOCALS;
  do
  :: {
       if
       :: kind == FORKED ->
end_unborn: atomic { forks > 0 && (inside & B(0)) && !((killed | dying) & B(0)) -> forks--; heir = 1; owner = (dot_lock == 1) };
          if :: RULE_FORK_CLOSE && RULE_FORKED -> _close_all_in_child() :: else -> skip fi;
          if
          :: RULE_FORKED ->
             if
             :: RULE_FORK_CLOSE -> owner = 0              /* store._use: the handle attaches anew */
             :: goto end_idle                             /* or is never used */
             fi
          :: else -> take_oneself_for_the_parent()
          fi
       :: else -> skip
       fi;
       if :: !(inside & B(me)) -> attach() :: else -> skip fi;
       do
       :: job != NOTHING -> exclusive()
       :: job == NOTHING && lsn != 0 -> wait_applied()
       :: atomic { job == NOTHING && lsn == 0 && !(inside & B(me)) -> break }
       :: atomic { WORKING && kind != READER && transactions < TXS && dot_lock == FREE ->
                   dot_lock = me + 1; transactions++; tx = transactions; job = TRANSACTION }
       :: atomic { WORKING && kind != READER && transactions < TXS && STUCK(dot_lock) -> quit = 1 }
       :: atomic { WORKING && kind != READER && checkpoints > 0 -> checkpoints-- };
          sync_ahead();
          if :: r == OK -> acquire() :: else -> skip fi;
          d_step { if :: r == OK -> job = CHECKPOINT :: else -> quit = 1; r = OK fi }
       :: atomic { WORKING && kind == READER && reads > 0 -> reads-- }; quick_read()
       :: job == NOTHING && lsn == 0 && (inside & B(me)) &&
          (quit || over || kind == READER || transactions >= TXS) -> detach()
       od;
       close_everything();
end_idle:
       done = done | B(me);
end_done:
       false
     } unless {
       (killed | stopped) & B(me);
end_stopped:
       killed & B(me);
       die();
       done = done & ~B(me);
end_over:
       (over -> me == 0 : REBORN)      /* after the last power cut only the judge comes back */
     }
  od
}

inline choose_process() {
  if
  :: i = 0
  :: PROCESSES > 1 -> i = 1
  :: PROCESSES > 2 -> i = 2
  :: PROCESSES > 3 -> i = 3
  fi
}

/* Whatever may happen to processes and machine. */
proctype World() {
  byte i;
end_world:
  do
  :: atomic {
       kills > 0;
       choose_process();
       if :: ((killed | dying | done) & B(i)) || !(VICTIMS & B(i)) -> skip :: else -> kills--; killed = killed | B(i) fi;
       i = 0
     }
  :: atomic {
       stops > 0;
       choose_process();
       if :: ((killed | dying | done | stopped) & B(i)) || !(VICTIMS & B(i)) -> skip :: else -> stops--; stopped = stopped | B(i) fi;
       i = 0
     }
  :: atomic {
       writebacks > 0 && !renaming && (dirty_frames || dirty_headers);
       writebacks--; disk_flush_some_log(); log_error = open_files
     }
  :: atomic {
       writebacks > 0 && (dirty_cell || dirty_rows);
       writebacks--; disk_flush_some_data(); data_error = open_files
     }
  :: atomic {
       cuts > 0;
       cuts--;
       if
       :: renaming -> if :: true -> skip :: true -> d_step { dirty_frames = B(SLOTS) - 1; dirty_headers = 15 }; disk_flush_log() fi
       :: else -> disk_flush_some_log()
       fi;
       disk_flush_some_data();
       d_step {
         over = (cuts == 0);
         killed = ALL; stopped = 0; done = 0; inside = 0; heir = 0;
         dot_lock = FREE; dot_sync = FREE; first_opener = FREE; attached = 0;
         open_files = 0; log_error = 0; data_error = 0; renaming = 0;
         /* words of another boot: READY and WITNESS say so, and nobody looks at the others */
         READY = 0; WITNESS = 0; END = 0; DURABLE = 0; APPLIED = 0; SEQUENCE = 0; GENERATION = 0;
         POISONED = 0; BUSY = 0; SYNCING = 0; TAIL = 0; REDO = 0; CHECKPOINTING = 0;
         n_ = 0;
         do
         :: n_ < SLOTS -> copy_frame(cache[n_], disk[n_]); n_++
         :: else -> break
         od;
         n_ = 0;
         do
         :: n_ < 4 -> cache_header[n_] = disk_header[n_]; cache_base[n_] = disk_base[n_]; n_++
         :: else -> break
         od;
         n_ = 0; dirty_frames = 0; dirty_headers = 0; cell = disk_cell; rows = disk_rows
       }
     }
  od
}

init {
  atomic {
    cache_header[1] = 1; disk_header[1] = 1;
    if
    :: ATTACHED ->
       cache_header[0] = 2; disk_header[0] = 2; GENERATION = 2; READY = 1; WITNESS = 1;
       attached = B(WRITERS + READERS) - 1; inside = attached; open_files = attached;
       if
       :: LEFT ->
          transactions = 1; BUSY = 1; dirty_frames = 1;
          cache[0].generation = 2; cache[0].tx = 1; cache[0].image = 1
       :: else -> skip
       fi
    :: else -> skip
    fi;
    run Process(0, WRITER);
    if :: WRITERS > 1 -> run Process(1, WRITER) :: else -> skip fi;
    if :: WRITERS > 2 -> run Process(2, WRITER) :: else -> skip fi;
    if :: READERS > 0 -> run Process(WRITERS, READER) :: else -> skip fi;
    if :: FORKS > 0 -> run Process(CHILD, FORKED) :: else -> skip fi;
    run World()
  }
}
