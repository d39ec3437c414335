/* How much of the world one run looks at, and the rules that can be left out.

   A bound is given as -DNAME=NUMBER, a rule is left out with -DRULE_NAME=0.  cases.py names the runs.
   With every rule no assertion fails and nobody waits for ever; with any one left out something does. */

/* ---- bounds ---- */
#ifndef WRITERS
#define WRITERS 2       /* processes that write: 1 to 3 */
#endif
#ifndef READERS
#define READERS 0       /* processes that read without the lock: 0 or 1 */
#endif
#ifndef READS
#define READS 2         /* how often they do */
#endif
#ifndef TXS
#define TXS 2           /* transactions, all writers together: at most 7 */
#endif
#ifndef SLOTS
#define SLOTS 2         /* frames that fit into the log; one more makes a checkpoint */
#endif
#ifndef CHECKPOINTS
#define CHECKPOINTS 0   /* calls of checkpoint() */
#endif
#ifndef KILLS
#define KILLS 0         /* processes killed, anywhere */
#endif
#ifndef CUTS
#define CUTS 0          /* power cuts, anywhere; after the last one a judge opens the directory */
#endif
#ifndef FAILS
#define FAILS 0         /* syncs that fail */
#endif
#ifndef WRITEBACKS
#define WRITEBACKS 0    /* write-backs by the kernel itself that fail, between any two steps */
#endif
#ifndef TOLD_ONCE
#define TOLD_ONCE 0     /* a failure is told 0: once to every open file, 1: to the first that syncs */
#endif
#ifndef REFUSALS
#define REFUSALS 0      /* transactions that are rolled back and tell their caller what they saw */
#endif
#ifndef HELD
#define HELD 0          /* transactions under a held storage.lock() */
#endif
#ifndef FORKS
#define FORKS 0         /* forks of the first writer, anywhere: 0 or 1 */
#endif
#ifndef STOPS
#define STOPS 0         /* processes stopped (SIGSTOP) for ever, anywhere */
#endif

#ifndef ATTACHED
#define ATTACHED 0      /* 1: begin when all but the child are attached, and the log is empty */
#endif
#ifndef LEFT
#define LEFT 0          /* 1: with ATTACHED: somebody died behind a whole frame that END does not count */
#endif
#ifndef REBORN
#define REBORN 1        /* 0: who was killed does not come back */
#endif
#ifndef VICTIMS
#define VICTIMS ALL     /* a set of bits: who may be killed or stopped */
#endif

/* ---- rules: 1 as built ---- */
#ifndef RULE_APPLY_DURABLE
#define RULE_APPLY_DURABLE 1     /* core.applicable: only frames below DURABLE are applied */
#endif
#ifndef RULE_ONE_DURABLE
#define RULE_ONE_DURABLE 1       /* apply.finish_apply: DURABLE is read once */
#endif
#ifndef RULE_SEQUENCE_OR
#define RULE_SEQUENCE_OR 1       /* apply.apply_up_to: SEQUENCE |= 1, not += 1 */
#endif
#ifndef RULE_SEQUENCE_TWICE
#define RULE_SEQUENCE_TWICE 1    /* store.quick_read: SEQUENCE is read again after the files */
#endif
#ifndef RULE_HORIZON
#define RULE_HORIZON 1           /* commit.transaction: a refusal waits for what it saw */
#endif
#ifndef RULE_TELL_SYNCED
#define RULE_TELL_SYNCED 1       /* group._sync: DURABLE moves to the END from before the sync */
#endif
#ifndef RULE_PUBLISH_UNDER_SYNC
#define RULE_PUBLISH_UNDER_SYNC 1 /* group._sync: DURABLE is written under .sync, and never back */
#endif
#ifndef RULE_SYNCING
#define RULE_SYNCING 1           /* group._sync: SYNCING found set: write again before syncing */
#endif
#ifndef RULE_JOINED_LOG
#define RULE_JOINED_LOG 1        /* group._sync: so does who joined, at its first sync */
#endif
#ifndef RULE_POISON
#define RULE_POISON 1            /* core.poison: a failed sync refuses everyone from then on */
#endif
#ifndef RULE_HELP
#define RULE_HELP 1              /* section.help_apply: whoever waits applies, not the leader alone */
#endif
#ifndef RULE_DEADLINE
#define RULE_DEADLINE 1          /* group._uncertain, lock_timeout: waiting ends */
#endif
#ifndef RULE_BUSY
#define RULE_BUSY 1              /* section._enter: BUSY found set: repair */
#endif
#ifndef RULE_ADOPT
#define RULE_ADOPT 1             /* repair.repair: a whole frame at END is adopted */
#endif
#ifndef RULE_CHAIN
#define RULE_CHAIN 1             /* scan.frame_at: a frame must name its predecessor */
#endif
#ifndef RULE_LOAD_GENERATION
#define RULE_LOAD_GENERATION 1   /* section._enter: another's checkpoint drops what was known */
#endif
#ifndef RULE_CHECKPOINT_LOG
#define RULE_CHECKPOINT_LOG 1    /* checkpoint_locked: sync the log before applying to the end */
#endif
#ifndef RULE_DATA_FIRST
#define RULE_DATA_FIRST 1        /* checkpoint_locked: sync the data before the header is written */
#endif
#ifndef RULE_HEADER_SYNC
#define RULE_HEADER_SYNC 1       /* write_header: the header is durable before its first frame */
#endif
#ifndef RULE_REDO_JOINED
#define RULE_REDO_JOINED 1       /* core.needs_redo: who joined in this generation redoes it */
#endif
#ifndef RULE_REDO_MARK
#define RULE_REDO_MARK 1         /* core.needs_redo: REDO and CHECKPOINTING */
#endif
#ifndef RULE_READY
#define RULE_READY 1             /* _attach_locked: READY wrong: start over */
#endif
#ifndef RULE_RECOVERY_DURABLE
#define RULE_RECOVERY_DURABLE 1  /* _make_verified_bytes_durable before anything is trusted */
#endif
#ifndef RULE_NEW_LOG
#define RULE_NEW_LOG 1           /* ... in a new log, not over themselves */
#endif
#ifndef RULE_HEADER_COPY
#define RULE_HEADER_COPY 1       /* write_header_again: beside the header, not over it */
#endif
#ifndef RULE_FORK_CLOSE
#define RULE_FORK_CLOSE 1        /* _close_all_in_child: the child closes its copies at once */
#endif
#ifndef RULE_FORK_ABANDON
#define RULE_FORK_ABANDON 1      /* ... closes, and never unlocks */
#endif
#ifndef RULE_FORKED
#define RULE_FORKED 1            /* core.forked: the child does not take itself for its parent */
#endif

#define CHILD     (WRITERS + READERS)            /* the forked child's number, if there is one */
#define PROCESSES (WRITERS + READERS + FORKS)
#define B(n)      (1 << (n))
#define ALL       (B(PROCESSES) - 1)
#if READERS > 0
#define SEQUENCE_MASK 15                         /* SEQUENCE is 64 bits; here it wraps */
#else
#define SEQUENCE_MASK 1
#endif

/* how a step ended, in the local variable r */
#define OK        0
#define REFUSED   1     /* PoisonedError */
#define GAVE_UP   2     /* LockTimeout, CommitUncertain, CommittedNotApplied */
