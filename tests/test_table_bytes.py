"""The bytes of the table files, worked out by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bazanite import DB, NotFoundError, Table, ValidationError
from engine_support import (
    TableA,
    TableB2,
    TableC,
    TableD,
    TableF,
    TableG,
    data_bytes,
    opened,
)

Steps = list[Callable[[DB], object]]


def files(directory: Path, table: str) -> dict[str, bytes]:
    """The table's files, without its name and ".dat"."""
    return {
        name.removeprefix(table).removesuffix(".dat"): data
        for name, data in data_bytes(directory).items()
        if name.removeprefix(table)[:1] in ("_", ".")
    }


def ran(directory: Path, table: type[Table], steps: Steps, int_width: int) -> dict[str, bytes]:
    with opened(directory, table, int_width=int_width) as db:
        for step in steps:
            step(db)
        assert db.check().ok
    return files(directory, table.name)


@pytest.mark.parametrize(
    "table, steps, expected",
    [
        pytest.param(
            TableA,
            [],
            {"": b"", "__id.idx": b"", "__free": b"", "__seqnum": b"0"},
            id="a new table",
        ),
        pytest.param(
            TableA,
            [lambda db: db.insert("a", {"text": "foo"})],
            {
                "": b"1        foo  \n",
                "__id.idx": b"0        ",
                "__free": b"",
                "__seqnum": b"1",
            },
            id="one row",
        ),
        pytest.param(
            TableA,
            [lambda db: db.insert("a", {"text": b"\xc3\xb1\xe2\x82\xac"})],
            {
                "": b"1        \xc3\xb1\xe2\x82\xac\n",
                "__id.idx": b"0        ",
                "__free": b"",
                "__seqnum": b"1",
            },
            id="multi-byte text that fills its field",
        ),
        pytest.param(
            TableD,
            [lambda db: db.insert("d", {})],
            {
                "": b"1        \0\0\0\0\0#########\n",
                "__id.idx": b"0        ",
                "__free": b"",
                "__seqnum": b"1",
            },
            id="nothing but an id",
        ),
        pytest.param(
            TableA,
            [
                lambda db: db.insert("a", {"id": 3, "text": "c"}),
                lambda db: db.insert("a", {"text": "a"}),
            ],
            {
                "": b"3        c    \n1        a    \n",
                "__id.idx": b"1        #########0        ",
                "__free": b"",
                "__seqnum": b"1",
            },
            id="an id of one's own leaves a gap and the sequence alone",
        ),
        pytest.param(
            TableA,
            [
                lambda db: db.insert("a", {"id": 2, "text": "b"}),
                lambda db: db.insert_many("a", [{"text": "a"}, {"text": "c"}]),
            ],
            {
                "": b"2        b    \n1        a    \n3        c    \n",
                "__id.idx": b"1        0        2        ",
                "__free": b"",
                "__seqnum": b"3",
            },
            id="automatic ids skip taken ones",
        ),
        pytest.param(
            TableA,
            [
                lambda db: db.insert_many("a", [{"text": "a"}, {"text": "b"}, {"text": "c"}]),
                lambda db: db.delete_by_id("a", 3),
                lambda db: db.delete_by_id("a", 1),
            ],
            {
                "": b"**************\n2        b    \n**************\n",
                "__id.idx": b"#########1        #########",
                "__free": b"2        0        ",
                "__seqnum": b"3",
            },
            id="deleted rows",
        ),
        pytest.param(
            TableA,
            [
                lambda db: db.insert_many("a", [{"text": "a"}, {"text": "b"}, {"text": "c"}]),
                lambda db: db.delete_by_id("a", 3),
                lambda db: db.delete_by_id("a", 1),
                lambda db: db.insert_many("a", [{"text": "d"}, {"text": "e"}, {"text": "f"}]),
            ],
            {
                "": b"4        d    \n2        b    \n5        e    \n6        f    \n",
                "__id.idx": b"#########1        #########0        2        3        ",
                "__free": b"",
                "__seqnum": b"6",
            },
            id="freed slots are used again, the last one first",
        ),
        pytest.param(
            TableA,
            [
                lambda db: db.insert_many("a", [{"text": "a"}, {"text": "b"}]),
                lambda db: db.update_by_id("a", 1, {"id": 3, "text": "A"}),
            ],
            {
                "": b"3        A    \n2        b    \n",
                "__id.idx": b"#########1        0        ",
                "__free": b"",
                "__seqnum": b"2",
            },
            id="an update that changes the id keeps the slot",
        ),
        pytest.param(
            TableF,
            [
                lambda db: db.insert("f", {"text": "foo"}),
                lambda db: db.insert("f", {"text": "eggs"}),
            ],
            {
                "": b"1        0        \n2        12       \n",
                ".text": b"3        foo4        eggs",
                "__id.idx": b"0        1        ",
                "__free": b"",
                "__seqnum": b"2",
            },
            id="texts",
        ),
        pytest.param(
            TableF,
            [
                lambda db: db.insert_many("f", [{"text": "foo"}, {"text": "eggs"}]),
                lambda db: db.update_by_id("f", 1, {"text": "foo_1"}),
            ],
            {
                "": b"1        25       \n2        12       \n",
                ".text": b"############4        eggs5        foo_1",
                "__id.idx": b"0        1        ",
                "__free": b"",
                "__seqnum": b"2",
            },
            id="a changed text moves to the end",
        ),
        pytest.param(
            TableF,
            [
                lambda db: db.insert_many("f", [{"text": "foo"}, {"text": "ñ"}]),
                lambda db: db.update_by_id("f", 1, {"text": "foo"}),
                lambda db: db.delete_by_id("f", 2),
                lambda db: db.insert("f", {"text": ""}),
            ],
            {
                "": b"1        0        \n3        23       \n",
                ".text": b"3        foo###########0        ",
                "__id.idx": b"0        #########1        ",
                "__free": b"",
                "__seqnum": b"3",
            },
            id="an unchanged text stays, a deleted one is overwritten",
        ),
        pytest.param(
            TableG,
            [
                lambda db: db.insert("g", {"first": "a*", "note": None}),
                lambda db: db.insert("g", {"first": "", "note": "x"}),
                lambda db: db.update_by_id("g", 1, {"note": "yy"}),
                lambda db: db.update_by_id("g", 2, {"note": None}),
            ],
            {
                "": b"a*  1        10       \n    2        #########\n",
                ".text": b"##########2        yy",
                "__id.idx": b"0        1        ",
                "__free": b"",
                "__seqnum": b"2",
            },
            id="a text may be None, and the id need not come first",
        ),
        pytest.param(
            TableF,
            [
                lambda db: db.insert_many("f", [{"text": "foo"}, {"text": "eggs"}]),
                lambda db: db.delete_by_id("f", 1),
                lambda db: db.truncate("f"),
            ],
            {"": b"", ".text": b"", "__id.idx": b"", "__free": b"", "__seqnum": b"0"},
            id="truncate leaves nothing",
        ),
    ],
)
def test_the_files_hold_exactly_these_bytes(
    tmp_path: Path, table: type[Table], steps: Steps, expected: dict[str, bytes]
) -> None:
    assert ran(tmp_path, table, steps, 9) == expected


