"""A process that writes until it is killed, and says behind each commit which one it was."""

from __future__ import annotations

import os
import traceback
from dataclasses import dataclass
from pathlib import Path

from bazanite import DB, SchemaMismatch

from .deeds import Deeds


@dataclass(frozen=True, slots=True)
class Order:
    """Who is to write what, where, and into which file it says what was acknowledged."""

    directory: str
    journal: str
    seed: str
    writer: int
    packages: int

    @property
    def fault(self) -> str:
        """The file that says what ended the writer, if anything but a kill did."""
        return f"{self.journal}.fault"


def write(order: Order) -> None:
    """Go on behind the last call that was stored, for ever; what ends it is in a file."""
    try:
        _write(order)
    except Exception:  # noqa: BLE001  whatever it is, it is a finding
        Path(order.fault).write_text(traceback.format_exc())
        raise SystemExit(1) from None


def _write(order: Order) -> None:
    deeds = Deeds(order.seed, order.writer, order.packages)
    journal = os.open(order.journal, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    db = DB.open(order.directory)
    number = _calls(db, order.writer)
    while True:
        try:
            lsn = deeds.do(db, number + 1)
        except SchemaMismatch:  # somebody migrated: nothing was done
            db.close()
            db = DB.open(order.directory)
            continue
        number += 1
        os.write(journal, b"%d %d\n" % (number, lsn))


def _calls(db: DB, writer: int) -> int:
    row = db.find_by_id("progress", writer)
    assert row is not None
    calls: int = row["calls"]
    return calls
