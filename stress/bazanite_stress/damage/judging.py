"""Whether a repair saved all that was whole, and says so truly, beside the undamaged original.

A row is whole in a damaged copy if every byte of its slot stands in the copy's file of the rows,
and every byte of each long value in its text file.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bazanite import DB, RepairReport
from bazanite.fields import LongType
from bazanite.files import TableFiles
from bazanite.repairing.quarantine import QUARANTINE_NAME
from bazanite.repairing.report import NotSaved, TableRepair

_LENGTH = 9


@dataclass(frozen=True, slots=True)
class Truth:
    """A row as it was: its values, and where all its bytes stood."""

    row: dict[str, Any]
    slot: int
    places: tuple[tuple[str, int, bytes], ...]

    def is_whole(self, path: Path) -> bool:
        """Whether all its bytes are in the files of this directory."""
        return all(_bytes(path / name, at, len(data)) == data for name, at, data in self.places)


Truths = dict[str, dict[int, Truth]]


@dataclass(slots=True)
class Verdict:
    """Counts of rows, and what is wrong with the repair: nothing, if it is right."""

    whole: int = 0
    saved: int = 0
    lost: int = 0
    in_doubt: int = 0
    healed: int = 0
    quarantined: int = 0
    wrong: list[str] = field(default_factory=list)


def _bytes(file: Path, offset: int, size: int) -> bytes:
    if not file.exists():
        return b""
    with file.open("rb") as opened:
        opened.seek(offset)
        return opened.read(size)


def truths(original: Path, scratch: Path) -> Truths:
    """All rows of a sound directory, as opening gives them."""
    shutil.copytree(original, scratch)
    result: Truths = {}
    with DB.open(str(scratch)) as db:
        for name, table in db.tables.items():
            codec = table.layout.codec
            files = TableFiles("", name)
            rows = {row["id"]: row for row in db.find_all(name)}
            data = (scratch / files.rows).read_bytes()
            result[name] = {}
            for slot in range(len(data) // codec.row_size):
                raw = data[slot * codec.row_size : (slot + 1) * codec.row_size]
                if raw[:1] == b"*":
                    continue
                plain = codec.decode(raw, slot)
                places = [(files.rows, slot * codec.row_size, raw)]
                for field_name, kind in table.layout.schema.schema:
                    if isinstance(kind, LongType) and plain[field_name] is not None:
                        at = plain[field_name]
                        size = int(_bytes(scratch / files.text, at, _LENGTH))
                        value = _bytes(scratch / files.text, at, _LENGTH + size)
                        places.append((files.text, at, value))
                result[name][plain["id"]] = Truth(dict(rows[plain["id"]]), slot, tuple(places))
    shutil.rmtree(scratch)
    return result


def judge(truth: Truths, damaged: Path, repaired: Path, report: RepairReport) -> Verdict:
    """Compare what was repaired with the truth, and with what the report says."""
    verdict = Verdict(quarantined=report.quarantined)
    with DB.open(str(repaired)) as db:
        verdict.wrong += [f"check: {problem}" for problem in db.check().problems]
        found = {n: {r["id"]: dict(r) for r in db.find_all(n)} for n in db.tables}
    if set(found) != set(truth):
        verdict.wrong.append(f"tables {sorted(found)}")
    for name in sorted(set(truth) & set(found)):
        _judge_table(name, truth[name], damaged, found[name], report, verdict)
    lines = []
    if (repaired / QUARANTINE_NAME).exists():
        text = (repaired / QUARANTINE_NAME).read_text("utf-8")
        lines = [json.loads(line) for line in text.splitlines()]
    if len(lines) != report.quarantined:
        verdict.wrong.append(f"{len(lines)} lines in quarantine, told {report.quarantined}")
    return verdict


def _judge_table(
    name: str, truth: dict[int, Truth], damaged: Path, found: dict[int, dict[str, Any]],
    report: RepairReport, verdict: Verdict,
) -> None:  # fmt: skip
    counts = report.tables[name]
    doubted = {row.id for row in report.in_doubt if row.table == name}
    named = [row for row in report.not_saved if row.table == name]
    verdict.saved += len(found)
    verdict.lost += len(named)
    verdict.in_doubt += len(doubted)
    verdict.healed += counts.from_log
    whole = {pk for pk, row in truth.items() if row.is_whole(damaged)}
    verdict.whole += len(whole)
    log_lost = any("changes that stood only there" in doubt for doubt in report.doubts)
    told: list[str] = []
    if counts.saved != len(found):
        told.append(f"{len(found)} rows, told {counts.saved}")
    if (counts.not_saved, counts.in_doubt) != (len(named), len(doubted)):
        told.append("the counts are not those of the lists")
    for row in named:
        if row.id in found:
            told.append(f"{row}, and was saved")
        if row.certain and row.id not in truth and not log_lost:
            told.append(f"{row} never was")
    for pk in sorted(whole):
        if found.get(pk) != truth[pk].row:
            where = f"row {pk} in slot {truth[pk].slot}"
            told.append(f"{where} is whole, and was saved as {found.get(pk)}")
    told += _untold(truth, found, whole, named, doubted, counts, log_lost=log_lost)
    verdict.wrong += [f"{name}: {what}" for what in told]


def _untold(
    truth: dict[int, Truth], found: dict[int, dict[str, Any]], whole: set[int],
    named: list[NotSaved], doubted: set[int], counts: TableRepair, *, log_lost: bool,
) -> Iterator[str]:  # fmt: skip
    """Rows that are not as they were, or not there, or never were, and the report is silent."""
    ids, slots = {row.id for row in named}, {row.slot for row in named}
    for pk in sorted(truth.keys() - whole):
        if pk not in found:
            if pk not in ids and truth[pk].slot not in slots and counts.complete:
                yield f"row {pk} in slot {truth[pk].slot} is lost without a trace"
        elif found[pk] != truth[pk].row and pk not in doubted and counts.checksums and not log_lost:
            yield f"row {pk} was changed, and nothing says so"
    for pk in sorted(found.keys() - truth.keys() - doubted):
        if counts.complete and not log_lost:
            yield f"row {pk} never was, and nothing says so"
