"""The crash explorer: every legal disk after a power cut, each recovered by the real engine.

workload   what is done to a database, as plain data
catalogue  the workloads that come with it, and the family of all short ones
model      what a workload must lead to: plain dictionaries, no database
runner     a workload on a simulated machine, stopping at its crash points
sampling   which legal disks to visit where there are too many
judge      one disk: recovered, read, checked, recovered again, used
explorer   one workload: all points, disks and verdicts
deaths     what a kill leaves, at each call of a process
kills      kills at every call, and whoever comes next
nested     crashes at every operation of a recovery
faults     what a call may end in: errors, short transfers, failed syncs, interrupts
fault_case one fault in one run, and all that comes after it
errors     every fault at every call of a workload
damage     every flipped bit and swapped sector of a small directory
fuzz       mutated logs, files and frames: typed errors, in time, within the directory

What becomes of a violation:

again      the same workload, moment and disk once more: power does it for power cuts,
           cases for kills, recoveries and faults, damage_cases for damage and odd input
minimise   fewer calls (shrink), plainer values, fewer lost sectors, an earlier moment
replay     as a file that can be repeated; fresh: in a process with planted bugs
as_test    as a test for pytest; story: as a sentence and a table
keep       all of this, in one directory
"""
