"""A crowd: many processes at once on shared rows, killed at chosen moments; the history is checked.

    moments    where a process may be told to die, and an operating system that sees it come there
    notes      what a process did, in memory that outlives its SIGKILL
    tables     which tables a room has
    migrating  what is next where tables change, and where that stands in the history
    steps      which calls a process makes: planned from a seed
    life       what runs in a process of the crowd
    plans      who starts, as what, and how it ends: so that every moment is met often enough
    people     the processes, as whoever started them sees them
    room       one directory: the processes in it are started, struck and buried, then all is read
    record     what happened in a room, for a report
    verdict    their notes as one history, and what is wrong with it

Unlike the other rounds of the torture run nobody owns a row here: all change the same few ones, and
what every call returned must be as if they had come one after another, in the order of their log
positions (``bazanite_stress.history``).
"""
