"""The operations, carried out on a database; and what a writer sees with its own eyes.

Most intents are carried out effect by effect, in the order in which `operations.operation_of` tells
them, all in one transaction. The others, of which the effects do not say how they come about, have
an action of their own here. All go through the public API and return the ids of the rows that they
inserted, in the order of the operation's Inserts. Reads that must not come out as they do raise
`Seen`.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext

from bazanite_stress.torture.adapters import Store
from bazanite_stress.torture.effects import Add, Ban, Change, Delete, Effect, Insert
from bazanite_stress.torture.model import Model, number
from bazanite_stress.torture.operations import (
    Intent,
    ledger_row,
    note_changes,
    note_row,
    operation_of,
)
from bazanite_stress.torture.schema import ACCOUNTS, START_BALANCE, Row

NOBODY = 999_999


class Seen(Exception):
    """The database answered what it must not answer."""

    def __init__(self, what: str, expected: object, found: object) -> None:
        super().__init__(what)
        self.what, self.expected, self.found = what, expected, found


class Undo(Exception):
    """Rolls a transaction back."""


def perform(store: Store, intent: Intent, own: Model) -> list[int]:
    """Carry out the intent; ids of the inserted rows. `own`: what the writer knows of its rows."""
    if intent["kind"] == "look":
        return _look(store, intent, own)
    action = ACTIONS.get(intent["kind"])
    if action:
        return action(store, intent)
    effects = operation_of(intent).effects
    with store.transaction() if len(effects) > 1 else nullcontext():  # one call needs none
        return [row_id for effect in effects for row_id in _carry_out(store, effect, own)]


def _carry_out(store: Store, effect: Effect, own: Model) -> list[int]:
    match effect:
        case Insert(table, key, row):
            return [store.insert(table, {"id": key, **row} if own.keys[table] == "id" else row)]
        case Change(table, key, changes):
            store.update(table, own.ids[table][key], changes)
        case Delete(table, key):
            store.delete(table, own.ids[table][key])
        case Add(table, key, column, amount):
            _add(store, table, int(key), column, amount)
        case Ban():
            raise TypeError(f"{effect}: nothing that can be done")
    return []


def _existing(store: Store, table: str, row_id: int) -> Row:
    row = store.get(table, row_id)
    if row is None:
        raise Seen("lost row", f"{table} {row_id}", "no such row")
    return row


def _add(store: Store, table: str, row_id: int, column: str, amount: int) -> None:
    value = number(_existing(store, table, row_id)[column])
    store.update(table, row_id, {column: value + amount})


def _notes(store: Store, intent: Intent) -> list[int]:
    rows = [note_row(intent, note["token"], note) for note in intent["notes"]]
    if len(rows) == 1:
        return [store.insert("notes", rows[0])]
    return store.insert_many("notes", rows)


def _edit_all(store: Store, intent: Intent, notes: list[Intent]) -> None:
    for note in notes:
        store.update("notes", note["id"], note_changes(intent, note["size"]))


def _count(store: Store, intent: Intent) -> list[int]:
    """Both counters are read and written in one transaction; the own one must be as we left it."""
    with store.transaction():
        value = number(_existing(store, "counters", intent["own"])["value"])
        if value != intent["value"] - 1:
            raise Seen("wrong counter", intent["value"] - 1, value)
        store.update("counters", intent["own"], {"value": value + 1, "last": intent["token"]})
        _add(store, "counters", intent["all"], "value", 1)
    return []


def _rolled_back(store: Store, intent: Intent) -> list[int]:
    """Something of everything, then an exception: nothing may be left of it."""
    note: Intent = {"account": intent["source"], "size": 300}
    try:
        with store.transaction():
            store.insert("notes", note_row(intent, intent["token"], note))
            _add(store, "accounts", intent["source"], "balance", -intent["amount"])
            _add(store, "accounts", intent["target"], "balance", intent["amount"])
            if intent["deep"]:
                with store.transaction():
                    store.insert("ledger", ledger_row(intent))
                    _edit_all(store, intent, intent["edits"])
            else:
                for own in intent["edits"]:
                    store.delete("notes", own["id"])
            raise Undo
    except Undo:
        pass
    return []


def _savepoint(store: Store, intent: Intent) -> list[int]:
    first, inner, last = (note_row(intent, note["token"], note) for note in intent["notes"])
    with store.transaction():
        first_id = store.insert("notes", first)
        try:
            with store.transaction():
                store.insert("notes", inner)
                _edit_all(store, intent, intent["edits"])
                raise Undo
        except Undo:
            pass
        last_id = store.insert("notes", last)
    return [first_id, last_id]


def _refused(store: Store, intent: Intent) -> list[int]:
    """A note about an account that does not exist must be refused."""
    row = note_row(intent, intent["token"], {"account": NOBODY, "size": 10})
    try:
        found = store.insert("notes", row)
    except ValueError:
        return []
    raise Seen("dangling reference accepted", "ValueError", f"id {found}")


def _checkpoint(store: Store, _: Intent) -> list[int]:
    store.checkpoint()
    return []


def _look(store: Store, intent: Intent, own: Model) -> list[int]:
    """A writer's own row is as it was acknowledged."""
    for note in intent["notes"]:
        found = store.get("notes", note["id"])
        expected = {"id": note["id"], **own.rows["notes"][note["token"]]}
        if found != expected:
            raise Seen("acknowledged row not read", expected, found)
    return []


def _audit(store: Store, intent: Intent) -> list[int]:
    """No reader sees half of a transfer; alone: outside any transaction."""
    if intent["alone"]:
        accounts = store.scan("accounts")
    else:
        with store.transaction():
            accounts = store.scan("accounts")
    total = sum(number(row["balance"]) for row in accounts)
    if total != ACCOUNTS * START_BALANCE:
        raise Seen("wrong sum seen by a reader", ACCOUNTS * START_BALANCE, total)
    return []


ACTIONS: dict[str, Callable[[Store, Intent], list[int]]] = {
    "notes": _notes,
    "count": _count,
    "rolled back": _rolled_back,
    "savepoint": _savepoint,
    "refused": _refused,
    "checkpoint": _checkpoint,
    "audit": _audit,
}
