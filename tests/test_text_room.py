"""A long value that is changed keeps its place in the text file where there is room for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bazanite import DB, JSON, PK, TEXT, Field, Schema, Table


class Notes(Table):
    name = "notes"
    schema = Schema([Field("id", PK()), Field("a", TEXT(null=True)), Field("b", JSON(null=True))])


def text_of(directory: Path) -> bytes:
    return (directory / "notes.text.dat").read_bytes()


def number(value: int) -> bytes:
    return b"%-9d" % value


def test_a_value_that_shrinks_leaves_hashes_and_grows_into_them_again(tmp_path: Path) -> None:
    with DB([Notes], str(tmp_path)) as db:
        db.insert("notes", {"a": "1234567890", "b": [1]})
        second = number(3) + b"[1]"
        for value, bytes_of_a in [
            ("12345", number(5) + b"12345#####"),
            ("", number(0) + b"##########"),
            ("1#######9#", number(10) + b"1#######9#"),
            ("#", number(1) + b"##########"),
            ("żó", number(4) + "żó######".encode()),
        ]:
            assert db.update_by_id("notes", 1, {"a": value})["a"] == value
            assert text_of(tmp_path) == bytes_of_a + second
        row = db.update_by_id("notes", 1, {"a": "12345678901"})
        assert text_of(tmp_path) == b"#" * 19 + second + number(11) + b"12345678901"
        assert row == db.find_by_id("notes", 1) == {"id": 1, "a": "12345678901", "b": [1]}
        assert db.check().problems == []


def test_a_value_grows_into_a_deleted_one_behind_it_and_no_farther(tmp_path: Path) -> None:
    with DB([Notes], str(tmp_path)) as db:
        for text in ("one", "two", "####"):
            db.insert("notes", {"a": text})
        db.delete_by_id("notes", 2)
        db.update_by_id("notes", 1, {"a": "one and 12 more"})
        third = number(4) + b"####"
        assert text_of(tmp_path) == number(15) + b"one and 12 more" + third
        db.update_by_id("notes", 1, {"a": "one and 12 more!"})
        db.update_by_id("notes", 3, {"a": "#####"})
        assert text_of(tmp_path) == (
            b"#" * 37 + number(16) + b"one and 12 more!" + number(5) + b"#####"
        )
        assert [row["a"] for row in db.find_all("notes")] == ["one and 12 more!", "#####"]
        assert db.check().problems == []


def test_a_rolled_back_change_leaves_every_byte(tmp_path: Path) -> None:
    with DB([Notes], str(tmp_path)) as db:
        db.insert("notes", {"a": "1234567890", "b": {"a": 1}})
        before = text_of(tmp_path)
        with pytest.raises(LookupError), db.transaction():
            db.update_by_id("notes", 1, {"a": "123", "b": {}})
            assert db.update_by_id("notes", 1, {"a": "12345"})["a"] == "12345"
            raise LookupError
        assert text_of(tmp_path) == before
        assert db.find_by_id("notes", 1) == {"id": 1, "a": "1234567890", "b": {"a": 1}}


TEXTS = st.none() | st.text("#1 0", max_size=30)
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["insert", "update", "update", "update", "delete"]),
        st.integers(0, 5),
        st.fixed_dictionaries({}, optional={"a": TEXTS, "b": st.none() | st.lists(TEXTS)}),
    ),
    max_size=25,
)


@given(steps=STEPS, checksums=st.booleans())
def test_whatever_is_changed_every_value_is_whole_and_alone_in_its_place(
    steps: list[tuple[str, int, dict[str, Any]]],
    checksums: bool,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    directory = tmp_path_factory.mktemp("db")
    rows: dict[int, dict[str, Any]] = {}
    with DB([Notes], str(directory), durability="off", checksums=checksums) as db:
        for step, place, values in steps:
            if step == "insert" or not rows:
                row = db.insert("notes", values)
                rows[row["id"]] = {"a": None, "b": None, **values}
                continue
            pk = sorted(rows)[place % len(rows)]
            if step == "update":
                rows[pk] |= values
                assert db.update_by_id("notes", pk, values) == {"id": pk, **rows[pk]}
            else:
                del rows[pk]
                db.delete_by_id("notes", pk)
        found = {row.pop("id"): row for row in db.find_all("notes")}
        assert found == rows
        report = db.check()
    assert (report.problems, report.notes) == ([], [])


@pytest.mark.parametrize("value", [["x" * 50], "y" * 52])
def test_changes_of_the_same_size_do_not_make_the_file_grow(tmp_path: Path, value: Any) -> None:
    with DB([Notes], str(tmp_path), durability="off") as db:
        db.insert_many("notes", [{"b": ["start" * 10]}] * 3)
        size = len(text_of(tmp_path))
        for _ in range(20):
            for pk in (1, 2, 3):
                db.update_by_id("notes", pk, {"b": value})
                db.update_by_id("notes", pk, {"b": [pk]})
        db.update_by_id("notes", 2, {"b": value})
        assert len(text_of(tmp_path)) == size
