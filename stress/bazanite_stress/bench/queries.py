"""The workloads that sort, page and add up."""

from __future__ import annotations

from bisect import bisect_left
from itertools import cycle

from .operations import DRAWS, Scan, Work, samples
from .tables import Values, WrongResult, check_count, item, keyed

PAGE = 10
"""So many rows are wanted of a range, or of an order."""
_SPAN = 10_000_000
"""How wide a range of codes is: a hundredth of all."""


class IndexedRange(Work):
    """The first rows of ``keyed`` in a range of codes, which have an index, in their order."""

    def begin(self) -> None:
        context = self.context
        drawn = context.random.choices(range(1, context.rows + 1), k=min(DRAWS, 1_000))
        self.lows = cycle([keyed(row_id)["code"] for row_id in drawn])
        self.low = 0
        self.found: list[Values] = []

    def step(self) -> None:
        self.low = next(self.lows)
        self.found = self.session.between("keyed", "code", self.low, self.low + _SPAN, PAGE)

    def check(self) -> None:
        ids = {keyed(row_id)["code"]: row_id for row_id in range(1, self.context.rows + 1)}
        codes = sorted(ids)
        for _ in samples():
            first = bisect_left(codes, self.low)
            wanted = [code for code in codes[first : first + PAGE] if code <= self.low + _SPAN]
            expected = [{"id": ids[code], **keyed(ids[code])} for code in wanted]
            if self.found != expected:
                raise WrongResult(f"keyed: from code {self.low} on are {self.found}")
            self.step()


class Ordered(Scan):
    """The first rows of ``item`` by their names, which have no index."""

    def step(self) -> None:
        self.found = self.session.first("item", "name", PAGE)

    def check(self) -> None:
        names = sorted((item(n)["name"], n) for n in range(1, self.context.rows + 1))[:PAGE]
        expected = [{"id": row_id, **item(row_id)} for _, row_id in names]
        if self.found != expected:
            raise WrongResult(f"item: the first ones by name are {self.found}")


class Grouped(Scan):
    """How many rows of ``item`` each group has, and the sum of their scores."""

    def step(self) -> None:
        self.found = self.session.totals("item", "grp", "score")

    def check(self) -> None:
        expected: dict[int, Values] = {}
        for row_id in range(1, self.context.rows + 1):
            row = item(row_id)
            group = expected.setdefault(row["grp"], {"grp": row["grp"], "rows": 0, "sum": 0})
            group["rows"] += 1
            group["sum"] += row["score"]
        check_count("item: groups", len(self.found), len(expected))
        for group in self.found:
            if group != expected[group["grp"]]:
                raise WrongResult(f"item: a group is {group}, not {expected[group['grp']]}")
