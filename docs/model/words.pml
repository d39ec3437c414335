/* What processes share while the machine runs: locks, words, and what the model alone knows. */

#define FREE 0
#define HEIR (PROCESSES + 1)    /* owner: a dead process whose descriptors its forked child still has */

/* ---- locks: a number of a process plus 1, or FREE ---- */
byte dot_lock = FREE;           /* .lock, with the thread lock in front of it */
byte dot_sync = FREE;           /* .sync, with the sync turn */
byte first_opener = FREE;       /* .attached, exclusive */
byte attached = 0;              /* .attached, shared: a set */

/* ---- .shared: the words of bazanite_wal/shared.py, as the code has them ---- */
byte READY = 0;                 /* 1 this boot's token */
byte END = 0;
byte DURABLE = 0;
byte APPLIED = 0;
byte SEQUENCE = 0;
byte GENERATION = 0;
bit POISONED = 0;
bit BUSY = 0;
bit SYNCING = 0;
byte TAIL = 0;
byte REDO = 0;
byte CHECKPOINTING = 0;
bit WITNESS = 0;

#define BASE (cache_base[GENERATION % 2])    /* the log position at which this generation begins */

/* ---- what the model alone knows ---- */
byte acknowledged = 0;          /* transactions whose caller was told that they are done */
byte seen = 0;                  /* transactions that somebody was told of */
byte inside = 0;                /* who is attached and uses the directory */
byte transactions = 0;          /* how many were begun */
byte killed = 0, dying = 0, stopped = 0, done = 0;
bit heir = 0;                   /* the forked child has copies of the first writer's descriptors */
bit over = 0;                   /* the last power cut was: only the judge opens the directory again */
byte kills = KILLS, cuts = CUTS, writebacks = WRITEBACKS, stops = STOPS, forks = FORKS;
byte refusals = REFUSALS, held = HELD, checkpoints = CHECKPOINTS, reads = READS;

/* Whoever holds this lock is stopped.  The model's waiters give up then, and only then: the code's
   deadlines are long, and a holder that runs lets go. */
#define IS_STOPPED(owner) ((owner) != FREE && \
  ((stopped & B((owner) - 1)) || ((owner) == HEIR && (stopped & B(CHILD)))))
#define STUCK(lock) (RULE_DEADLINE && IS_STOPPED(lock))
