"""Constraints as a program meets them: what is refused, what goes with a delete, what stays.

A refused call changes no byte and uses up no id, wherever it stands.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bazanite import (
    CHAR,
    DB,
    FK,
    INT,
    TEXT,
    AddIndex,
    AddUnique,
    Field,
    IntegrityError,
    Migration,
    SchemaMismatch,
    SetOnDelete,
    Table,
    deleting,
)
from engine_support import keyed, opened, refused, sound, table_class

TOP = keyed("top", Field("name", CHAR(4, unique=True)))


def below(name: str, target: str, action: str, *, index: bool) -> type[Table]:
    kind = FK(target, null=True, on_delete=action, index=index)
    return keyed(name, Field("r", kind), Field("note", TEXT(null=True, index=index)))


INDEXED = pytest.mark.parametrize("index", [False, True], ids=["plain", "indexed"])


@INDEXED
@pytest.mark.parametrize("checksums", [False, True])
def test_each_on_delete_does_what_it_says(tmp_path: Path, index: bool, checksums: bool) -> None:
    tables = [
        TOP,
        *(below(a, "top", a, index=index) for a in ("restrict", "cascade", "set_null", "keep")),
    ]
    with DB(tables, tmp_path, durability="off", checksums=checksums) as db:
        db.insert_many("top", [{"name": f"n{i}"} for i in range(5)])
        for name in ("cascade", "set_null", "keep"):
            db.insert_many(name, [{"r": 1 + i % 2, "note": f"{name} {i}"} for i in range(6)])
        db.insert("restrict", {"r": 3})
        error = refused(db, tmp_path, lambda: db.delete_by_id("top", 3), IntegrityError)
        assert (error.table, error.columns, error.ids) == ("restrict", ("r",), (1,))
        db.delete_by_id("top", 1)
        assert [row["r"] for row in db.find_all("cascade")] == [2, 2, 2]
        assert [row["r"] for row in db.find_all("set_null")] == [None, 2] * 3
        assert [row["note"] for row in db.find_all("set_null")] == [
            f"set_null {i}" for i in range(6)
        ]
        assert [row["r"] for row in db.find_all("keep")] == [1, 2] * 3
        assert db.check().notes == [
            "keep.r: 3 rows refer to a row that does not exist (any more), the first has id 1"
        ]
        db.delete_by_id("restrict", 1)
        db.delete_by_id("top", 3)
        sound(db)


@INDEXED
def test_a_chain_a_diamond_and_a_cycle_are_followed_to_their_end(
    tmp_path: Path, index: bool
) -> None:
    def node(name: str, **targets: str) -> type[Table]:
        fields = [
            Field(n, FK(t, null=True, on_delete="cascade", index=index)) for n, t in targets.items()
        ]
        return keyed(name, *fields)

    tables = [node("a", c="c"), node("b", a="a"), node("c", a="a", b="b"), node("d", b="b", c="c")]
    with opened(tmp_path, *tables) as db:
        for name in "abcd":
            db.insert_many(name, [{}, {}])
        for pk in (1, 2):
            db.update_by_id("a", pk, {"c": pk})
            db.update_by_id("b", pk, {"a": pk})
            db.update_by_id("c", pk, {"a": pk, "b": pk})
            db.update_by_id("d", pk, {"b": pk, "c": pk})
        db.delete_by_id("d", 2)
        db.delete_by_id("b", 1)
        assert [[row["id"] for row in db.find_all(n)] for n in "abcd"] == [[2], [2], [2], []]
        sound(db)


@INDEXED
def test_a_restricting_row_that_goes_itself_is_in_nobodys_way(tmp_path: Path, index: bool) -> None:
    people = keyed(
        "people", Field("boss", FK("people", null=True, on_delete="cascade", index=index))
    )
    keys = keyed(
        "keys",
        Field("owner", FK("people", on_delete="restrict", index=index)),
        Field("house", FK("houses", on_delete="cascade", index=index)),
    )
    houses = keyed("houses", Field("of", FK("people", on_delete="cascade", index=index)))
    with opened(tmp_path, people, keys, houses) as db:
        db.insert_many("people", [{}, {"boss": 1}])
        db.insert_many("people", [{"boss": 2}, {}])
        db.insert("houses", {"of": 3})
        db.insert_many("keys", [{"owner": 1, "house": 1}, {"owner": 3, "house": 1}])
        db.delete_by_id("people", 1)
        assert [row["id"] for row in db.find_all("people")] == [4]
        assert db.find_all("keys") == db.find_all("houses") == []
        db.insert("houses", {"of": 4})
        db.insert("keys", {"owner": 4, "house": 2})
        db.delete_by_id("houses", 2)
        db.insert("houses", {"of": 4})
        other = db.insert("people", {"boss": 4})
        db.insert("keys", {"owner": other["id"], "house": 3})
        db.update_by_id("people", 4, {"boss": other["id"]})  # a cycle of two
        db.delete_by_id("people", other["id"])
        assert not db.find_all("people")
        sound(db)


def test_a_long_chain_without_an_index_costs_two_readings_of_the_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    readings: list[object] = []
    for name in ("referring", "links"):
        found = getattr(deleting, name)

        def counted(*arguments: Any, found: Callable[..., Any] = found) -> Any:
            readings.append(found)
            return found(*arguments)

        monkeypatch.setattr(deleting, name, counted)
    table = keyed("t", Field("r", FK("t", null=True, on_delete="cascade")))
    with opened(tmp_path, table) as db:
        db.insert_many("t", [{}] * 100)
        with db.transaction():
            for pk in range(2, 100):
                db.update_by_id("t", pk, {"r": pk - 1})
        db.delete_by_id("t", 3)
        assert [row["id"] for row in db.find_all("t")] == [1, 2, 100]
        assert len(readings) == 2
        sound(db)


def test_a_row_that_refers_to_itself_can_go_under_every_action(tmp_path: Path) -> None:
    for action in ("restrict", "cascade", "set_null", "keep"):
        table = keyed(action, Field("r", FK(action, null=True, on_delete=action, unique=True)))
        with opened(tmp_path, table) as db:
            db.insert(action, {})
            db.update_by_id(action, 1, {"r": 1})
            db.delete_by_id(action, 1)
            assert db.find_all(action) == []
            sound(db)


def test_many_rows_in_the_way_are_all_in_the_error_and_ten_in_its_text(tmp_path: Path) -> None:
    with opened(tmp_path, TOP, below("low", "top", "restrict", index=False)) as db:
        db.insert("top", {"name": "x"})
        db.insert_many("low", [{"r": 1}] * 12)
        error = refused(db, tmp_path, lambda: db.delete_by_id("top", 1), IntegrityError)
        assert error.ids == tuple(range(1, 13))
        assert str(error).endswith("rows with id 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, ...")


@INDEXED
def test_an_id_that_rows_refer_to_stays_unless_they_keep_it(tmp_path: Path, index: bool) -> None:
    for action in ("restrict", "cascade", "set_null"):
        low = below(action, "top", action, index=index)
        with opened(tmp_path / action, TOP, low) as db:
            db.insert_many("top", [{"name": "x"}, {"name": "y"}])
            db.insert(action, {"r": 1})
            error = refused(
                db, tmp_path / action, lambda: db.update_by_id("top", 1, {"id": 9}), IntegrityError
            )
            assert (error.table, error.ids) == (action, (1,))
            assert db.update_by_id("top", 2, {"id": 9})["id"] == 9
            assert db.update_by_id("top", 1, {"id": 1, "name": "z"})["name"] == "z"
    with opened(tmp_path / "keep", TOP, below("low", "top", "keep", index=index)) as db:
        db.insert("top", {"name": "x"})
        db.insert("low", {"r": 1})
        db.update_by_id("top", 1, {"id": 9})
        assert db.find_by_id("low", 1) == {"id": 1, "r": 1, "note": None}
        sound(db)


@INDEXED
def test_tables_that_a_handle_did_not_open_are_looked_after_too(
    tmp_path: Path, index: bool
) -> None:
    lows = [below(a, "top", a, index=index) for a in ("cascade", "set_null", "restrict")]
    with opened(tmp_path, TOP, *lows) as db:
        db.insert_many("top", [{"name": "a"}, {"name": "b"}])
        db.insert("cascade", {"r": 1, "note": "gone"})
        db.insert("set_null", {"r": 1, "note": "stays"})
        db.insert("restrict", {"r": 2})
    with opened(tmp_path, TOP) as db:
        db.delete_by_id("top", 1)
        assert refused(db, tmp_path, lambda: db.delete_by_id("top", 2), IntegrityError).ids == (1,)
        assert refused(db, tmp_path, lambda: db.truncate("top"), ValueError)
        sound(db)
    with opened(tmp_path, TOP, *lows) as db:
        assert db.find_all("cascade") == []
        assert db.find_all("set_null") == [{"id": 1, "r": None, "note": "stays"}]


@pytest.mark.parametrize("checksums", [False, True])
def test_truncate_empties_the_indexes_with_the_tables(tmp_path: Path, checksums: bool) -> None:
    low = below("low", "top", "restrict", index=True)
    with DB([TOP, low], tmp_path, durability="off", checksums=checksums) as db:
        for _ in range(2):
            db.insert_many("top", [{"name": f"{i}"} for i in range(300)])
            db.insert_many("low", [{"r": 1 + i, "note": "x" * 100 + str(i)} for i in range(300)])
            refused(db, tmp_path, lambda: db.truncate("top"), ValueError)
            db.truncate("top", cascade=True)
            assert db.find_all("top") == db.find_all("low") == []
            sound(db)
        assert db.insert("top", {"name": "1"})["id"] == 1
        with pytest.raises(RuntimeError), db.transaction():
            db.truncate("top")
            db.insert("top", {"name": "1"})
            raise RuntimeError
        refused(db, tmp_path, lambda: db.insert("top", {"name": "1"}), IntegrityError)


def test_set_null_makes_room_for_another_row_with_the_same_key(tmp_path: Path) -> None:
    low = keyed(
        "low", Field("r", FK("top", null=True, on_delete="set_null")), Field("n", INT()),
        unique=[("r", "n")],
    )  # fmt: skip
    with opened(tmp_path, TOP, low) as db:
        db.insert("top", {"name": "a"})
        db.insert("low", {"r": 1, "n": 5})
        db.delete_by_id("top", 1)
        db.insert("top", {"id": 1, "name": "a"})
        db.insert("low", {"r": 1, "n": 5})
        refused(db, tmp_path, lambda: db.update_by_id("low", 1, {"r": 1}), IntegrityError)
        sound(db)


def test_a_refused_call_leaves_a_transaction_that_can_go_on_and_commit(tmp_path: Path) -> None:
    with opened(tmp_path, TOP, below("low", "top", "restrict", index=True)) as db:
        with db.transaction():
            db.insert("top", {"name": "a"})
            db.insert("low", {"r": 1})
            with pytest.raises(IntegrityError):
                db.delete_by_id("top", 1)
            with pytest.raises(IntegrityError):
                db.insert("top", {"name": "a"})
            try:
                with db.transaction():
                    db.delete_by_id("low", 1)
                    db.delete_by_id("top", 1)  # nobody is in the way within this one
                    assert db.insert("top", {"name": "a"})["id"] == 2
                    db.insert("top", {"name": "a"})
            except IntegrityError:
                pass
            assert db.insert("top", {"name": "b"})["id"] == 2
        assert [row["name"] for row in db.find_all("top")] == ["a", "b"]
        assert db.find_all("low") == [{"id": 1, "r": 1, "note": None}]
        sound(db)


def test_a_handle_of_an_older_class_keeps_what_was_added_since(tmp_path: Path) -> None:
    plain = table_class("t", Field("n", INT()), Field("c", TEXT(null=True)))
    low = keyed("low", Field("r", FK("t", on_delete="keep")))
    loose = keyed("low", Field("r", FK("t")))
    with opened(tmp_path, plain, low) as newer, opened(tmp_path, plain, loose) as older:
        older.insert_many("t", [{"n": n} for n in range(10)])
        older.insert("low", {"r": 5})
        newer.migrate([Migration(1, "n", [AddUnique("t", "n"), AddIndex("t", ["c", "n"])])])
        refused(older, tmp_path, lambda: older.insert("t", {"n": 3}), IntegrityError)
        older.insert_many("t", [{"n": 100 + n, "c": "x" * 80} for n in range(50)])
        older.update_by_id("t", 1, {"n": 77, "c": "y"})
        older.delete_by_id("t", 5)  # "keep"
        newer.update_by_id("low", 1, {"r": 2})
        newer.migrate(
            [
                Migration(1, "n", [AddUnique("t", "n"), AddIndex("t", ["c", "n"])]),
                Migration(2, "r", [SetOnDelete("low", "r", "restrict")]),
            ]
        )
        sound(newer)
        older.insert("low", {"r": 2})
        error = refused(older, tmp_path, lambda: older.delete_by_id("t", 2), IntegrityError)
        assert error.ids == (1, 2)
        with pytest.raises(
            SchemaMismatch, match=r'on_delete="restrict", declared .*="keep"; a migr'
        ):
            opened(tmp_path, plain, low)
