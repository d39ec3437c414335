"""Which rows a call may read or change: what can have to do with what, seen from the outside.

Besides rows there are *lookups*: which rows have this value in a column.  A reference is looked up
by a delete of what it refers to, and by a truncate; whoever gives a row such a value, or takes it
away, changes what is found there.  What is unique is looked up, and changed, by everyone who gives
a row a value there; so a call that finds one row has nothing to do with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from bazanite_stress.explore.workload import GROUPS, Step

from .rules import Rules

ALL = -1
"""In place of an id: any row of the table, also one that is not there yet.  Any value."""

Place = tuple[str, int]
Footprint = frozenset[Place]
"""Rows by table and id, lookups by table and column ("t.a") and value.  ("", ALL): everything."""

EVERYTHING: Footprint = frozenset([("", ALL)])


def footprint(step: Step, rules: Rules) -> Footprint:
    """The places of one call; those of a group are those of all its calls."""
    name, *arguments = step
    if name in GROUPS:
        return joined(arguments[0], rules)
    places = _PLACES.get(name)
    return EVERYTHING if places is None else frozenset(places(rules, *arguments))


def meet(one: Footprint, other: Footprint) -> bool:
    """Whether there is a place that both may touch."""
    if one & other:
        return True
    return _covers(one, other) or _covers(other, one)


def _covers(one: Footprint, other: Footprint) -> bool:
    whole = {table for table, number in one if number == ALL}
    return "" in whole or any(table in whole for table, _ in other)


def joined(steps: Iterable[Step], rules: Rules) -> Footprint:
    """The places of several calls."""
    return frozenset().union(*(footprint(step, rules) for step in steps))


def _one(_rules: Rules, table: str, number: int) -> Iterator[Place]:
    yield table, number


def _whole(_rules: Rules, table: str) -> Iterator[Place]:
    yield table, ALL


def _given(rules: Rules, table: str, values: Mapping[str, Any], *, anew: bool) -> Iterator[Place]:
    """Where values are given to a row: a new one, or (not ``anew``) instead of any others."""
    for one in rules.of_table(table, values):
        referred = values[one.column]
        if referred is not None:
            yield one.target, referred
        if not anew:
            yield f"{table}.{one.column}", ALL
        elif referred is not None:
            yield f"{table}.{one.column}", referred
    for key in rules.unique:
        # a new row has to do with all others of its table anyway: it takes the next id
        if not anew and key.table == table and key.columns & values.keys():
            yield _lookup(table, key.columns), ALL


def _lookup(table: str, columns: Iterable[str]) -> str:
    return f"{table}.{' '.join(sorted(columns))}!"


def _insert(rules: Rules, table: str, values: Mapping[str, Any]) -> Iterator[Place]:
    yield table, ALL
    yield from _given(rules, table, values, anew=True)


def _insert_many(rules: Rules, table: str, rows: list[dict[str, Any]]) -> Iterator[Place]:
    yield table, ALL
    for values in rows:
        yield from _given(rules, table, values, anew=True)


def _update(rules: Rules, table: str, number: int, values: Mapping[str, Any]) -> Iterator[Place]:
    yield table, number
    yield from _given(rules, table, values, anew=False)
    moved = values.get("id", number)
    if moved != number:
        yield table, moved
        yield from ((f"{one.table}.{one.column}", number) for one in rules.to(table))


def _delete(rules: Rules, table: str, number: int) -> Iterator[Place]:
    yield from _gone(rules, table, number, set())


def _gone(rules: Rules, table: str, number: int, known: set[Place]) -> Iterator[Place]:
    """Where this row, or any (ALL), goes with all that goes with it."""
    known.add((table, number))
    yield table, number
    yield from _lookups(rules, table)
    for one in rules.to(table):
        if one.on_delete == "keep":
            continue
        yield f"{one.table}.{one.column}", number
        if one.on_delete == "cascade" and (one.table, ALL) not in known:
            yield from _gone(rules, one.table, ALL, known)
        elif one.on_delete == "set_null":
            yield one.table, ALL
            yield from _lookups(rules, one.table, one.column)


def _lookups(rules: Rules, table: str, column: str = "") -> Iterator[Place]:
    """All that finds rows of the table, or only what finds them by this column."""
    for one in rules.of_table(table):
        if column in ("", one.column):
            yield f"{table}.{one.column}", ALL
    for key in rules.unique:
        if key.table == table and (not column or column in key.columns):
            yield _lookup(table, key.columns), ALL


def _truncate(rules: Rules, table: str, cascade: bool) -> Iterator[Place]:
    emptied = [table]
    for name in emptied:
        yield name, ALL
        yield from _lookups(rules, name)
        for one in rules.to(name):
            yield f"{one.table}.{one.column}", ALL
            if cascade and one.table not in emptied:
                emptied.append(one.table)


_PLACES: dict[str, Any] = {
    "find": _one,
    "rows": _whole,
    "insert": _insert,
    "insert_many": _insert_many,
    "update": _update,
    "delete": _delete,
    "truncate": _truncate,
}
