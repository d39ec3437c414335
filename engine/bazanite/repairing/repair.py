"""``repair``: a sound directory from a damaged one, which is read and never changed.

The order: find the catalog; make the new directory, with the catalog first, as without one it would
be taken for Bazoola's; table by table decide what is saved, and write it; sync everything; the log
last, so that a directory whose repair was interrupted is refused by every opening.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace

from bazanite_wal.log import LOG_NAME, create_log
from bazanite_wal.options import StoreOptions
from bazanite_wal.posix import POSIX
from bazanite_wal.system import Directory, System

from ..catalog_copy import COPY_NAME
from ..catalog_file import write_catalog
from ..check import read_catalog
from ..errors import CorruptionError, DirectoryError, ValidationError
from ..files import CATALOG_NAME, PathLike, TableFiles, path_text
from ..sequence import read as read_sequence
from ..specs import Catalog, TableSpec
from .catalogs import find_catalog
from .proof import Proof
from .quarantine import Quarantine
from .report import InDoubt, RepairReport, TableRepair
from .slots import SlotReader, value_bytes
from .source import Source, open_source
from .survey import Survey
from .writing import FileWrites, TableWriter

Progress = Callable[[str, int, int], object]
"""Told the table's name, and how many of how many slots were read so far; each is read twice."""


def repair(
    source: str | PathLike,
    target: str | PathLike,
    *,
    schema: str | PathLike | None = None,
    lock_timeout: float | None = 10.0,
    progress: Progress | None = None,
    system: System | None = None,
) -> RepairReport:
    """Write to ``target`` what can be saved of the damaged directory ``source``.

    ``target`` must be missing or empty.  On return it is durable, opens, and passes ``check``; the
    report says what was saved, what not, and what is in doubt.  ``quarantine.jsonl`` there has the
    bytes of everything that was not saved.  No byte of ``source`` is changed, and its writers wait
    meanwhile.  ``schema`` is a directory with the same tables, a backup for one: its catalog is
    taken if no other can be proven.

    ValidationError for paths that are none, or ``schema`` being ``source``; DirectoryError if
    ``source`` is no database directory, or ``target`` cannot be written or is not empty;
    LockTimeout if somebody holds the lock; CorruptionError if there is no catalog, and nothing was
    made then.  After any other error ``target`` is incomplete, and refused when opened.
    """
    source, target = path_text(source), path_text(target)
    system = system or POSIX
    with ExitStack() as stack:
        damaged = stack.enter_context(open_source(source, system, lock_timeout))
        _refuse_empty(damaged)
        _refuse_within(damaged, target, system)
        other = None
        if schema is not None:
            opening = open_source(path_text(schema), system, lock_timeout, damaged)
            other = stack.enter_context(opening)
            _refuse_within(other, target, system)
        catalog, where, doubt = find_catalog(damaged, other)
        try:
            directory = system.directory(target, create=True)
            stack.callback(directory.close)
            if directory.list():
                raise DirectoryError(f"{target}: a repair needs an empty or a new directory")
            report = RepairReport(damaged.path, directory.path, where, _log_text(damaged))
            if doubt:
                report.doubts.append(doubt)
            _tell_of_directory(damaged, report)
            _tell_of_others(damaged, catalog, report)
            _write(damaged, directory, system, catalog, report, progress or _silent)
        except OSError as error:
            raise DirectoryError(f"cannot repair {source} into {target}: {error}") from error
    return report


def _silent(_table: str, _done: int, _total: int) -> None:
    return None


def _refuse_within(source: Source, target: str, system: System) -> None:
    """ValidationError if ``target`` is the source, or would be made in it."""
    path = target if target.startswith("/") else f"./{target}"
    while path:
        try:
            directory = system.directory(path, create=False)
        except OSError:
            path = path.rstrip("/").rpartition("/")[0]
            continue
        try:
            inside = f"{directory.path}/".startswith(f"{source.path}/")
            if inside or directory.identity == source.directory.identity:
                raise ValidationError("a repair never writes into the directory that it reads")
            return
        finally:
            directory.close()


def _refuse_empty(source: Source) -> None:
    if not source.files.names() and not source.files.unreadable:
        raise DirectoryError(
            f"{source.path}: not a Bazanite directory, or nothing is left of it: no data file"
        )


def _log_text(source: Source) -> str:
    log = source.log
    counts = f"{len(log.frames)} whole frames, {len(log.pending)} of them not yet in the files"
    return f"{counts}; {log.detail}" if log.detail else counts


