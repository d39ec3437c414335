"""Which operations there are: planned from a seed, written down as an intent, told as effects.

An intent is plain values and says everything about the operation, so what it does to rows
(`operation_of`) is the same for the writer that carries it out and for the supervisor that reads it
in the journal after the writer's death. Every operation that changes anything touches at least one
owned row such that before and after differ; else nobody could tell whether it happened.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from bazanite_stress.torture.effects import Add, Ban, Change, Delete, Effect, Insert, Operation
from bazanite_stress.torture.model import Model, number
from bazanite_stress.torture.schema import ACCOUNTS, NOTE_CHARS, Key, Row

Intent = dict[str, Any]

LARGEST_TEXT = 20_000
# A writer that owns more rows than this in one table prefers to delete some.
PLENTY = 60
FILLER = "żółć 漢字 🙂 to be or not to be\n"


def text_of(mark: str, size: int | None) -> str | None:
    """A note's text: NULL, empty, or `size` bytes of UTF-8 that no other mark has."""
    if size is None or size == 0:
        return None if size is None else ""
    head = f"<{mark}|"
    data = (head + FILLER * (size // len(FILLER) + 1)).encode()[: max(size - 1, len(head))]
    return data.decode(errors="ignore") + ">"


def operation_of(intent: Intent) -> Operation:
    """What the intent does to rows, if it happens."""
    return Operation(intent["token"], intent["kind"], tuple(EFFECTS[intent["kind"]](intent)))


def note_row(intent: Intent, token: str, note: Intent) -> Row:
    """The row of a note that this intent inserts."""
    return {
        "token": token,
        "owner": int(intent["token"].partition(".")[0]),
        "account": note["account"],
        "mark": intent["token"],
        "body": text_of(token, note["size"]),
    }


def ledger_row(intent: Intent) -> Row:
    """The ledger row of a transfer."""
    return {name: intent[name] for name in ("token", "source", "target", "amount")}


def note_changes(intent: Intent, size: int | None) -> Row:
    """What an edit writes into a note."""
    return {"mark": intent["token"], "body": text_of(intent["token"], size)}


def _moved(intent: Intent, column: str) -> list[Effect]:
    return [
        Add("accounts", intent["source"], column, -intent["amount"]),
        Add("accounts", intent["target"], column, intent["amount"]),
    ]


def _transfer(intent: Intent) -> list[Effect]:
    entry = Insert("ledger", intent["token"], ledger_row(intent))
    moved = _moved(intent, "balance")
    return [entry, *moved] if intent["ledger_first"] else [*moved, entry]


def _settle(intent: Intent) -> list[Effect]:
    effects: list[Effect] = []
    for entry in intent["entries"]:
        effects += [Delete("ledger", entry["token"]), *_moved(entry, "settled")]
    return effects


def _notes(intent: Intent) -> list[Effect]:
    return [
        Insert("notes", note["token"], note_row(intent, note["token"], note))
        for note in intent["notes"]
    ]


def _edit(intent: Intent) -> list[Effect]:
    return [
        Change("notes", note["token"], note_changes(intent, note["size"]))
        for note in intent["notes"]
    ]


def _erase(intent: Intent) -> list[Effect]:
    return [Delete("notes", note["token"]) for note in intent["notes"]]


def _count(intent: Intent) -> list[Effect]:
    return [
        Change("counters", intent["own"], {"value": intent["value"], "last": intent["token"]}),
        Add("counters", intent["all"], "value", 1),
    ]


def _rolled_back(intent: Intent) -> list[Effect]:
    return [Ban("notes", intent["token"]), Ban("ledger", intent["token"])]


def _savepoint(intent: Intent) -> list[Effect]:
    """First note and last note stay; the one inside the savepoint is rolled back."""
    first, inner, last = intent["notes"]
    return [
        Insert("notes", first["token"], note_row(intent, first["token"], first)),
        Insert("notes", last["token"], note_row(intent, last["token"], last)),
        Ban("notes", inner["token"]),
    ]


def _refused(intent: Intent) -> list[Effect]:
    return [Ban("notes", intent["token"])]


def _patch(intent: Intent) -> list[Effect]:
    return [Change(intent["table"], intent["id"], intent["changes"])]


def _drop(intent: Intent) -> list[Effect]:
    return [Delete(intent["table"], intent["id"])]


def _restore(intent: Intent) -> list[Effect]:
    return [Insert(intent["table"], intent["id"], intent["row"])]


def _nothing(_: Intent) -> list[Effect]:
    return []


EFFECTS: dict[str, Callable[[Intent], list[Effect]]] = {
    "transfer": _transfer,
    "settle": _settle,
    "notes": _notes,
    "edit": _edit,
    "erase": _erase,
    "count": _count,
    "rolled back": _rolled_back,
    "savepoint": _savepoint,
    "refused": _refused,
    "patch": _patch,
    "drop": _drop,
    "restore": _restore,
    "look": _nothing,
    "audit": _nothing,
    "checkpoint": _nothing,
}


class Planner:
    """Chooses a writer's next operation. `own` holds the rows that it may touch; `real_text`: the
    engine has TEXT, so notes may be long; `rolls_back`: it has transactions that can be undone.
    """

    def __init__(
        self, rng: Random, own: Model, slot: int, writers: int, *, real_text: bool, rolls_back: bool
    ) -> None:
        self._rng, self._own, self._slot, self._writers = rng, own, slot, writers
        self._longest = LARGEST_TEXT if real_text else NOTE_CHARS
        self._loaded = [
            table
            for table, key in own.keys.items()
            if key == "id" and table not in {"accounts", "counters"} and table not in own.still
        ]
        weights = {"transfer": 20.0, "settle": 3, "notes": 12, "edit": 12, "erase": 8, "count": 16}
        weights |= {"refused": 1, "look": 5, "audit": 2, "checkpoint": 0.1}
        if rolls_back:
            weights |= {"rolled back": 5, "savepoint": 4}
        if self._loaded:
            weights |= {"patch": 10, "drop": 3, "restore": 3}
        self._kinds, self._weights = list(weights), list(weights.values())

    def next(self, token: str) -> Intent:
        """The next intent; kinds that lack the rows they need give way to a transfer."""
        kind = self._rng.choices(self._kinds, self._weights)[0]
        notes, ledger = self._own.rows["notes"], self._own.rows["ledger"]
        if kind == "notes" and len(notes) > PLENTY:
            kind = "erase"
        if kind == "transfer" and len(ledger) > PLENTY:
            kind = "settle"
        params = self._params(kind, token)
        if params is None:
            kind, params = "transfer", self._transfer()
        return {"token": token, "kind": kind, **params}

    def _params(self, kind: str, token: str) -> Intent | None:
        match kind:
            case "rolled back":
                return self._transfer() | {"edits": self._some_notes(2), "deep": self._chance(0.4)}
            case "settle":
                return self._settle()
            case "notes":
                count = 1 if self._chance(0.6) else self._rng.randint(2, 12)
                return {"notes": self._new_notes(token, count)}
            case "savepoint":
                return {"notes": self._new_notes(token, 3), "edits": self._some_notes(2)}
            case "edit" | "erase":
                notes = self._some_notes(1 if self._chance(0.6) else 4)
                return {"notes": notes} if notes else None
            case "look":
                notes = self._some_notes(1)
                return {"notes": notes} if notes else None
            case "count":
                return self._count()
            case "patch" | "drop" | "restore":
                return self._loaded_row(kind, token)
            case "audit":
                return {"alone": self._chance(0.5)}
            case "transfer":
                return self._transfer()
            case _:
                return {}

    def _chance(self, probability: float) -> bool:
        return self._rng.random() < probability

    def _transfer(self) -> Intent:
        source, target = self._rng.sample(range(1, ACCOUNTS + 1), 2)
        return {
            "source": source,
            "target": target,
            "amount": self._rng.randint(1, 20),
            "ledger_first": self._chance(0.5),
        }

    def _settle(self) -> Intent | None:
        rows = self._own.rows["ledger"]
        tokens = self._rng.sample(list(rows), min(len(rows), self._rng.randint(2, 20)))
        entries = [{"id": self._own.ids["ledger"][token], **rows[token]} for token in tokens]
        return {"entries": entries} if entries else None

    def _size(self) -> int | None:
        choice = self._rng.random()
        if choice < 0.1:
            return None if choice < 0.05 else 0
        return int(16 * (self._longest / 16) ** (self._rng.random() ** 1.5))

    def _new_notes(self, token: str, count: int) -> list[Intent]:
        return [
            {
                "token": f"{token}.{index}",
                "size": self._size(),
                "account": self._rng.randint(1, ACCOUNTS) if self._chance(0.8) else None,
            }
            for index in range(count)
        ]

    def _some_notes(self, at_most: int) -> list[Intent]:
        """Own notes with a size for a new text."""
        rows = self._own.rows["notes"]
        chosen = self._rng.sample(list(rows), min(len(rows), self._rng.randint(1, at_most)))
        ids = self._own.ids["notes"]
        return [{"token": key, "id": ids[key], "size": self._size()} for key in chosen]

    def _count(self) -> Intent | None:
        own = self._slot + 1
        row = self._own.rows["counters"].get(own)
        if row is None:
            return None
        return {"own": own, "all": self._writers + 1, "value": number(row["value"]) + 1}

    def _loaded_row(self, kind: str, token: str) -> Intent | None:
        table = self._rng.choice(self._loaded)
        rows = self._own.removed[table] if kind == "restore" else self._own.rows[table]
        if not rows:
            return None
        key: Key = self._rng.choice(list(rows))
        if kind == "drop":
            return {"table": table, "id": key}
        if kind == "restore":
            return {"table": table, "id": key, "row": rows[key] | {"mark": token}}
        # Another row's value fits the column's width and is as real.
        column = self._rng.choice([name for name in rows[key] if name != "mark"])
        value = rows[self._rng.choice(list(rows))][column]
        return {"table": table, "id": key, "changes": {column: value, "mark": token}}
