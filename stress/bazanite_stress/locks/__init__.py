"""The lock, proved with real processes: scripted situations, and its figures.

A *scene* is a small situation that is played by real processes and threads on a real directory:
whoever holds the lock says so through a pipe, so nobody sleeps to wait for anybody.  ``scenes``
lists them, ``stage`` plays one, ``measure`` gives fairness, waits and take-over times.
"""
