"""The crash explorer: every legal disk after a power cut, each recovered by the real engine.

workload   what is done to a database, as plain data
catalogue  the workloads that come with it, and the family of all short ones
model      what a workload must lead to: plain dictionaries, no database
runner     a workload on a simulated machine, stopping at its crash points
sampling   which legal disks to visit where there are too many
judge      one disk: recovered, read, checked, recovered again, used
explorer   one workload: all points, disks and verdicts
"""
