"""Torture: writers on one directory, SIGKILL at random moments, recovery, and a verdict.

    schema      the tables that the writers use, in words that both engines understand
    effects     what an operation does to rows: the language of intents, of model and judge
    operations  which operations there are: planned from a seed, told as effects
    actions     the operations, carried out on a database
    adapters    one small interface, two engines: Bazanite and Bazoola
    load        rows from a CSV file or from dpkg's list of packages
    journal     what a writer was about to do and what was acknowledged; outlives its SIGKILL
    history     a dead writer's journal, read
    model       the state that acknowledged operations add up to: plain dictionaries
    judge       the verdict: model and operations in flight against what the database says
    processes   starting children by fork or spawn, killing and reaping them, with deadlines
    child       what runs in a child, and what ends it
    worker      a writer
    reader      whoever reads when all writers are dead: a survivor, or the first to open again
    killer      whom to kill, and when
    lives       what every round is made of: writers started, watched, struck, buried
    rounds      one round: kills and successors on one directory
    recovery    directories made, and recovered and read, in children
    evidence    what is counted and what is kept of a violation
    supervisor  a run of rounds, each judged; never opens the database itself
    own_worker  a writer that repeats the steps of somebody's own workload
    own_judge   the verdict on that, with the explorer's model
    own_run     rounds with such writers, each in a directory to itself
    settings    what a run is asked to do
    stopping    Ctrl-C and SIGTERM
    report      progress, the table, the JSON document

Three rules make an exact verdict possible without knowing how the writers interleave:

1. Every row has one owner, the writer slot that inserted it or that its id falls to; nobody else
   touches it. What an operation in flight touched rests until the round is over.
2. Rows that all share change only by sums, and each such change stands beside a change of an owned
   row in the same transaction. The owned row tells whether the operation happened.
3. A writer's intent is in its journal before the call, the acknowledgement after it. So an
   operation with both must be there; one with an intent only may be there, whole or not at all.
"""
