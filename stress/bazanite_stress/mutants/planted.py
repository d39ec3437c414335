"""The planted bugs, by number: the table of docs/planted-bugs.md as data.

Of sixty kinds of bugs in the log, and others; 73 is the other half of 60.
"""

from __future__ import annotations

from . import (
    planted_archive,
    planted_backup,
    planted_commit,
    planted_errors,
    planted_files,
    planted_frames,
    planted_recovery,
    planted_rules,
    planted_schema,
    planted_sharing,
)
from .bug import Bug

_THEMES = (
    planted_commit,
    planted_frames,
    planted_files,
    planted_errors,
    planted_recovery,
    planted_sharing,
    planted_rules,
    planted_schema,
    planted_archive,
    planted_backup,
)

BUGS: dict[int, Bug] = {
    bug.number: bug
    for bug in sorted((b for theme in _THEMES for b in theme.BUGS), key=lambda b: b.number)
}
