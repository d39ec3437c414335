"""Copies of a directory that were looked at: backups, and what is restored of them."""

from __future__ import annotations

from bazanite_wal import restore as bytewise
from bazanite_wal.backup import Progress
from bazanite_wal.layer import View
from bazanite_wal.offline import open_offline
from bazanite_wal.restore import Restored
from bazanite_wal.system import System

from .catalog_file import read_catalog
from .errors import CorruptionError
from .files import PathLike, TableFiles, path_text


def restore(
    backup: str | PathLike,
    target: str | PathLike,
    *,
    log: str | PathLike | None = None,
    to_lsn: int | None = None,
    verify: bool = True,
    progress: Progress | None = None,
    system: System | None = None,
) -> Restored:
    """Make a directory of a backup, as of the backup or of any later log position.

    ``log`` is the directory that was backed up, or one that has its archive (``db.archive``), and
    its ``wal.log`` where there still is one; what was committed behind the backup is taken from
    there, all of it or, with ``to_lsn``, up to that log position: a commit's is ``Commit.lsn`` of
    ``Changes``, and `bazanite wal tail` prints it.  ``target`` is missing or empty; it is durable
    on return and, with ``verify``, was checked.  ``backup`` and ``log`` are only read, and ``log``
    may be in use.  ``progress`` is told how many bytes were copied, and of how many.

    ValidationError if ``log`` is not that of the backup, or has no such position; ForgottenError if
    it does not lead on from the backup; CorruptionError for damage in either; DirectoryError, also
    if anyone opens the backup meanwhile.
    Nothing is left in ``target`` then, except by a CorruptionError that the check ends in: the copy
    stays, to be looked at.
    """
    made = bytewise.restore(
        path_text(backup),
        path_text(target),
        None if log is None else path_text(log),
        to_lsn,
        needed=_files_of_tables,
        progress=progress,
        system=system,
    )
    if verify:
        refuse_damaged(made.path, system)
    return made


def _files_of_tables(view: View) -> list[str]:
    """Every file that the catalog's tables have, none if there is no catalog."""
    catalog = read_catalog(view, ".")
    names: list[str] = []
    for name, spec in (catalog.tables if catalog else {}).items():
        names += spec.files(".", name)
        names += [TableFiles(".", name).sums] * spec.checksums
    return names


def refuse_damaged(path: str, system: System | None = None) -> None:
    """CorruptionError unless the copy at this path is a whole database; reads all of it."""
    from .check import check_view  # noqa: PLC0415  seldom used, and workers start often

    with open_offline(path, system=system) as offline:
        scan = offline.scan
        if scan is None or scan.tail != "clean":
            detail = "no header" if scan is None else scan.detail
            raise CorruptionError(f"{path}/wal.log", 0, "a whole log", detail)
        report = check_view(offline.view, offline.file_names)
    if not report.ok:
        first = report.problems[0]
        count = len(report.problems) + report.omitted
        raise CorruptionError(
            f"{path}/{first.file}",
            first.offset,
            "a whole table",
            first.what,
            f"The copy has {count} such problems (`bazanite check` lists them), most likely because"
            " the original has them: it stays, to be looked at",
        )
