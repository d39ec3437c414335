"""YCSB's core workloads A to F, with its proportions and distributions, on its thousand-byte rows.

Cooper et al., "Benchmarking Cloud Serving Systems with YCSB" (SoCC 2010).  An update writes one
field of ten, a read gives all of them, a scan has 1 to 100 rows.  As there, a read-modify-write is
a read and then an update.
"""

from __future__ import annotations

from itertools import cycle

from .operations import DRAWS, Work, samples
from .tables import FIELDS, Values, WrongResult, check_user, field, user
from .zipf import Zipfian, scrambled

MIXES: dict[str, dict[str, float]] = {
    "ycsb-a": {"read": 0.5, "update": 0.5},
    "ycsb-b": {"read": 0.95, "update": 0.05},
    "ycsb-c": {"read": 1.0},
    "ycsb-d": {"read_latest": 0.95, "insert": 0.05},
    "ycsb-e": {"scan": 0.95, "insert": 0.05},
    "ycsb-f": {"read": 0.5, "read_modify_write": 0.5},
}
LONGEST_SCAN = 100


class Ycsb(Work):
    """One operation of a mix; a subclass names the mix."""

    mix: dict[str, float]

    def begin(self) -> None:
        context, rows = self.context, self.context.rows
        random = context.random
        ranks = Zipfian(max(rows, 1), random)
        drawn = [ranks.rank() for _ in range(DRAWS)]
        self.ids = cycle([scrambled(rank, max(rows, 1)) + 1 for rank in drawn])
        self.ages = cycle(drawn)
        self.lengths = cycle(random.choices(range(1, LONGEST_SCAN + 1), k=DRAWS))
        names = random.choices(list(self.mix), list(self.mix.values()), k=DRAWS)
        self.operations = cycle([getattr(self, name) for name in names])
        self.new_user = user("new")
        self.newest = rows
        self.version = 0
        self.last = 0
        self.row: Values | None = None
        self.first = self.length = 0
        self.rows: list[Values] = []

    def step(self) -> None:
        next(self.operations)()

    def read(self) -> None:
        """The row of a frequent id."""
        self.last = next(self.ids)
        self.row = self.session.get("usertable", self.last)

    def read_latest(self) -> None:
        """One of the newest rows that this thread knows of."""
        self.last = max(1, self.newest - next(self.ages))
        self.row = self.session.get("usertable", self.last)

    def update(self) -> None:
        """One field of a frequent row."""
        self._update(next(self.ids))

    def read_modify_write(self) -> None:
        """Read a row and change a field of it."""
        self.read()
        self._update(self.last)

    def insert(self) -> None:
        """A new row."""
        self.newest = self.session.insert("usertable", self.new_user)
        self.inserted["usertable"] += 1
        self.commits += 1

    def scan(self) -> None:
        """Some rows from a frequent id on."""
        self.first, self.length = next(self.ids), next(self.lengths)
        self.rows = self.session.page("usertable", self.first, self.length)

    def _update(self, row_id: int) -> None:
        self.version += 1
        name = FIELDS[self.version % len(FIELDS)]
        self.session.update("usertable", row_id, {name: field(row_id, name, self.version)})
        self.commits += 1

    def check(self) -> None:
        if self.last:
            check_user(self.last, self.row)
        self._check_page()
        for _ in samples() if self.mix.keys() - {"insert"} else ():
            if "scan" in self.mix:
                self.scan()
                self._check_page()
            else:
                self.read()
                check_user(self.last, self.row)
        if self.inserted:
            check_user(self.newest, self.session.get("usertable", self.newest))

    def _check_page(self) -> None:
        surely = max(0, min(self.length, self.context.rows + 1 - self.first))
        if not surely <= len(self.rows) <= self.length:
            raise WrongResult(f"usertable: {len(self.rows)} rows from {self.first} on")
        for row_id, row in enumerate(self.rows, self.first):
            check_user(row_id, row)


class YcsbLoad(Ycsb):
    """The load phase: rows, one at a time, into an empty table."""

    mix = {"insert": 1.0}  # noqa: RUF012  never changed


def of_mix(name: str) -> type[Ycsb]:
    """The workload of that name."""
    return type(name, (Ycsb,), {"mix": MIXES[name]})
