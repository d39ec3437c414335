"""The proof that the harness sees: planted bugs, each of which must turn it red.

bug          what a planted bug is, as data
planted      all of them, by number; ``planted_*`` holds them by theme
planting     a bug put into the engine's source before it is compiled, and proved to have run
session      processes on one simulated machine, and the states that are right
locks        one of the detectors: the lock's scenes, with real processes
detectors    what looks for bugs: traces, power cuts, kills, errors, damage
schedules    the simulation of several processes as a detector
child        one bug, one process: plant it, run its detectors
storing      what a detector found as a replay file
again        what it found, found again
campaign     all of them, in parallel, counted into one kill matrix

Nothing imported by ``planting`` and ``bug`` imports the engine: a bug is planted before that.
"""
