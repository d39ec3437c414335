"""Every difference that docs/bazoola.md lists is as listed, and every one has its test."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import bazoola
import pytest

import bazanite.bazoola as bazanite
from bazanite import (
    CorruptionError,
    SchemaMismatch,
    TransactionError,
    ValidationError,
)
from engine_support import (
    foreign_table,
    opened,
    their_db,
    usual_tables,
)

DOCUMENT = Path(__file__).resolve().parent.parent / "docs" / "bazoola.md"


class Both:
    """One call on both, each on its own fresh directory with the usual tables and rows."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.theirs = their_db(root / "theirs")
        self.ours = opened(root / "ours", *usual_tables(bazanite), int_width=6)
        for db in (self.theirs, self.ours):
            db.insert("a", {"text": "foo"})
            db.insert("b", {"a_id": 1})

    def close(self) -> None:
        self.theirs.close()
        self.ours.close()

    def fails(
        self,
        call: Callable[[Any, ModuleType], Any],
        theirs: type[Exception] | None,
        ours: type[Exception] | None,
    ) -> list[Any]:
        """Run it on both; None for an error means that the call succeeds.  The two results."""
        results = []
        for db, module, error in ((self.theirs, bazoola, theirs), (self.ours, bazanite, ours)):
            if error is None:
                results.append(call(db, module))
            else:
                with pytest.raises(error) as caught:
                    call(db, module)
                assert error is caught.type or issubclass(caught.type, error)
                results.append(None)
        return results


def failed_insert(both: Both) -> None:
    both.fails(lambda db, m: db.insert("a", {"text": 5}), bazoola.ValidationError, ValidationError)
    ids = both.fails(lambda db, m: db.insert("a", {"text": "x"})["id"], None, None)
    assert ids == [3, 2]


def failed_update(both: Both) -> None:
    both.fails(
        lambda db, m: db.update_by_id("a", 1, {"text": 5}), bazoola.ValidationError, ValidationError
    )
    assert both.fails(lambda db, m: db.find_by_id("a", 1), None, None) == [
        None,
        {"id": 1, "text": "foo"},
    ]


def taken_automatic_id(both: Both) -> None:
    both.fails(lambda db, m: db.insert("a", {"id": 2, "text": "x"}), None, None)
    both.fails(lambda db, m: db.insert("a", {"text": "y"}), bazoola.ValidationError, None)
    assert both.ours.find_by_id("a", 3) == {"id": 3, "text": "y"}


def truncate_sequence(both: Both) -> None:
    def refilled(db: Any, m: ModuleType) -> int:
        for number in range(11):
            db.insert("a", {"text": str(number)})
        db.truncate("a", cascade=True)
        return int(db.insert("a", {"text": "x"})["id"])

    assert both.fails(refilled, None, None) == [3, 1]


def truncate_free(both: Both) -> None:
    def holed(db: Any, m: ModuleType) -> Any:
        db.insert("a", {"text": "x"})
        db.delete_by_id("a", 2)
        db.truncate("a", cascade=True)
        db.insert("a", {"text": "y"})
        return db.find_all("a")

    both.fails(holed, ValueError, None)


def truncate_cycle(both: Both) -> None:
    def emptied(module: ModuleType, path: Path, opening: Callable[..., Any]) -> None:
        tables = [
            foreign_table(module, name, ("id", None), ("r", module.FK(target, null=True)))
            for name, target in (("x", "y"), ("y", "x"))
        ]
        db = opening(path, *tables)
        try:
            db.truncate("x", cascade=True)
        finally:
            db.close()

    with pytest.raises(RecursionError):
        emptied(bazoola, both.root / "their-cycle", their_db)
    emptied(bazanite, both.root / "our-cycle", opened)


def truncate_unopened(both: Both) -> None:
    their_a = their_db(both.root / "theirs", usual_tables(bazoola)[0])
    their_a.truncate("a")
    their_a.close()
    message = "'b' has referring rows"
    with (
        opened(both.root / "ours", usual_tables(bazanite)[0]) as db,
        pytest.raises(ValueError, match=message),
    ):
        db.truncate("a")


def error_texts(both: Both) -> None:
    for value, theirs, ours in (
        (5, "Type mismatch", ": `5` is not `str` or UTF-8 as `bytes`, but `int`"),
        ("abcdef", "The value is too long", ": `'abcdef'` has 6 bytes in UTF-8, and at most 5 fit"),
    ):
        with pytest.raises(bazoola.ValidationError) as short:
            both.theirs.insert("a", {"text": value})
        with pytest.raises(ValidationError) as full:
            both.ours.insert("a", {"text": value})
        assert str(short.value) == f"'text': {theirs}"
        assert str(full.value) == f"{short.value}{ours}"


