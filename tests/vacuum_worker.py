"""A process that vacuums in tiny steps and kills itself in one, or that writes or reads meanwhile.

python vacuum_worker.py DIR vacuum SEED     dies by SIGKILL, or ends if nothing is left to do
python vacuum_worker.py DIR write SEED      prints its rows as they are at the end
python vacuum_worker.py DIR read SEED       the rows that nobody changes are there each time
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from random import Random
from typing import Any

import pytest

from bazanite import DB, EQ
from bazanite.vacuum import Vacuum
from vacuum_support import Notes, tiny_steps

STEADY = 30
"""So many rows are there from the beginning, and nobody changes them."""
WRITES, READS = 120, 25


def opened(path: str) -> DB:
    return DB([Notes], path, durability="off", log_size_bytes=64 << 10)


def vacuum(path: str, random: Random) -> None:
    """Die in one of the next steps: before its frame, or behind it."""
    doomed, late, steps = random.randrange(25), random.random() < 0.5, 0
    step = Vacuum._step

    def die_in_time(*, now: bool) -> None:
        if steps == doomed and now:
            os.kill(os.getpid(), signal.SIGKILL)

    @contextmanager
    def stepped(self: Vacuum) -> Iterator[Any]:
        nonlocal steps
        with step(self) as given:
            yield given
            die_in_time(now=not late)
        die_in_time(now=late)
        steps += 1

    with pytest.MonkeyPatch.context() as patch:
        tiny_steps(patch)
        patch.setattr(Vacuum, "_step", stepped)
        db = opened(path)
        db.vacuum("notes")
        db.close()


def write(path: str, random: Random) -> None:
    """Insert, change and delete rows of its own."""
    own: dict[int, dict[str, Any]] = {}
    with opened(path) as db:
        for number in range(WRITES):
            pk = random.choice(sorted(own)) if own else 0
            kind = random.choice(["insert", "update", "delete"])
            if kind == "insert" or not pk:
                row = db.insert("notes", {"title": f"n{number}", "body": ["x" * number]})
                own[row["id"]] = dict(row)
            elif kind == "update":
                text = "#" * random.randrange(60)
                own[pk] = dict(db.update_by_id("notes", pk, {"title": text, "kind": number}))
            else:
                db.delete_by_id("notes", pk)
                del own[pk]
    sys.stdout.write(json.dumps(list(own.values())))


def read(path: str, _random: Random) -> None:
    """All ways to a row lead to those that stay."""
    with opened(path) as db:
        ways: list[Callable[[], list[Any]]] = [
            lambda: list(db.iterate("notes")),
            lambda: list(db.iterate("notes", order_by="kind")),
            lambda: db.find_all("notes"),
            lambda: db.find("notes", EQ(mark="5")),
            lambda: [db.find_by_id("notes", pk) for pk in range(1, STEADY + 1)],
        ]
        steady = [row for row in db.find_all("notes") if row["mark"] is not None]
        for _ in range(READS):
            for way in ways:
                found = [row for row in way() if row["mark"] is not None]
                found.sort(key=lambda row: row["id"])
                assert found == [r for r in steady if way is not ways[3] or r["mark"] == "5"]


if __name__ == "__main__":
    {"vacuum": vacuum, "write": write, "read": read}[sys.argv[2]](
        sys.argv[1], Random(int(sys.argv[3]))
    )
