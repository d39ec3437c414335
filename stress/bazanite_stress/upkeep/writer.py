"""A process that writes until it is killed, and says behind each commit which one it was."""

from __future__ import annotations

import os
import traceback
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
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
    while True:
        with DB.open(order.directory) as db, suppress(SchemaMismatch):
            # Once somebody migrated nothing is done: open it again.
            row = db.find_by_id("progress", order.writer)
            assert row is not None
            for number in count(row["calls"] + 1):
                lsn = deeds.do(db, number)
                os.write(journal, b"%d %d\n" % (number, lsn))
