"""What a planted bug is: a number, a title, who must see it, and patches to the engine's source."""

from __future__ import annotations

from dataclasses import dataclass

LETTERS = "TIPENKCL"
"""Detectors, cheapest first: trace, integrity, power, errors, nested, kill, concurrency, locks."""


@dataclass(frozen=True, slots=True)
class Patch:
    """``old`` occurs exactly once in ``module``'s source; ``new`` stands there instead.

    ``__planted__()`` in ``new`` tells that it ran; it returns what it is given.
    """

    module: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Bug:
    """One deliberate fault.

    ``detectors`` are the letters of docs/planted-bugs.md.  ``pending`` says what is missing to see
    it.  ``equivalent`` says why it changes nothing alone; then ``pairs`` names bugs together with
    which it must be seen.  ``workloads``, and ``programs`` of several processes, are those that
    reach it, to be tried first.
    """

    number: int
    title: str
    detectors: str
    patches: tuple[Patch, ...]
    pending: str = ""
    equivalent: str = ""
    pairs: tuple[int, ...] = ()
    workloads: tuple[str, ...] = ()
    programs: tuple[str, ...] = ()
