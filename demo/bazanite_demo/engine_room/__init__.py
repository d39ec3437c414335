"""The engine room: /engine, a live view of what the workers do to the directory they share.

    tables      the rows that experiments write, in a table of their own
    moments     at which moments of a commit a worker can be killed
    halting     an operating system that lets one thread stand still at such a moment
    board       figures of all workers, in memory that they share
    orders      what a worker does when another one tells it to make a transaction and stand still
    experiment  the kill of such a worker, and what becomes of its transaction
    story       the same as it is told, step by step
    raw         what stands in the files meanwhile
    records     what the logger ``bazanite`` told in all processes, in one file
    feed        the newest commits, read from the log
    jobs        a torture run and a load generator, as processes beside the application
    room        what of all this a process has: made by the master, completed in each worker
    state       everything as it is now, for the page and for the stream of events
    access      who may look: this machine only
    views       the page, its stream of events and its buttons

It is there only if the server was started with ``--engine-room``, because it kills processes.
"""
