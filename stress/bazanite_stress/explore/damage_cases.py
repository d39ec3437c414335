"""Damage and odd input looked at again, and damage searched for in smaller directories.

A damage is gone to directly, if the undamaged directory has the bytes that it had then.  An odd
input is made again from its seed and number; there is nothing about it that could be made smaller.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from itertools import chain
from typing import Any

from .again import Again, OtherSteps, chosen, kind_of, rule_of
from .damage import (
    ENDINGS,
    Damage,
    Ending,
    damaged,
    flips,
    prepare_workload,
    swaps,
    verdict_on,
    violation_of,
    whole_files,
)
from .damage_judge import Case, DamageJudge
from .explorer import Limits, Violation
from .fuzz import Fuzzer, FuzzTally
from .power import digest_of
from .workload import Workload

_DAMAGES = 10
"""How many damages are tried for each disk that a power cut's search would sample."""


def again(violation: Violation) -> Again:
    """This damage of this directory, or this input."""
    if kind_of(violation) == "odd input":
        return _odd_input(violation)
    case = prepare_workload(violation.workload, _ending(violation))
    damage = _damage(violation)
    if digest_of(case.image) != violation.how["directory"]:
        raise OtherSteps("the undamaged directory has other bytes")
    digest = digest_of(damaged(case, damage)[0])
    return Again(_violation(damage, case, DamageJudge(case)), (), {}, digest)


def search(
    violation: Violation, workload: Workload, limits: Limits, _memory: dict[Any, Any]
) -> tuple[Violation | None, int]:
    """The same kind of damage to the same files of the directory that this workload makes.

    A seeded sample of them; an odd input is no workload's, so none is found.
    """
    if kind_of(violation) == "odd input":
        return None, 0
    case = prepare_workload(workload, _ending(violation))
    judge = DamageJudge(case)
    tried = 0
    for damage in _alike(violation, case, _DAMAGES * limits.sample):
        tried += 1
        found = _violation(damage, case, judge)
        if found is not None and violation.rule in {"", found.rule, rule_of(found)}:
            return found, tried
    return None, tried


def _violation(damage: Damage, case: Case, judge: DamageJudge) -> Violation | None:
    _, wrong, found = verdict_on(damage, case, judge)
    return violation_of(damage, case, wrong, found, 0) if wrong else None


def _alike(violation: Violation, case: Case, count: int) -> Iterable[Damage]:
    like = _damage(violation)
    every: Iterable[Damage] = chain(swaps(case), whole_files(case), *flips(case))
    alike = [d for d in every if d.names == like.names and _kind(d) == _kind(like)]
    sampled = random.Random(str(like)).sample(alike, min(count, len(alike)))
    return dict.fromkeys([like, *sampled] if like in alike else sampled)


def _kind(damage: Damage) -> Damage:
    """What all damages that differ in their place only have in common."""
    return replace(damage, name="", offset=0, other=("", 0) if damage.other else None)


def _damage(violation: Violation) -> Damage:
    recorded: dict[str, Any] = dict(violation.how["damage"])
    other = recorded.pop("other")
    return Damage(other=None if other is None else (other[0], other[1]), **recorded)


def _ending(violation: Violation) -> Ending:
    return ENDINGS[ENDINGS.index(violation.how["ending"])]


def _odd_input(violation: Violation) -> Again:
    tally = FuzzTally(violation.how["seed"])
    _fuzzer().one(tally, violation.how["number"])
    return chosen(tally.violations, violation)


@cache
def _fuzzer() -> Fuzzer:
    return Fuzzer()
