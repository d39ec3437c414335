"""What the log tells of a vacuum in many transactions: that no row was changed."""

from __future__ import annotations

from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bazanite import DB
from bazanite.changes import Changes
from seam import Seam
from vacuum_support import Notes, Rows, between_steps, change, filled, rows_of, tiny_steps

SEEDS = st.integers(0, 1 << 32)


def opened(path: Path | str, **options: Any) -> DB:
    return DB([Notes], path, **{"durability": "off", "log_size_bytes": 64 << 10, **options})


def test_every_frame_of_it_is_told_as_a_vacuum(monkeypatch: pytest.MonkeyPatch) -> None:
    @settings(max_examples=10, deadline=None)
    @given(seed=SEEDS)
    def check(seed: int) -> None:
        random = Random(seed)
        with (
            TemporaryDirectory() as path,
            opened(path, durability="normal", system=Seam(), log_size_bytes=8192) as db,
            pytest.MonkeyPatch.context() as patch,
        ):
            db.archive(1 << 24)
            start = db.stats()["end_lsn"]
            model = filled(random, db, 30, 0.4)
            changed: list[tuple[int, int]] = []

            def others() -> None:
                begin = db.stats()["end_lsn"]
                if random.random() < 0.5:
                    change(random, db, model)
                changed.append((begin, db.stats()["end_lsn"]))

            tiny_steps(patch)
            between_steps(patch, others)
            begin = db.stats()["end_lsn"]
            db.vacuum("notes")
            end = db.stats()["end_lsn"]
            told: Rows = {}
            with Changes(path, start) as changes:
                for commit in changes.read():
                    ops = {change.op for change in commit.changes}
                    if begin < commit.lsn <= end:
                        by_others = any(low < commit.lsn <= high for low, high in changed)
                        assert by_others == ("vacuum" not in ops)
                        assert by_others or ops == {"vacuum"}
                    for one in commit.changes:
                        if one.op == "delete":
                            assert one.id is not None
                            del told[one.id]
                        elif one.op not in ("vacuum", "schema"):
                            assert one.id is not None
                            assert one.row is not None
                            assert (one.op == "update") == (one.id in told)
                            kept = {name: told[one.id][name] for name in one.unchanged}
                            told[one.id] = {**kept, **one.row}
            assert told == model == rows_of(db)

    check()


def test_rows_of_the_same_transaction_are_told_as_they_are_behind_it(tmp_path: Path) -> None:
    with opened(tmp_path, durability="normal", system=Seam()) as db:
        rows = [{"title": f"t{number}", "kind": number} for number in range(8)]
        db.insert_many("notes", rows)
        with db.transaction() as tx:
            db.delete_by_id("notes", 1)
            db.update_by_id("notes", 8, {"kind": 80})
            db.vacuum("notes")
            db.update_by_id("notes", 7, {"title": "seven"})
            db.insert("notes", {"id": 1, "title": "one again"})
        with Changes(tmp_path) as changes:
            *_, commit = changes.read()
        assert commit.lsn == tx.lsn
        told = {(c.op, c.id): c.row for c in commit.changes}
        assert told.keys() == {("vacuum", None), ("update", 1), ("update", 7), ("update", 8)}
        assert told["update", 8] is not None
        assert told["update", 8]["kind"] == 80
        assert told["update", 7] is not None
        assert told["update", 7]["title"] == "seven"
