"""A simulated machine behind the engine's seam: files, page cache, disk, locks, clock, processes.

    inode    one file: what its process sees, what is durable, what may be on disk in between
    disk     inodes and directories: writes, syncs and the order of metadata
    legal    which disks a power cut may leave: counted in closed form, enumerated, sampled
    machine  what dies with the machine: the boot, locks, shared words, the clock, processes
    system   one simulated process: the engine's ``System`` over a machine

docs/crash-model.md states the rules.  Everything is deterministic: the same calls give the same
bytes, salts and times.
"""