@pytest.mark.parametrize(
    "table, steps, expected",
    [
        pytest.param(
            TableC,
            [
                lambda db: db.insert("c", {"varchar": "ab", "int": -5}),
                lambda db: db.insert("c", {"id": 4, "varchar": "0123456789", "int": 999_999}),
                lambda db: db.delete_by_id("c", 1),
            ],
            {
                "": b"**********************\n4     0123456789999999\n",
                "__id.idx": b"##################1     ",
                "__free": b"0     ",
                "__seqnum": b"1",
            },
            id="integers",
        ),
        pytest.param(
            TableF,
            [lambda db: db.insert("f", {"text": "foo"})],
            {
                "": b"1     0        \n",
                ".text": b"3        foo",
                "__id.idx": b"0     ",
                "__free": b"",
                "__seqnum": b"1",
            },
            id="a text's offset and length keep their nine bytes",
        ),
    ],
)
def test_a_directory_with_integers_of_six_bytes_holds_these(
    tmp_path: Path, table: type[Table], steps: Steps, expected: dict[str, bytes]
) -> None:
    assert ran(tmp_path, table, steps, 6) == expected


@pytest.mark.parametrize("gap, filled", [(116_508, True), (116_509, False)])
def test_a_gap_in_the_index_below_a_mebibyte_is_filled_and_a_larger_one_is_left_sparse(
    tmp_path: Path, gap: int, filled: bool
) -> None:
    pk = gap + 1
    with opened(tmp_path, TableA) as db:
        db.insert("a", {"id": pk, "text": "x"})
        assert db.find_by_id("a", pk) == {"id": pk, "text": "x"}
        assert db.find_by_id("a", pk - 1) is None
        with pytest.raises(NotFoundError):
            db.delete_by_id("a", 5)
        assert db.insert("a", {"text": "y"})["id"] == 1
        assert db.check().ok
    index = files(tmp_path, "a")["__id.idx"]
    middle = (b"#" if filled else b"\0") * (9 * (gap - 1))
    assert index == b"1        " + middle + b"0        "


def test_a_huge_id_writes_no_gigabytes(tmp_path: Path) -> None:
    with opened(tmp_path, TableA) as db:
        db.insert("a", {"id": 999_999_999, "text": "x"})
        assert db.find_by_id("a", 999_999_999) == {"id": 999_999_999, "text": "x"}
    stat = (tmp_path / "a__id.idx.dat").stat()
    assert stat.st_size == 9 * 999_999_999
    assert stat.st_blocks * 512 < 1 << 20


def test_a_full_width_of_ids_and_slots_is_an_error_that_changes_no_byte(tmp_path: Path) -> None:
    with opened(tmp_path, TableA, int_width=2) as db:
        db.insert_many("a", [{"text": "x"}] * 99)
        before = data_bytes(tmp_path)
        with pytest.raises(ValidationError, match="'id': The value is too big"):
            db.insert("a", {"text": "x"})
        assert data_bytes(tmp_path) == before


def test_the_catalog_says_how_the_rows_are_laid_out(tmp_path: Path) -> None:
    with opened(tmp_path, TableB2, TableA, int_width=6):
        pass
    assert (
        (tmp_path / "schema.json").read_text()
        == """\
{
  "format": "bazanite 1",
  "int_width": 6,
  "tables": {
    "a": {
      "fields": [
        {
          "name": "id",
          "null": false,
          "size": 6,
          "type": "PK"
        },
        {
          "name": "text",
          "null": false,
          "size": 5,
          "type": "CHAR"
        }
      ]
    },
    "b2": {
      "fields": [
        {
          "name": "id",
          "null": false,
          "size": 6,
          "type": "PK"
        },
        {
          "name": "text",
          "null": false,
          "size": 5,
          "type": "CHAR"
        },
        {
          "name": "a_id",
          "null": true,
          "size": 6,
          "table": "a",
          "type": "FK"
        }
      ]
    }
  }
}
"""
    )
