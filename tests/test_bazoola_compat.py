"""Bazoola's directories open here, and ours there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import bazanite.bazoola as bazanite
from bazanite import (
    CorruptionError,
    DirectoryError,
    ValidationError,
    adopt,
)
from engine_support import (
    TableA,
    TableB,
    TableF,
    data_bytes,
    foreign_table,
    opened,
    their_db,
    usual_tables,
)

DOCUMENT = Path(__file__).resolve().parent.parent / "docs" / "bazoola.md"


def test_a_directory_written_by_bazoola_opens_here_and_goes_back(tmp_path: Path) -> None:
    theirs = their_db(tmp_path)
    for text in ("foo", "bar", "baz"):
        theirs.insert("a", {"text": text})
    theirs.insert("a", {"id": 40, "text": "ñ"})
    theirs.insert("b", {"a_id": 2})
    theirs.delete_by_id("a", 1)
    rows = theirs.find_all("a")
    theirs.close()
    before = data_bytes(tmp_path)

    with opened(tmp_path, *usual_tables(bazanite)) as ours:
        assert ours.tables["a"].layout.int_width == 6
        assert ours.find_all("a") == rows
        assert ours.find_by_id("b", 1) == {"id": 1, "text": None, "a_id": 2, "n": None}
        assert ours.check().ok
        after = data_bytes(tmp_path)
        assert after.pop("schema.json")
        assert after.pop("schema.copy.dat")
        assert after == before
        assert ours.insert("a", {"text": "new"})["id"] == 4

    theirs = their_db(tmp_path)
    assert theirs.find_all("a") == [{"id": 4, "text": "new"}, *rows]
    assert theirs.insert("a", {"text": "more"})["id"] == 5
    theirs.close()
    with opened(tmp_path, *usual_tables(bazanite)) as ours:
        assert len(ours.find_all("a")) == 5


def test_a_directory_written_here_with_six_bytes_opens_in_bazoola(tmp_path: Path) -> None:
    with opened(tmp_path, *usual_tables(bazanite), int_width=6) as ours:
        ours.insert_many("a", [{"text": "x"}, {"text": "y"}])
        ours.insert("b", {"a_id": 1, "n": -3})
        ours.delete_by_id("a", 2)
    theirs = their_db(tmp_path)
    assert theirs.find_all("a") == [{"id": 1, "text": "x"}]
    assert theirs.find_by_id("b", 1) == {"id": 1, "text": None, "a_id": 1, "n": -3}
    assert theirs.insert("a", {"text": "z"})["id"] == 3
    theirs.close()


NINE = {
    "a.dat": b"1        foo  \n**************\n3        baz  \n",
    "a__id.idx.dat": b"0        #########2        ",
    "a__free.dat": b"1        ",
    "a__seqnum.dat": b"3",
}
TEXTS = {
    "f.dat": b"1        25       \n2        12       \n",
    "f.text.dat": b"############4        eggs5        foo_1",
    "f__id.idx.dat": b"0        1        ",
    "f__free.dat": b"",
    "f__seqnum.dat": b"2",
}


def put(path: Path, files: dict[str, bytes]) -> None:
    for name, data in files.items():
        (path / name).write_bytes(data)


def test_integers_of_nine_bytes_and_texts_are_recognised(tmp_path: Path) -> None:
    put(tmp_path, NINE | TEXTS)
    with opened(tmp_path, TableA, TableF) as db:
        assert db.tables["a"].row_size == 15
        assert [row["text"] for row in db.find_all("a")] == ["foo", "baz"]
        assert [row["text"] for row in db.find_all("f")] == ["foo_1", "eggs"]
        assert db.insert("a", {"text": "x"})["id"] == 4
    assert (tmp_path / "a.dat").read_bytes() == b"1        foo  \n4        x    \n3        baz  \n"


def test_a_table_may_be_adopted_later_than_the_others(tmp_path: Path) -> None:
    put(tmp_path, NINE | TEXTS)
    opened(tmp_path, TableA).close()
    with opened(tmp_path, TableF) as db:
        assert db.find_by_id("f", 1) == {"id": 1, "text": "foo_1"}


def test_one_width_holds_for_all_tables_of_a_directory(tmp_path: Path) -> None:
    put(tmp_path, NINE)
    opened(tmp_path, TableA).close()
    (tmp_path / "b.dat").write_bytes(b"1     x    1     \n")
    put(tmp_path, {"b__id.idx.dat": b"0     ", "b__free.dat": b"", "b__seqnum.dat": b"1"})
    with pytest.raises(CorruptionError, match=r"b\.dat"):
        opened(tmp_path, TableB)


def test_the_width_can_be_said_and_a_wrong_one_is_refused(tmp_path: Path) -> None:
    put(tmp_path, NINE)
    with pytest.raises(CorruptionError, match=r"a\.dat"):
        opened(tmp_path, TableA, int_width=6)
    assert data_bytes(tmp_path) == NINE
    opened(tmp_path, TableA, int_width=9).close()


def test_newlines_alone_do_not_make_rows(tmp_path: Path) -> None:
    """Deleted rows only, and newlines where rows of several widths would have them."""
    table = foreign_table(
        bazanite, "t", ("s", bazanite.CHAR(11)), ("id", None), ("n", bazanite.INT())
    )
    files = {
        "t.dat": b"".join(b"*" * size + b"\n" for size in (23, 5, 17, 11, 11, 17, 5, 23)),
        "t__id.idx.dat": b"#" * 18,
        "t__free.dat": b"",
        "t__seqnum.dat": b"2",
    }
    assert len(files["t.dat"]) == 120
    put(tmp_path, files)
    with pytest.raises(CorruptionError, match="a deleted slot"):
        opened(tmp_path, table)  # no width makes sense of it: stars alone fill a deleted slot
    assert data_bytes(tmp_path) == files


def test_rows_that_fit_both_widths_need_a_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path, NINE)
    with monkeypatch.context() as patch:
        patch.setattr(adopt, "verify", lambda *_: None)  # no such rows are known
        with pytest.raises(ValidationError, match="fit several widths: give int_width="):
            opened(tmp_path, TableA)
    assert data_bytes(tmp_path) == NINE


def test_empty_tables_get_the_width_of_a_new_directory_or_the_one_that_is_said(
    tmp_path: Path,
) -> None:
    for width, name in ((None, "nine"), (6, "six")):
        their_db(tmp_path / name).close()
        with opened(tmp_path / name, *usual_tables(bazanite), int_width=width) as db:
            assert db.tables["a"].layout.int_width == (width or 9)


def test_freed_slots_that_bazoolas_truncate_forgot_are_dropped(tmp_path: Path) -> None:
    theirs = their_db(tmp_path)
    for text in "abcdefghijkl":
        theirs.insert("a", {"text": text})
    theirs.delete_by_id("a", 3)
    theirs.truncate("a")
    theirs.close()
    assert (tmp_path / "a__free.dat").read_bytes() != b""
    assert (tmp_path / "a__seqnum.dat").read_bytes() == b"02"
    with opened(tmp_path, *usual_tables(bazanite), int_width=6) as db:
        assert (tmp_path / "a__free.dat").read_bytes() == b""
        assert db.insert("a", {"text": "x"})["id"] == 3
        assert db.find_all("a") == [{"id": 3, "text": "x"}]
        assert db.check().ok
    assert (tmp_path / "a__seqnum.dat").read_bytes() == b"3"


REFUSED: list[tuple[str, str, bytes, int]] = [
    ("a number that is none", "a.dat", b"1x       foo  \n" + NINE["a.dat"][15:], 0),
    ("a text that is none", "a.dat", b"1        \xffoo  \n" + NINE["a.dat"][15:], 9),
    ("a row without newline", "a.dat", NINE["a.dat"][:44] + b" ", 30),
    ("half a row", "a.dat", NINE["a.dat"] + b"4     ", 45),
    ("a deleted slot that is not all stars", "a.dat", NINE["a.dat"].replace(b"*\n", b"x\n"), 15),
    ("two rows of one id", "a.dat", NINE["a.dat"].replace(b"3  ", b"1  "), 30),
    ("an id of 0", "a.dat", NINE["a.dat"].replace(b"3  ", b"0  "), 30),
    ("an id that the index does not know", "a.dat", NINE["a.dat"].replace(b"3  ", b"4  "), 18),
    ("an index that knows too little", "a__id.idx.dat", b"0        ", 18),
    ("an index that knows too much", "a__id.idx.dat", b"0        1        2        ", 9),
    ("an index that is mistaken", "a__id.idx.dat", b"2        #########0        ", 0),
    ("an index that is no number", "a__id.idx.dat", b"0        #########?        ", 18),
    ("a freed slot that is live", "a__free.dat", b"2        ", 0),
    ("a freed slot that is not there", "a__free.dat", b"1        7        ", 9),
    ("a slot that is freed twice", "a__free.dat", b"1        1        ", 9),
    ("half a freed slot", "a__free.dat", b"1        1  ", 9),
    ("a sequence that is no number", "a__seqnum.dat", b"x", 0),
    ("a sequence that is empty", "a__seqnum.dat", b"", 0),
    ("a text that is not there", "f.dat", b"1        99       \n2        12       \n", 99),
    ("a text that was deleted", "f.dat", b"1        0        \n2        12       \n", 0),
]


@pytest.mark.parametrize(
    "name, data, offset", [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED]
)
def test_a_directory_that_does_not_agree_is_refused_by_file_and_offset_and_not_changed(
    tmp_path: Path, name: str, data: bytes, offset: int
) -> None:
    files = NINE | TEXTS | {name: data}
    put(tmp_path, files)
    with pytest.raises(CorruptionError) as caught:
        opened(tmp_path, TableA, TableF, int_width=9)
    assert caught.value.offset == offset
    expected = {"f.dat": "f.text.dat", "a.dat": "a.dat"}.get(name, name)
    if "index" in caught.value.expected or "slot of the row" in caught.value.expected:
        expected = "a__id.idx.dat"
    assert caught.value.path == f"{tmp_path}/{expected}"
    assert data_bytes(tmp_path) == files


@pytest.mark.parametrize("name", [name for name in TEXTS if name != "f.dat"])
def test_a_missing_file_of_a_bazoola_table_is_named(tmp_path: Path, name: str) -> None:
    put(tmp_path, TEXTS)
    (tmp_path / name).unlink()
    with pytest.raises(DirectoryError, match=re.escape(name)):
        opened(tmp_path, TableF)


def test_without_a_width_the_error_is_the_one_of_the_width_that_fits_furthest(
    tmp_path: Path,
) -> None:
    put(tmp_path, NINE | {"a.dat": NINE["a.dat"][:30] + b"3        \xffaz  \n"})
    with pytest.raises(CorruptionError) as caught:
        opened(tmp_path, TableA)
    assert caught.value.offset == 39
