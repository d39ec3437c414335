"""Conditions."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import mock

import pytest

from bazanite import EQ, GT, ISUBSTR, LT, SUBSTR, BaseCond, Row, ValidationError, columns
from engine_support import TableD, opened

ROW = Row({"id": 3, "s": "Foo bar", "n": None})


@pytest.mark.parametrize(
    "cond, expected",
    [
        (EQ(id=3), True),
        (EQ(id=3, s="Foo bar"), True),
        (EQ(id=3, s="x"), False),
        (EQ(n=None), True),
        (EQ(s=b"Foo bar"), False),
        (LT(id=4), True),
        (LT(id=3), False),
        (LT(n=4), False),
        (GT(id=2), True),
        (GT(id=3), False),
        (GT(n=0), False),
        (GT(id=2, s="A"), True),
        (LT(id=4, s="A"), False),
        (SUBSTR(s="o b"), True),
        (SUBSTR(s="O B"), False),
        (SUBSTR(id="3"), True),
        (SUBSTR(n="N"), False),
        (SUBSTR(s="", id="4"), False),
        (ISUBSTR(s="O B"), True),
        (ISUBSTR(s="foo", id="3"), True),
        (ISUBSTR(n="n"), False),
    ],
)
def test_a_condition_holds_or_not(cond: BaseCond, expected: bool) -> None:
    assert cond.eval(ROW) is expected


@pytest.mark.parametrize("kind", [EQ, LT, GT, SUBSTR, ISUBSTR])
def test_a_condition_needs_a_field(kind: type[BaseCond]) -> None:
    with pytest.raises(ValidationError):
        kind()


@pytest.mark.parametrize("kind", [SUBSTR, ISUBSTR])
@pytest.mark.parametrize("value", [5, None, b"x"])
def test_a_part_of_a_text_is_text(kind: type[BaseCond], value: Any) -> None:
    with pytest.raises(ValidationError, match="'s': Type mismatch"):
        kind(s=value)


@pytest.mark.parametrize("cond", [LT(s=4), GT(s=4), LT(id=None), GT(id="3")])
def test_values_that_have_no_order_are_refused(cond: BaseCond) -> None:
    with pytest.raises(ValidationError, match="cannot compare"):
        cond.eval(ROW)


@pytest.mark.parametrize("kind", [EQ, LT, GT, SUBSTR, ISUBSTR])
def test_an_unknown_field_is_refused_instead_of_finding_nothing(
    tmp_path: Path, kind: type[BaseCond]
) -> None:
    with opened(tmp_path, TableD) as db, pytest.raises(ValidationError, match="'strin': no such"):
        db.find_by_cond("d", kind(strin="x"))


def test_numpy_is_used_if_it_is_there_and_worth_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "numpy", raising=False)
    assert columns.numpy(wanted=False) is None
    monkeypatch.setitem(sys.modules, "numpy", None)  # as if it were not installed
    assert columns.numpy(wanted=True) is None
    installed = ModuleType("numpy")
    monkeypatch.setitem(sys.modules, "numpy", installed)
    assert columns.numpy(wanted=False) is installed


def test_a_large_table_is_searched_with_numpy_and_a_small_one_without(tmp_path: Path) -> None:
    wanted: list[bool] = []

    def watched(**given: bool) -> None:
        wanted.append(given["wanted"])

    with opened(tmp_path, TableD) as db, mock.patch.object(columns, "numpy", watched):
        db.insert_many("d", [{"int": number} for number in range(5)])
        for least in (6, 5):
            with mock.patch.object(columns, "MANY_ROWS", least):
                assert [row["id"] for row in db.find_by_cond("d", LT(int=2))] == [1, 2]
    assert wanted == [False, True]


def test_a_condition_of_ones_own_needs_only_eval(tmp_path: Path) -> None:
    class Odd(BaseCond):
        def eval(self, row: Row) -> bool:
            return bool(row[self.params["field"]] % 2)

    with opened(tmp_path, TableD) as db:
        db.insert_many("d", [{}, {}, {}])
        assert [row["id"] for row in db.find_by_cond("d", Odd(field="id"))] == [1, 3]
