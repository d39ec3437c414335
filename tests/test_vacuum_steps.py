"""A vacuum in many transactions, with others' changes between any two of them."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vacuum_support import (
    Notes,
    Rows,
    between_steps,
    change,
    filled,
    rows_of,
    tiny_steps,
    values_of,
)

from bazanite import DB, EQ, AddIndex, CorruptionError, Migration, SchemaMismatch, building, vacuum
from bazanite.changes import Changes
from bazanite.vacuum_texts import STEP_BYTES
from seam import Seam

SEEDS = st.integers(0, 1 << 32)
OPTIONS: list[dict[str, Any]] = [{}, {"checksums": True}, {"int_width": 6}]


def opened(path: Path | str, **options: Any) -> DB:
    return DB([Notes], path, **{"durability": "off", "log_size_bytes": 64 << 10, **options})


def is_compact(db: DB, path: Path | str) -> bool:
    """Whether no slot and no byte of the text file is unused."""
    files, rows = db.tables["notes"].layout.files, db.find_all("notes")
    report = db.check()
    with db.storage.store.reading() as view:
        size = view.size(files.rows), view.size(files.free)
        texts = view.read(files.text, 0, view.size(files.text))
    offsets, at = [], 0
    while at < len(texts):
        offsets.append(at)
        at += 9 + int(texts[at : at + 9])
    count = sum(row[name] is not None for row in rows for name in ("title", "body", "raw"))
    return (
        size == (len(rows) * db.tables["notes"].row_size, 0)
        and count == len(offsets)
        and (report.problems == [])
    )


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_whatever_is_changed_between_the_steps_the_rows_are_those_of_the_model(
    options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    @settings(max_examples=30, deadline=None)
    @given(seed=SEEDS, busy=st.sampled_from([0.0, 0.3, 1.0, 3.0]), deleted=st.floats(0, 1))
    def check(seed: int, busy: float, deleted: float) -> None:
        random = Random(seed)
        with (
            TemporaryDirectory() as path,
            opened(path, **options) as db,
            DB.open(path, durability="off") as other,
            pytest.MonkeyPatch.context() as patch,
        ):
            model = filled(random, db, 40, deleted)
            steps = 0

            def others() -> None:
                nonlocal steps
                steps += 1
                for _ in range(int(busy + random.random())):
                    change(random, other, model)
                if steps % 4 == 0:
                    assert rows_of(other) == model
                    assert other.check().problems == []

            tiny_steps(patch, random.randint(1, 5), random.randint(1, 5), random.randint(20, 300))
            between_steps(patch, others)
            db.vacuum("notes")
            assert rows_of(db) == model
            assert db.check().problems == []
            patch.undo()
            tiny_steps(patch)
            db.vacuum()
            assert rows_of(db) == model
            assert is_compact(db, path)
            for row in model.values():
                assert row in db.find_by_cond("notes", EQ(title=row["title"]))
            assert db.vacuum() == 0

    check()


def test_without_others_the_rows_keep_their_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    orders: list[list[int]] = []
    with opened(tmp_path) as db:
        filled(Random(1), db, 200, 0.5)
        before = db.find_all("notes")
        tiny_steps(monkeypatch)
        between_steps(
            monkeypatch, lambda: orders.append([row["id"] for row in db.find_all("notes")])
        )
        assert db.vacuum("notes") > 0
        assert len(orders) > 60
        assert all(one == other for one, other in pairwise(orders))
        assert db.find_all("notes") == before
        assert is_compact(db, tmp_path)


@pytest.mark.parametrize("seed", range(4))
def test_another_vacuum_between_the_steps_does_no_harm(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    random, nested = Random(seed), False
    with opened(tmp_path) as db, opened(tmp_path) as other:
        model = filled(random, db, 60, 0.4)

        def others() -> None:
            nonlocal nested
            if nested or random.random() < 0.5:
                return
            nested = True
            what = random.choice(["vacuum", "change", "truncate"])
            if what == "vacuum":
                other.vacuum("notes")
            elif what == "truncate" and random.random() < 0.3:
                other.truncate("notes")
                model.clear()
                for _ in range(30):
                    change(random, other, model)
            else:
                change(random, other, model)
            nested = False

        tiny_steps(monkeypatch)
        between_steps(monkeypatch, others)
        db.vacuum("notes")
        assert rows_of(db) == model
        assert db.check().problems == []


def test_every_frame_of_it_is_told_as_a_vacuum(monkeypatch: pytest.MonkeyPatch) -> None:
    @settings(max_examples=20, deadline=None)
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
                        elif one.op != "vacuum" and one.op != "schema":
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


def test_an_index_that_is_built_meanwhile_has_every_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(building, "SLOTS_AT_ONCE", 5)
    random = Random(3)
    with opened(tmp_path) as db, DB.open(tmp_path, durability="off") as other:
        model = filled(random, db, 80, 0.5)
        tiny_steps(monkeypatch)
        building_now: list[int] = []
        take_some = building._take_some

        def taken(*arguments: Any) -> None:
            take_some(*arguments)
            building_now.append(1)

        built = []

        def vacuum_some() -> None:
            if len(building_now) == 2 and not built:
                built.append(db.vacuum("notes"))

        class Between:
            """A vacuum of another handle when two parts of the index are there."""

        monkeypatch.setattr(building, "_take_some", taken)
        decode = building.decode

        def decoded(*arguments: Any) -> Any:
            return decode(*arguments)

        monkeypatch.setattr(building, "decode", decoded)
        transaction = other.storage.store.transaction

        def opening(**options: Any) -> Any:
            vacuum_some()
            return transaction(**options)

        monkeypatch.setattr(other.storage.store, "transaction", opening)
        assert other.migrate([Migration(1, "by id and kind", [AddIndex("notes", "kind", "mark")])])
        assert built
        assert built[0] > 0
        assert rows_of(other) == model
        assert other.check().problems == []


def test_a_migration_of_the_table_ends_it_and_what_is_done_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(tmp_path) as db, DB.open(tmp_path, durability="off") as other:
        model = filled(Random(5), db, 60, 0.5)
        tiny_steps(monkeypatch)
        steps: list[int] = []

        def others() -> None:
            steps.append(1)
            if len(steps) == 4:
                other.migrate([Migration(1, "no raw", [DropColumnRaw])])

        from bazanite import DropColumn

        DropColumnRaw = DropColumn("notes", "raw")
        between_steps(monkeypatch, others)
        with pytest.raises(SchemaMismatch):
            db.vacuum("notes")
        assert len(steps) == 4
        assert other.check().problems == []
        found = {row["id"]: dict(row) for row in other.find_all("notes")}
        assert found == {
            pk: {name: value for name, value in row.items() if name != "raw"}
            for pk, row in model.items()
        }


def test_writers_that_are_always_faster_end_in_one_transaction(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(tmp_path) as db:
        model = filled(Random(6), db, 60, 0.5)
        tiny_steps(monkeypatch)
        steps: list[int] = []

        def others() -> None:
            steps.append(1)
            row = db.insert("notes", {"title": "more " * 20})
            model[row["id"]] = dict(row)
            assert len(steps) < 2000

        between_steps(monkeypatch, others)
        assert db.vacuum("notes") > 0
        assert rows_of(db) == model
        monkeypatch.undo()
        assert db.vacuum("notes") == 0
        assert db.check().problems == []


def test_a_table_without_holes_is_looked_at_and_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(tmp_path) as db:
        random = Random(7)
        db.insert_many("notes", [{**values_of(random), "mark": None} for _ in range(50)])
        tiny_steps(monkeypatch)
        end = db.stats()["end_lsn"]
        assert db.vacuum() == 0
        assert db.stats()["end_lsn"] == end


def test_it_tells_how_far_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[str, int, int]] = []
    with opened(tmp_path) as db:
        filled(Random(8), db, 100, 0.5)
        tiny_steps(monkeypatch)
        db.vacuum(progress=lambda *what: told.append(what))
    assert {name for name, _, _ in told} == {"notes"}
    assert all(0 <= done <= of for _, done, of in told)
    assert told[-1][1] == told[-1][2]
    assert sorted(done for _, done, _ in told) == [done for _, done, _ in told]


@pytest.mark.parametrize("file", ["notes__free.dat", "notes__id.idx.dat", "notes.dat"])
def test_files_that_do_not_agree_are_told_and_nothing_is_moved(
    file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(tmp_path) as db:
        filled(Random(9), db, 40, 0.5)
    data = bytearray((tmp_path / file).read_bytes())
    if file == "notes__free.dat":
        data[0:9] = data[9:18]  # a slot twice
    elif file == "notes__id.idx.dat":
        place = max(at for at in range(0, len(data), 9) if data[at : at + 1].isdigit())
        data[place : place + 9] = b"1".ljust(9)
    else:
        size = len(data) // (data.count(b"\n"))
        slot = max(at for at in range(0, len(data), size) if data[at : at + 1] != b"*")
        data[slot : slot + size] = b"*" * (size - 1) + b"\n"  # and not on the free stack
    (tmp_path / file).write_bytes(bytes(data))
    tiny_steps(monkeypatch, rows=100)
    with opened(tmp_path) as db:
        before = (tmp_path / "notes.dat").read_bytes()
        with pytest.raises(CorruptionError):
            db.vacuum("notes")
        db.checkpoint()
        assert (tmp_path / "notes.dat").read_bytes() == before


def test_a_large_table_takes_steps_and_a_small_one_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[int] = []
    between_steps(monkeypatch, lambda: steps.append(1))
    with opened(tmp_path, log_size_bytes=4 << 20) as db:
        ids = db.insert_ids("notes", [{"title": "x" * 100} for _ in range(200)])
        for pk in ids[::2]:
            db.delete_by_id("notes", pk)
        assert db.vacuum("notes") > 100 * 100
        assert len(steps) == 1
        db.insert_ids("notes", [{"title": "x" * 3000} for _ in range(2000)])
        assert vacuum.SMALL_BYTES < 3 * STEP_BYTES < 2000 * 3000
        for pk in range(1000, 2000):
            db.delete_by_id("notes", pk)
        steps.clear()
        assert db.vacuum("notes") > 1000 * 3000
        assert 5 < len(steps) < 30
        assert db.check().problems == []
