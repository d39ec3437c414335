"""Many damaged copies, each repaired and judged; one seed decides all of them."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from bazanite import CorruptionError, DirectoryError, repair

from .damaging import damage
from .judging import Truths, Verdict, judge, truths
from .originals import KINDS, copy, make


@dataclass(slots=True)
class Campaign:
    """The sums over all copies; ``failures`` say how each wrong repair can be repeated."""

    copies: int = 0
    refused: int = 0
    with_schema: int = 0
    total: Verdict = field(default_factory=Verdict)
    failures: list[str] = field(default_factory=list)


def run(
    scratch: Path, seed: int, first: int, count: int,
    on_copy: Callable[[Campaign], object] = lambda _: None, only: str = "",
) -> Campaign:  # fmt: skip
    """Damage and repair the copies ``first`` to ``first + count`` of this seed.

    ``only`` the files whose names end so are damaged.
    """
    campaign = Campaign()
    made: dict[int, tuple[Path, Truths]] = {}
    for number in range(first, first + count):
        which = number % len(KINDS)
        if which not in made:
            path = scratch / f"original-{which}"
            make(path, KINDS[which], seed + which)
            made[which] = path, truths(path, scratch / "truth")
        original, truth = made[which]
        _one_copy(campaign, scratch, original, truth, f"{seed} {number}", only)
        on_copy(campaign)
    for original, _ in made.values():
        shutil.rmtree(original)
    return campaign


def _one_copy(
    campaign: Campaign, scratch: Path, original: Path, truth: Truths, name: str, only: str
) -> None:
    damaged = copy(original, scratch / "damaged")
    repaired = scratch / "repaired"
    told = damage(damaged, Random(name), only)
    before = _hashes(damaged)
    campaign.copies += 1
    label = f"copy {name} ({KINDS[int(name.split()[1]) % len(KINDS)]}; {'; '.join(told)})"
    try:
        try:
            report = repair(damaged, repaired)
            if any("catalog" in doubt for doubt in report.doubts):
                shutil.rmtree(repaired)
                raise CorruptionError("", 0, "a proven catalog", "none")
        except CorruptionError:
            if repaired.exists():
                campaign.failures.append(f"{label}: refused, and something was made")
            campaign.with_schema += 1
            report = repair(damaged, repaired, schema=original)
        verdict = judge(truth, damaged, repaired, report)
    except DirectoryError:
        if any(p.suffix == ".dat" for p in damaged.iterdir()):
            raise
        campaign.refused += 1
        verdict = Verdict()
    except Exception as error:  # noqa: BLE001  whatever it is, it is a finding
        verdict = Verdict(wrong=[f"{type(error).__name__}: {error}"])
    if _hashes(damaged) != before:
        verdict.wrong.append("the damaged directory was changed")
    campaign.failures += [f"{label}: {what}" for what in verdict.wrong]
    total = campaign.total
    for key in ("whole", "saved", "lost", "in_doubt", "healed", "quarantined"):
        setattr(total, key, getattr(total, key) + getattr(verdict, key))
    shutil.rmtree(damaged)
    shutil.rmtree(repaired, ignore_errors=True)


def _hashes(path: Path) -> dict[str, str]:
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in path.iterdir()}
