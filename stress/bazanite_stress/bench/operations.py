"""The workloads as operations on an open database: small rows written, read, searched.

Each is made once a thread.  Keys are drawn beforehand, so that drawing them is not measured.
``check`` looks, after the loop, whether what was read and written is right: WrongResult if not.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from random import Random

from .engine import Engine, Session
from .tables import (
    SCORE_LIMIT,
    WANTED_GRP,
    Values,
    WrongResult,
    check_count,
    check_item,
    entry,
    hits,
    item,
    keyed,
)

DRAWS = 8_192
_SAMPLES = 100


@dataclass(slots=True)
class Context:
    """Who repeats an operation, and on what: thread ``worker`` of all ``workers`` of its kind.

    ``session`` is None for what opens the directory itself.  ``last_change``: how often the rows
    were changed by whoever left a full log.
    """

    engine: Engine
    directory: Path
    rows: int
    random: Random
    worker: int = 0
    workers: int = 1
    session: Session | None = None
    last_change: int = 0

    @property
    def opened(self) -> Session:
        """The session that all threads of the process share."""
        assert self.session is not None
        return self.session


@dataclass(slots=True)
class Work:
    """What all operations have: ``commits`` so far, and which tables have grown by how much."""

    context: Context
    session: Session = field(init=False)
    commits: int = 0
    inserted: Counter[str] = field(default_factory=Counter)
    prepares: bool = False

    def __post_init__(self) -> None:
        if self.context.session is not None:
            self.session = self.context.session
        self.begin()

    def begin(self) -> None:
        """Draw what will be needed."""

    def prepare(self) -> None:
        """Nothing, for most."""

    def step(self) -> None:
        """The operation."""
        raise NotImplementedError

    def check(self) -> None:
        """WrongResult if what was done or read is not what should be."""
        raise NotImplementedError

    def end(self) -> None:
        """Close what this operation opened itself."""

    def own_ids(self) -> Iterator[int]:
        """Ids that no other thread changes, at random, for ever."""
        context = self.context
        mine = range(context.worker + 1, context.rows + 1, context.workers)
        return cycle(context.random.choices(mine, k=min(DRAWS, 4 * len(mine))))


def samples(seconds: float = 1.0) -> Iterator[None]:
    """How often to look again: a hundred times, or as often as a second has room for."""
    end = time.monotonic() + seconds
    for _ in range(_SAMPLES):
        yield
        if time.monotonic() > end:
            return


class Insert(Work):
    """A row into ``item``."""

    def begin(self) -> None:
        self.values = {**item(self.context.worker), "name": f"new of {self.context.worker}"}
        self.last = 0

    def step(self) -> None:
        self.last = self.session.insert("item", self.values)
        self.commits += 1

    def check(self) -> None:
        self.inserted["item"] = self.commits
        row = self.session.get("item", self.last)
        if row != {"id": self.last, **self.values}:
            raise WrongResult(f"item: the inserted row {self.last} reads as {row}")


class InsertKeyed(Work):
    """A row into ``keyed``, and an entry into each of its two indexes."""

    def begin(self) -> None:
        context = self.context
        self.next_id = context.rows + 1 + context.worker
        self.last = 0
        self.values: Values = {}

    def step(self) -> None:
        self.values = keyed(self.next_id)
        self.next_id += self.context.workers
        self.last = self.session.insert("keyed", self.values)
        self.commits += 1

    def check(self) -> None:
        self.inserted["keyed"] = self.commits
        expected = {"id": self.last, **self.values}
        found = self.session.equal("keyed", "code", self.values["code"])
        if found != [expected]:
            raise WrongResult(f"keyed: the inserted row {self.last} is found as {found}")


class ReadKeyed(Work):
    """A row of ``keyed`` by its code, which has an index."""

    def begin(self) -> None:
        drawn = self.context.random.choices(range(1, self.context.rows + 1), k=DRAWS)
        self.ids = cycle(drawn)
        self.codes = cycle([keyed(row_id)["code"] for row_id in drawn])
        self.found: list[Values] = []
        self.last = 0

    def step(self) -> None:
        self.last = next(self.ids)
        self.found = self.session.equal("keyed", "code", next(self.codes))

    def check(self) -> None:
        for _ in samples():
            expected = [{"id": self.last, **keyed(self.last)}]
            if self.found != expected:
                raise WrongResult(f"keyed: row {self.last} is found as {self.found}")
            self.step()


class Update(Work):
    """One number of a row of ``item``; each thread has its own rows."""

    def begin(self) -> None:
        self.ids = self.own_ids()
        self.last = 0

    def step(self) -> None:
        self.last = next(self.ids)
        self.commits += 1
        self.session.update("item", self.last, {"score": self.commits})

    def check(self) -> None:
        check_item(self.last, self.session.get("item", self.last), score=self.commits)


class Transaction(Update):
    """A row into ``entry`` and the score of its ``item``, both or none."""

    def begin(self) -> None:
        super().begin()
        self.entry = 0

    def step(self) -> None:
        self.last = last = next(self.ids)
        self.commits += 1
        with self.session.transaction():
            self.entry = self.session.insert("entry", {"item": last, "amount": self.commits})
            self.session.update("item", last, {"score": self.commits})

    def check(self) -> None:
        super().check()
        self.inserted["entry"] = self.commits
        row = self.session.get("entry", self.entry)
        if row != {"id": self.entry, "item": self.last, "amount": self.commits}:
            raise WrongResult(f"entry: the inserted row {self.entry} reads as {row}")


class Read(Work):
    """A row of ``item`` by its id, each as likely as any other."""

    def begin(self) -> None:
        ids = range(1, self.context.rows + 1)
        self.ids = cycle(self.context.random.choices(ids, k=DRAWS))
        self.last = 0
        self.row: Values | None = None

    def step(self) -> None:
        self.last = next(self.ids)
        self.row = self.session.get("item", self.last)

    def check(self) -> None:
        self.check_row(self.last, self.row)
        for _ in samples():
            self.step()
            self.check_row(self.last, self.row)

    def check_row(self, row_id: int, row: Values | None) -> None:
        """WrongResult unless it is that row."""
        check_item(row_id, row)


class ReadBeside(Read):
    """The same while others change scores."""

    def check_row(self, row_id: int, row: Values | None) -> None:
        check_item(row_id, row, score=-1 if row is None else row["score"])


class Scan(Work):
    """All rows of ``item``."""

    def begin(self) -> None:
        self.found: list[Values] = []

    def step(self) -> None:
        self.found = self.session.scan("item")

    def check(self) -> None:
        check_count("item", len(self.found), self.expected())
        for row in self.context.random.choices(self.found, k=_SAMPLES):
            self.check_row(row)
        check_count("item: ids", len({row["id"] for row in self.found}), len(self.found))

    def expected(self) -> int:
        """How many rows have to be found."""
        return self.context.rows

    def check_row(self, row: Values) -> None:
        """WrongResult unless it is a row that had to be found."""
        check_item(row["id"], row)


class Equality(Scan):
    """The one row in a hundred that has the wanted number."""

    def step(self) -> None:
        self.found = self.session.equal("item", "grp", WANTED_GRP)

    def expected(self) -> int:
        return hits("grp", self.context.rows)

    def check_row(self, row: Values) -> None:
        check_item(row["id"], row, grp=WANTED_GRP)


class Range(Scan):
    """The one row in a hundred whose number is above a limit."""

    def step(self) -> None:
        self.found = self.session.greater("item", "score", SCORE_LIMIT)

    def expected(self) -> int:
        return hits("score", self.context.rows)

    def check_row(self, row: Values) -> None:
        check_item(row["id"], row)
        if row["score"] <= SCORE_LIMIT:
            raise WrongResult(f"item: row {row['id']} was found, with a score of {row['score']}")


class Join(Scan):
    """All rows of ``item``, each with its rows of ``entry``."""

    def step(self) -> None:
        self.found = self.session.join("item", "entry", "item", "entries")

    def check_row(self, row: Values) -> None:
        rest = dict(row)
        entries = rest.pop("entries")
        check_item(row["id"], rest)
        mirror = self.context.rows + 1 - row["id"]
        if entries != [{"id": mirror, **entry(mirror, self.context.rows)}]:
            raise WrongResult(f"item: row {row['id']} is joined with {entries}")
