"""A directory with the machine's whole list of packages, kept up while its writers are killed.

It is migrated, vacuumed, backed up and restored to log positions of the past, and whatever comes
back is held against what the writers were told.

    tables      the tables, and the list of packages in them, to the last byte
    deeds       what a writer does, call by call: its state follows from how many it made
    writer      the process that does it, and says so behind each commit
    spoken      what writers said, and which states fit that
    crew        writers, and who kills them
    campaign    the whole of it, and the verdict
"""
