"""What the clients sent and what came of it; the memory that the data is held against.

A write is ``sent`` until its answer came.  Redirected: ``acknowledged``.  A conflict: ``refused``,
nothing of it is stored.  No answer: ``doubtful``, it may be stored whole or not at all, until a
client sees it on a page; who saw it may rely on it as on an acknowledgement.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass, replace
from random import Random
from typing import Any, Literal

Kind = Literal["task", "edit", "delete", "comment"]
State = Literal["sent", "acknowledged", "refused", "doubtful"]

STATUSES = ("todo", "doing", "done")
_WORDS = [
    "brass",
    "gear",
    "loop",
    "note",
    "power",
    "cut",
    "lock",
    "Żaneta",
    "rope",
    "moon",
    "stairs",
]
LONGEST_TEXT_WORDS = 120


@dataclass(frozen=True, slots=True)
class Write:
    """One form that was sent.

    ``item`` names the row by what stands in its title or text, ``task`` the row that it belongs to
    (of a task: itself), ``base`` is the version that the form was filled in for, 0 for a new row.
    ``pk`` is the row's id, 0 as long as nobody knows it.
    """

    number: int
    kind: Kind
    item: str
    task: str
    base: int
    values: dict[str, Any]
    state: State = "sent"
    pk: int = 0
    was_doubtful: bool = False

    @property
    def version(self) -> int:
        """That the row has when this is stored."""
        return self.base + 1


class Book:
    """All writes of a run, for all threads."""

    def __init__(self) -> None:
        self._writes: dict[int, Write] = {}
        self._of_item: dict[str, list[int]] = {}
        self._lock = threading.Lock()

    def begin(self, kind: Kind, item: str, *, base: int = 0, task: str = "") -> Write:
        """A write that is about to be sent; for a comment ``item`` is only who makes it."""
        with self._lock:
            number = len(self._writes) + 1
            values = _values(kind, item, number)
            if kind == "comment":
                item = item_of_comment(values["text"])
            write = Write(number, kind, item, task or item, base, values)
            self._writes[number] = write
            self._of_item.setdefault(item, []).append(number)
            return write

    def acknowledge(self, write: Write, pk: int = 0) -> None:
        """It was answered, or seen on a page; ``pk`` if that told the row's id."""
        self._set(write, "acknowledged", pk)

    def refuse(self, write: Write) -> None:
        """It was answered that nothing was stored."""
        self._set(write, "refused")

    def doubt(self, write: Write) -> None:
        """There was no answer."""
        self._set(write, "doubtful")

    def writes(self) -> list[Write]:
        """All of them, as they are now."""
        with self._lock:
            return list(self._writes.values())

    def acknowledged(self) -> frozenset[int]:
        """The numbers of those that must be there from now on."""
        return frozenset(w.number for w in self.writes() if w.state == "acknowledged")

    def writes_of(self, item: str) -> list[Write]:
        """Those of one row, as they are now."""
        with self._lock:
            return [self._writes[number] for number in self._of_item.get(item, ())]

    def pk(self, item: str) -> int:
        """The id of the row, of which at least one client has seen it."""
        return next(write.pk for write in self.writes_of(item) if write.pk)

    def _set(self, write: Write, state: State, pk: int = 0) -> None:
        with self._lock:
            before = self._writes[write.number]
            doubtful = before.was_doubtful or state == "doubtful"
            self._writes[write.number] = replace(
                before, state=state, pk=pk or before.pk, was_doubtful=doubtful
            )


def item_of_task(title: str) -> str:
    """Which row it is: the title without the number of the write."""
    return title.rpartition(" #")[0]


def item_of_comment(text: str) -> str:
    """Which one it is: its first line."""
    return text.partition("\n")[0]


def titles(writes: Iterable[Write], item: str) -> set[str]:
    """What the title of a row that one client edits may be now: as last acknowledged or later."""
    edits = [w for w in writes if w.item == item and w.kind in ("task", "edit")]
    last = max((w.base for w in edits if w.state == "acknowledged"), default=0)
    return {
        w.values["title"]
        for w in edits
        if w.state != "refused" and (w.base > last or (w.base == last and _stands(w, edits)))
    }


def _stands(write: Write, edits: list[Write]) -> bool:
    """Of several that were made for the same version, the acknowledged one was stored."""
    return write.state == "acknowledged" or not any(
        w.state == "acknowledged" and w.base == write.base for w in edits
    )


def _values(kind: Kind, item: str, number: int) -> dict[str, Any]:
    """What this write stores: all of it follows from its number, so that a mixture shows."""
    words = _text(number)
    if kind == "comment":
        return {"text": f"{item} #{number}.\n{words}"}
    if kind == "delete":
        return {}
    return {
        "title": f"{item} #{number}.",
        "description": f"{words}\n#{number}.",
        "status": STATUSES[number % len(STATUSES)],
        "priority": number % 3 + 1,
        "hours": number % 1000,
    }


def _text(number: int) -> str:
    """Lengths differ, so that a long value moves now and then and now and then fits."""
    rng = Random(number)
    return " ".join(rng.choices(_WORDS, k=rng.randint(1, LONGEST_TEXT_WORDS)))
