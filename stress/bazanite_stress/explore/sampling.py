"""Which addresses of a space to visit when there are too many to visit all.

In this order, each once: nothing survived, everything did, everything but one unit, only one unit,
everything up to some moment, everything after it; then every pair of options of two units together
(greedily, in few addresses); then addresses drawn from a seeded generator.  The first kinds are
what has found bugs in real systems; see docs/crash-model.md.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from itertools import islice

from bazanite_stress.simulation.legal import Choice, Space, Unit

_MOST_PAIRED_UNITS = 40


def addresses(space: Space, limit: int, seed: str) -> Iterator[Choice]:
    """At most ``limit`` different addresses of this space."""
    seen: set[Choice] = set()
    for choice in _candidates(space.units, seed):
        if choice not in seen:
            seen.add(choice)
            yield choice
            if len(seen) >= limit or len(seen) >= space.count:
                return


def few(space: Space, limit: int, seed: str) -> Iterator[Choice]:
    """At most ``limit`` different addresses, quickly: two thirds of the first kinds, else drawn."""
    structured = islice(_structured(space.units), limit - limit // 3)
    generator = random.Random(seed)
    drawn = (
        tuple(generator.randrange(len(unit.options)) for unit in space.units)
        for _ in range(2 * limit)
    )
    yield from islice(dict.fromkeys((*structured, *drawn)), min(limit, space.count))


def torn(space: Space, limit: int, seed: str) -> Iterator[Choice]:
    """At most ``limit`` different addresses with a torn sector each: one alone, then several.

    The other units are at their newest or anywhere.  Nothing if no sector can be torn.
    """
    generator = random.Random(f"torn {seed}")
    units = space.units
    tearable = [i for i, unit in enumerate(units) if unit.whole < len(unit.options)]
    newest = tuple(max(range(len(u.events)), key=u.events.__getitem__) for u in units)
    seen: set[Choice] = set()
    for turn in range(2 * limit if tearable else 0):
        choice = list(newest)
        if turn % 2:
            choice = [generator.randrange(len(unit.options)) for unit in units]
        count = 1 + turn % 4 // 2 * generator.randrange(len(tearable))
        for i in generator.sample(tearable, count):
            choice[i] = generator.randrange(units[i].whole, len(units[i].options))
        if len(seen) < limit and tuple(choice) not in seen:
            seen.add(tuple(choice))
            yield tuple(choice)


def _candidates(units: Sequence[Unit], seed: str) -> Iterator[Choice]:
    yield from _structured(units)
    generator = random.Random(seed)
    if len(units) <= _MOST_PAIRED_UNITS:
        yield from _pairwise(units, generator)
    while units:
        yield tuple(generator.randrange(len(unit.options)) for unit in units)
    yield ()


def _structured(units: Sequence[Unit]) -> Iterator[Choice]:
    newest = tuple(max(range(len(u.events)), key=u.events.__getitem__) for u in units)
    oldest = tuple(min(range(len(u.events)), key=u.events.__getitem__) for u in units)
    yield oldest
    yield newest
    for i in range(len(units)):
        yield (*newest[:i], oldest[i], *newest[i + 1 :])
        yield (*oldest[:i], newest[i], *oldest[i + 1 :])
    moments = sorted({event for unit in units for event in unit.events}, reverse=True)
    for moment in moments:
        yield tuple(_at(unit, moment) for unit in units)
        yield tuple(
            new if unit.events[new] > moment else old
            for unit, new, old in zip(units, newest, oldest, strict=True)
        )


def _at(unit: Unit, moment: int) -> int:
    """The newest option that is not newer than the moment, or else the oldest."""
    oldest = min(unit.events)
    known = [option for option, event in enumerate(unit.events) if event <= max(moment, oldest)]
    return max(known, key=unit.events.__getitem__)


def _pairwise(units: Sequence[Unit], generator: random.Random) -> Iterator[Choice]:
    """Addresses that together hold every pair of options of every two units."""
    missing = {
        (i, a, j, b)
        for i in range(len(units))
        for j in range(i + 1, len(units))
        for a in range(len(units[i].options))
        for b in range(len(units[j].options))
    }
    while missing:
        i, a, j, b = min(missing)
        choice = [generator.randrange(len(unit.options)) for unit in units]
        choice[i], choice[j] = a, b
        missing -= {
            (p, choice[p], q, choice[q])
            for p in range(len(units))
            for q in range(p + 1, len(units))
        }
        yield tuple(choice)
