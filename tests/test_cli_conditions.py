"""CONDITION words: what each finds, and which are refused, with what to write instead."""

from __future__ import annotations

from typing import Any

import pytest

from bazanite import CHAR, INT, PK, TEXT, Field, Row, Schema
from bazanite_tools.conditions import assignments, where
from bazanite_tools.output import CommandError
from cli_support import ADA, BOB, NOTED, People

EMPTY = dict.fromkeys(People.schema.names)
ROWS = [Row({**EMPTY, **values, "id": pk}) for pk, values in enumerate((ADA, NOTED, BOB), 1)]
ODD = Schema([Field("id", PK()), Field("a", INT()), Field("a b", TEXT()), Field("a=b", CHAR(9))])


def found(*words: str, any_of: bool = False) -> list[int]:
    cond = where(People.schema, words, any_of=any_of)
    assert cond is not None
    cond.check_fields(People.schema)
    return [row["id"] for row in ROWS if cond.eval(row)]


@pytest.mark.parametrize(
    "words, ids",
    [
        (["name=Ada"], [1]),
        (["name!=Ada"], [2, 3]),
        (["age<36"], [3]),
        (["age<=36"], [1, 3]),
        (["age>7"], [1]),
        (["age>=7"], [1, 3]),
        (["age!=36"], [2, 3]),
        (["name~AD"], [1]),
        (["name!~AD"], [2, 3]),
        (["name*=da"], [1]),
        (["name*=DA"], []),
        (["name!*=da"], [2, 3]),
        (["name^=A"], [1]),
        (["name!^=A"], [2, 3]),
        (["age~3"], [1]),
        (["city:=1,2"], [1, 3]),
        (["city!:=1,2"], [2]),
        (["city:=2,NULL"], [2, 3]),
        (['name:="Ada",Bob'], [1, 3]),
        (["note=NULL"], [3]),
        (["note!=NULL"], [1, 2]),
        (['note="NULL"'], [2]),
        (["note is null"], [3]),
        (["note IS  NOT null"], [1, 2]),
        (["note", "is", "null"], [3]),
        (["note", "Is", "Not", "Null"], [1, 2]),
        (["note", "is", "null", "age=7"], [3]),
        (["age", ">=", "7", "age", "<", "36"], [3]),
        (["age >= 36"], [1]),
        (['note="likes \\"x\\"\\nand more"'], [1]),
        (['note~"\\nand"'], [1]),
        (["paid=yes"], [1]),
        (["paid=FALSE"], [2, 3]),
        (["due=2026-11-26"], [1]),
        (["due<2026-11-27"], [1]),
        (["at>2026-11-26 15:33:10"], [1]),
        (["seen=2026-01-02T04:04:05+01:00"], [1]),
        (["owes=12.5"], [1]),
        (["photo=AAE="], [1]),
        (['extra={"a": [1, 2.50, "\u6771"]}'], [1]),
        (['extra="NULL"'], [2]),
        (["extra=NULL"], [3]),
        (['extra:="NULL",NULL'], [2, 3]),
        (['extra:={"a":[1,2.5,"\\u6771"]},5'], [1]),
        (["id=2"], [2]),
        (["name=Ada", "age=36"], [1]),
        (["name=Ada", "age=7"], []),
    ],
    ids=str,
)
def test_a_condition_finds(words: list[str], ids: list[int]) -> None:
    assert found(*words) == ids


def test_one_of_several_is_enough_if_asked_for() -> None:
    assert found("name=Ada", "age=7", any_of=True) == [1, 3]
    assert where(People.schema, []) is None


@pytest.mark.parametrize(
    "word, error",
    [
        ("nope=1", "no column 'nope'; there are id, name, city"),
        ("=1", "no column ''"),
        ("age", "'age' is no condition: write COLUMN=VALUE"),
        ("age is nothing", "is no condition"),
        ("age==7", "'=7' is no such value"),
        ("age<NULL", "nothing is above or below NULL; write age=NULL or age!=NULL"),
        ("extra<1", "'extra' is JSON, which has no order"),
        ('extra:={"a":1}x,2', "does not begin with a JSON value and a comma"),
        ('name:="a"b', "does not begin with a JSON value and a comma"),
        ("extra:={", "does not begin with a JSON value"),
        ("city:=1,x", "'city' is FK(city) null: 'x' is no such value"),
        ('name~"a"b"', "between double quotes stands a JSON string"),
        ("age><7", "'<7' is no such value"),
    ],
)
def test_what_is_no_condition_is_refused(word: str, error: str) -> None:
    with pytest.raises(CommandError) as caught:
        where(People.schema, [word])
    assert error in str(caught.value)
    assert caught.value.code == 2


@pytest.mark.parametrize(
    "words, row, is_found",
    [
        (["a b=c"], {"a b": "c"}, True),
        (["a b", "=", "c"], {"a b": "c"}, True),
        (["a=b=c"], {"a=b": "c"}, True),
        (["a=b=c"], {"a=b": "d"}, False),
        (["a=5"], {"a": 5}, True),
    ],
)
def test_the_longest_column_counts(words: list[str], row: dict[str, Any], is_found: bool) -> None:
    cond = where(ODD, words)
    assert cond is not None
    assert cond.eval(Row(row)) is is_found


def test_assignments_name_columns_and_give_values() -> None:
    assert assignments(ODD, ["a=5", "a b= x", "a=b=y"]) == {"a": 5, "a b": " x", "a=b": "y"}
    for words, error in (
        (["b=1"], "no column 'b'; there are id, a, a b, a=b"),
        (["a"], "'a' is no COLUMN=VALUE"),
        (["a=1", "a=2"], "'a' is given twice"),
        (["a=NULL"], "'a' is INT(9): 'NULL' is no such value"),
    ):
        with pytest.raises(CommandError) as caught:
            assignments(ODD, words)
        assert error in str(caught.value)
