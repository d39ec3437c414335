"""Several simulated processes at once, under a scheduler: every call is a point to change turns at.

scheduler  threads that take turns, one at a time
processes  a process whose calls are points, and how it ends
plans      who goes on where, who is killed or stopped, when the power goes; recorded and repeated
programs   what the processes do, as plain data
catalogue  the programs that come with it
actors     the processes of one run: they carry their steps out and note what came of them
calls      what is made of one call, simulated or real, for a history
trial      one run, and the verdict on its history and on what it leaves
again      a run that broke a rule: recorded, repeated, made small
tasks      what a campaign consists of
campaign   all of it, in parallel, counted into one verdict
canary     a planted bug that every campaign must find
report     what a campaign says to people
"""