def assertions(both: Both) -> None:
    calls: list[Callable[[Any, ModuleType], Any]] = [
        lambda db, m: db.insert("a", {"id": 0, "text": "x"}),
        lambda db, m: db.insert("a", {"id": None, "text": "x"}),
        lambda db, m: db.find_by_id("a", 0),
        lambda db, m: db.delete_by_id("a", -1),
        lambda db, m: m.EQ(),
        lambda db, m: m.Join("", "k", "t"),
        lambda db, m: m.Schema([]),
        lambda db, m: m.CHAR(0),
        lambda db, m: m.DB([]),
        lambda db, m: db.find_all("a", joins=[m.Join("nothing", "k", "a")]),
    ]
    for call in calls:
        both.fails(call, AssertionError, ValidationError)


def no_such_table(both: Both) -> None:
    both.fails(lambda db, m: db.find_all("x"), AssertionError, ValidationError)
    both.close()
    both.fails(lambda db, m: db.find_all("a"), ValueError, TransactionError)


def type_errors(both: Both) -> None:
    calls: list[Callable[[Any, ModuleType], Any]] = [
        lambda db, m: db.find_by_id("a", "1"),
        lambda db, m: db.insert("a", {"id": "x", "text": "y"}),
        lambda db, m: db.insert("b", {"a_id": "1"}),
        lambda db, m: db.find_by_cond("a", m.LT(text=5)),
        lambda db, m: db.find_by_cond("a", m.GT(id="5")),
    ]
    for call in calls:
        both.fails(call, TypeError, ValidationError)


def substr_value(both: Both) -> None:
    both.fails(lambda db, m: m.SUBSTR(text=5), None, ValidationError)
    both.fails(lambda db, m: db.find_by_cond("a", m.SUBSTR(text=5)), TypeError, ValidationError)


def huge_id(both: Both) -> None:
    both.fails(lambda db, m: db.find_by_id("a", 10**30), OverflowError, None)
    both.fails(
        lambda db, m: db.insert("a", {"id": 10**30, "text": "x"}), OverflowError, ValidationError
    )


def unknown_field(both: Both) -> None:
    both.fails(lambda db, m: db.insert("a", {"text": "x", "txt": "y"}), None, ValidationError)
    both.fails(lambda db, m: db.update_by_id("a", 1, {"txt": "y"}), None, ValidationError)
    both.fails(lambda db, m: db.find_by_cond("a", m.EQ(txt="y")), None, ValidationError)


def bool_int(both: Both) -> None:
    both.fails(lambda db, m: db.insert("b", {"n": True}), ValueError, ValidationError)
    both.fails(lambda db, m: db.find_all("b"), ValueError, None)


def zero_reference(both: Both) -> None:
    both.fails(lambda db, m: db.insert("b", {"a_id": 0}), None, ValueError)


def negative_reference(both: Both) -> None:
    both.fails(lambda db, m: db.insert("b", {"a_id": -1}), AssertionError, ValueError)


def bad_utf8(both: Both) -> None:
    both.fails(lambda db, m: db.insert("a", {"text": b"\xff"}), UnicodeDecodeError, ValidationError)
    both.fails(lambda db, m: db.find_all("a"), UnicodeDecodeError, None)


def leading_nul(both: Both) -> None:
    assert both.fails(lambda db, m: db.insert("b", {"text": "\0x"}), None, ValidationError) == [
        {"id": 2, "text": None, "a_id": None, "n": None},
        None,
    ]


def leading_star(both: Both) -> None:
    def starred(module: ModuleType, path: Path, opening: Callable[..., Any]) -> None:
        table = foreign_table(module, "t", ("s", module.CHAR(3)), ("id", None))
        db = opening(path, table)
        try:
            db.insert("t", {"s": "*a"})
        finally:
            db.close()

    with pytest.raises(AssertionError):
        starred(bazoola, both.root / "their-star", their_db)
    with pytest.raises(ValidationError):
        starred(bazanite, both.root / "our-star", opened)


def trailing_space(both: Both) -> None:
    assert both.fails(lambda db, m: db.insert("a", {"text": "x\n"})["text"], None, None) == [
        "x",
        "x\n",
    ]
    assert both.fails(lambda db, m: db.insert("a", {"text": "x "})["text"], None, None) == [
        "x",
        "x",
    ]


def dangling_join(both: Both) -> None:
    both.fails(lambda db, m: db.delete_by_id("a", 1), None, None)
    _, row = both.fails(
        lambda db, m: db.find_by_id("b", 1, joins=[m.Join("a_id", "row", "a")]),
        AssertionError,
        None,
    )
    assert row["row"] is None


def unopened_reference(both: Both) -> None:
    their_b = their_db(both.root / "theirs", usual_tables(bazoola)[1])
    with pytest.raises(KeyError):
        their_b.insert("b", {"a_id": 1})
    their_b.close()
    with opened(both.root / "ours", usual_tables(bazanite)[1]) as db:
        assert db.insert("b", {"a_id": 1})["a_id"] == 1
    alone = opened(both.root / "alone", usual_tables(bazanite)[1])
    with alone, pytest.raises(ValidationError, match="'a', which does not exist"):
        alone.insert("b", {"a_id": 1})


