"""Vacuum while a unique index is being built.

The index has the rows of the first slots only, and nobody has looked yet whether the others are
unique.  Vacuum moves rows to the front; once it put them into the index unasked, the builder, who
looks at slots behind those, never saw them, and two equal rows stood in a unique index.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bazanite import INT, AddUnique, Field, Migration, MigrationError, building
from engine_support import opened, sound, table_class

TABLE = table_class("t", Field("n", INT()))
UNIQUE = [Migration(1, "n", [AddUnique("t", "n")])]


class Stopped(Exception):
    """In mid-build."""


@pytest.mark.parametrize("equal", [True, False])
def test_rows_that_vacuum_moves_while_an_index_is_unfinished_are_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, equal: bool
) -> None:
    with opened(tmp_path, TABLE) as db:
        db.insert_many("t", [{"n": n if n < 28 or not equal else 28} for n in range(30)])
        monkeypatch.setattr(building, "SLOTS_AT_ONCE", 10)
        take_some: Callable[..., Any] = building._take_some
        taken: list[Any] = []

        def take_once(*arguments: Any) -> None:
            if taken:
                raise Stopped
            taken.append(take_some(*arguments))

        monkeypatch.setattr(building, "_take_some", take_once)
        with pytest.raises(Stopped):
            db.migrate(UNIQUE)
        monkeypatch.setattr(building, "_take_some", take_some)
        with db.transaction():
            for pk in range(1, 26):
                db.delete_by_id("t", pk)
        rows = db.find_all("t")
        assert db.vacuum("t") > 0
        assert db.find_all("t") == rows
        sound(db)
        if equal:
            with pytest.raises(MigrationError, match="have the same n 28"):
                db.migrate(UNIQUE)
        else:
            assert db.migrate(UNIQUE) == [1]
        sound(db)
