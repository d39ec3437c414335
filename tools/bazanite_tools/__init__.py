"""The ``bazanite`` command line: one module a sub-command, imported only when it is used."""