def index_gap(both: Both) -> None:
    both.fails(lambda db, m: db.insert("a", {"id": 200_000, "text": "x"}), None, None)
    sizes = [(both.root / side / "a__id.idx.dat").stat() for side in ("theirs", "ours")]
    assert sizes[0].st_size == sizes[1].st_size == 200_000 * 6
    assert sizes[1].st_blocks < sizes[0].st_blocks
    assert both.ours.find_by_id("a", 100_000) is None
    both.close()
    again = their_db(both.root / "ours")
    with pytest.raises(ValueError, match="invalid literal"):
        again.find_by_id("a", 100_000)
    again.close()


def changed_schema(both: Both) -> None:
    both.close()
    their_a = their_db(
        both.root / "theirs", foreign_table(bazoola, "a", ("id", None), ("text", bazoola.CHAR(3)))
    )
    with pytest.raises(AssertionError):
        their_a.find_all("a")
    their_a.close()
    with pytest.raises(SchemaMismatch):
        opened(
            both.root / "ours",
            foreign_table(bazanite, "a", ("id", None), ("text", bazanite.CHAR(3))),
        )


def table_names(both: Both) -> None:
    for name in ("../outside", "a__free"):
        their_db(both.root / "theirs", foreign_table(bazoola, name, ("id", None))).close()
        with pytest.raises(ValidationError):
            opened(both.root / "ours", foreign_table(bazanite, name, ("id", None)))
    assert (both.root / "outside.dat").exists()


def odd_schemas(both: Both) -> None:
    made: list[Callable[[ModuleType], list[Any]]] = [
        lambda m: [foreign_table(m, "t", ("id", None), ("x", m.INT()), ("x", m.INT()))],
        lambda m: [foreign_table(m, "t", ("x", m.INT()))],
    ]
    for tables in made:
        their_db(both.root / "odd", *tables(bazoola)).close()
        with pytest.raises(ValidationError):
            opened(both.root / "ours", *tables(bazanite))
    # Bazoola takes the last one, and forgets to close the files of the first.
    twins = [foreign_table(bazanite, "t", ("id", None)), foreign_table(bazanite, "t", ("id", None))]
    with pytest.raises(ValidationError):
        opened(both.root / "ours", *twins)


def spoil(both: Both, offset: int, data: bytes) -> None:
    for side in ("theirs", "ours"):
        with (both.root / side / "a.dat").open("r+b") as file:
            file.seek(offset)
            file.write(data)


def stored_null(both: Both) -> None:
    spoil(both, 6, b"\0" * 5)
    for db in (both.theirs, both.ours):
        with pytest.raises(ValueError, match=r"^Inconsistent data"):
            db.find_all("a")


def damage(both: Both) -> None:
    spoil(both, 6, b"\xff")
    both.fails(lambda db, m: db.find_all("a"), UnicodeDecodeError, CorruptionError)
    spoil(both, 0, b"7     foo  ")
    rows = both.fails(lambda db, m: db.find_by_id("a", 1), None, CorruptionError)
    assert rows[0] == {"id": 7, "text": "foo"}


def snapshot(both: Both) -> None:
    def seen(db: Any, m: ModuleType) -> list[int]:
        rows = db.tables["a"].iterate()
        first = next(rows)["id"]
        db.tables["a"].insert({"text": "late"})
        return [first, *(row["id"] for row in rows)]

    assert both.fails(seen, None, None)[1] == [1]


def int_arguments(both: Both) -> None:
    assert bazoola.INT(True).null
    with pytest.raises(ValidationError):
        bazanite.INT(True)
    assert bazanite.INT(null=True).null


DIFFERENCES = [
    *(failed_insert, failed_update, taken_automatic_id, truncate_sequence, truncate_free),
    *(
        truncate_cycle,
        truncate_unopened,
        error_texts,
        assertions,
        no_such_table,
        type_errors,
        substr_value,
    ),
    *(huge_id, unknown_field, bool_int, zero_reference, negative_reference, bad_utf8),
    *(leading_nul, leading_star, trailing_space, dangling_join, unopened_reference, index_gap),
    *(changed_schema, table_names, odd_schemas, stored_null, damage, snapshot, int_arguments),
]


@pytest.mark.parametrize("difference", DIFFERENCES, ids=lambda case: case.__name__)
def test_a_listed_difference_is_as_listed(
    tmp_path: Path, difference: Callable[[Both], None]
) -> None:
    both = Both(tmp_path)
    try:
        difference(both)
    finally:
        both.close()


def test_every_listed_difference_has_its_test_and_every_test_is_listed() -> None:
    listed = re.findall(
        r"^\| ([a-z][a-z0-9-]*) \|", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE
    )
    assert listed[0] == "name"
    assert listed[1:] == [case.__name__.replace("_", "-") for case in DIFFERENCES]