def _tell_of_directory(source: Source, report: RepairReport) -> None:
    log = source.log
    if log.detail:
        report.damaged.append(LOG_NAME)
    if log.lost:
        report.doubts.append(
            f"{log.detail}: changes that stood only there are lost, in rows that nothing tells"
        )
    if log.unsafe:
        report.doubts.append(
            'the directory was in use with durability="off": after a power cut its rows may be any'
            " mixture of old and new ones"
        )
    for name, why in source.files.unreadable.items():
        report.doubts.append(f"{name} cannot be read: {why}")


def _tell_of_others(source: Source, catalog: Catalog, report: RepairReport) -> None:
    """Files of tables that the catalog does not have: perhaps it is an older one."""
    known = {CATALOG_NAME, COPY_NAME}
    for name, spec in catalog.tables.items():
        known.update(spec.files("", name), [TableFiles("", name).sums])
    for name in source.files.names():
        if name not in known and source.view.size(name):
            report.doubts.append(f"{name} is not empty, and of no table of the catalog: not saved")


def _write(
    source: Source, directory: Directory, system: System, catalog: Catalog,
    report: RepairReport, progress: Progress,
) -> None:  # fmt: skip
    writes = FileWrites(directory)
    quarantine = Quarantine(directory)
    try:
        directory.create(CATALOG_NAME, new=True).close()  # of two repairs at once one ends here
        write_catalog(writes, catalog, copy=False)
        directory.sync()
        writes.files.create([COPY_NAME])
        specs: dict[str, TableSpec] = {}
        for name, spec in catalog.tables.items():
            names = spec.files("", name)
            names += [TableFiles("", name).sums] if spec.checksums else []
            writes.files.create(names)
            specs[name] = _table(source, writes, catalog, name, report, quarantine, progress)
        write_catalog(writes, replace(catalog, tables=specs))
        quarantine.finish()
        report.quarantined = quarantine.count
        writes.files.sync_all()
        directory.sync()
        read_catalog(writes)
    finally:
        writes.files.close()
    create_log(directory, system, StoreOptions().file_size)


def _table(
    source: Source, writes: FileWrites, catalog: Catalog, name: str,
    report: RepairReport, quarantine: Quarantine, progress: Progress,
) -> TableSpec:  # fmt: skip
    """Survey one table, and write what is to be saved of it."""
    spec = catalog.tables[name]
    counts = report.tables[name] = TableRepair(checksums=spec.checksums)
    reader = SlotReader(source, name, spec, catalog.int_width)
    _tell_of_missing(reader, report)
    last_id = _last_id(reader, report)
    done = 0

    def tell(count: int) -> None:
        nonlocal done
        done += count
        progress(name, done, 2 * reader.count)

    survey = Survey(reader, report, quarantine, tell)
    survey.run(last_id)
    writer = TableWriter(writes, name, spec, catalog.int_width)
    for number, slot in survey.slots():
        row_id = survey.ids[number]
        counts.deleted += row_id == 0
        if row_id <= 0:
            continue
        longs = [(long.start, value_bytes(reader.files, long)) for long in slot.longs]
        writer.put(number, row_id, slot.raw, longs)
        counts.saved += 1
        counts.from_log += slot.from_log
        reasons = survey.doubts.get(number, [])
        if any(long.offset in survey.twice_referred for long in slot.longs) and not slot.proven:
            reasons = [*reasons, "another row refers to the same long value"]
        if reasons:
            report.doubt(InDoubt(name, row_id, number, "; ".join(dict.fromkeys(reasons))))
        if slot.other is not None:
            quarantine.put(
                name, reader.files.rows, number * reader.size, slot.other,
                "another version of this row", slot=number, id=row_id,
                fields=reader.readable(slot.other),
            )  # fmt: skip
    new_spec, left_out = writer.finish(last_id or 0)
    report.left_out += left_out
    report.rebuilt += [n for n in new_spec.files("", name) if n != reader.files.rows]
    report.rebuilt += [reader.files.sums] if spec.checksums else []
    return new_spec


def _tell_of_missing(reader: SlotReader, report: RepairReport) -> None:
    there = reader.source.files.names()
    names = reader.spec.files("", reader.files.table)
    names += [reader.files.sums] if reader.spec.checksums else []
    for name in names:
        if name not in there:
            report.damage(f"{name} is missing")
    if not reader.proofs:
        return
    proof: Proof = reader.proofs[0]
    for name in names[:-1]:
        size, found = proof.size(name), reader.views[0].size(name)
        if size is not None and size != found:
            report.damage(f"{name} has {found} bytes, and {size} by its checksums")


def _last_id(reader: SlotReader, report: RepairReport) -> int | None:
    """The last automatic id, if it can be told."""
    for view in reader.views:
        try:
            last = read_sequence(view, reader.files)
        except CorruptionError:
            continue
        if last < 10**reader.layout.int_width - 1:
            return last
    report.damage(f"{reader.files.sequence} is no number that could be the last id")
    return None
