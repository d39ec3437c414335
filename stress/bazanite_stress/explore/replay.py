"""Replay files: a violation as a JSON file that a person can read and a machine can repeat.

workload, profile, sector, tearing   what was done, on which kind of disk
how                                  what happened besides (docs/crash-model.md)
point                                the moment
disk                                 what was not at its newest, by name; the whole address
bugs                                 numbers of planted bugs, if any was
rule, expected, found                the verdict
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from bazanite_stress.simulation.disk import PROFILES
from bazanite_stress.simulation.legal import Tearing

from .again import KINDS, Again, OtherSteps, again, elsewhere, identical, kind_of, plain
from .explorer import Violation
from .runner import Point
from .story import story
from .workload import Workload

FORMAT = "bazanite replay 1"

Verdict = Literal["violated", "other steps", "survived"]
VERDICTS: tuple[Verdict, ...] = ("violated", "other steps", "survived")
"""The worst first."""


class ReplayError(ValueError):
    """This file is no replay file, or not one that can be used here; the text says why."""


@dataclass(frozen=True, slots=True)
class Replay:
    """What a replay file holds: a violation and its disk, named and by digest."""

    violation: Violation
    older: Mapping[str, int]
    digest: str
    bugs: tuple[int, ...] = ()

    def as_document(self) -> dict[str, Any]:
        """For JSON."""
        v = self.violation
        return {
            "format": FORMAT,
            "story": story(v),
            "rule": v.rule,
            "expected": [text.splitlines() for text in v.expected],
            "found": v.found.splitlines(),
            "workload": v.workload.as_json(),
            "profile": v.profile,
            "sector": v.sector,
            "tearing": asdict(v.tearing),
            "how": {"kind": kind_of(v)} | v.how,
            "point": asdict(v.point),
            "disk": {
                "older": dict(self.older),
                "lost": list(v.lost),
                "prefix": v.prefix,
                "choice": list(v.choice),
                "digest": self.digest,
            },
            "bugs": list(self.bugs),
        }


@dataclass(frozen=True, slots=True)
class Replayed:
    """What repeating gave: of ``times`` runs, ``identical`` ones said what the file says.

    ``found`` is the violation of the last run that had one, ``problem`` why there is no verdict.
    """

    verdict: Verdict
    times: int
    identical: int
    found: Violation | None = None
    problem: str = ""

    def as_document(self) -> dict[str, Any]:
        """For ``--json``, and from the process in which a bug was planted."""
        found = Replay(self.found, {}, "").as_document() if self.found else None
        return {
            "verdict": self.verdict,
            "times": self.times,
            "identical": self.identical,
            "problem": self.problem,
            "found": found,
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Replayed:
        """What ``as_document`` gave."""
        found = from_document(document["found"]).violation if document["found"] else None
        return cls(**{**document, "found": found})


def record(violation: Violation, bugs: tuple[int, ...] = ()) -> Replay:
    """What to write about this violation: it is looked at once more.

    OtherSteps if that does not give the same violation.
    """
    violation = plain(violation)
    seen = again(violation)
    if not identical(seen.violation, violation):
        raise OtherSteps(f"a second look gives {_rule(seen)}, not: {violation.rule}")
    return Replay(violation, dict(seen.older or {}), seen.digest, bugs)


def replay(recorded: Replay, times: int = 1) -> Replayed:
    """Do it again, in this process and with the engine that it has; ReplayError if it cannot."""
    same, found, verdicts = 0, None, set[Verdict]()
    problem = ""
    for _ in range(times):
        try:
            seen = again(recorded.violation, recorded.older)
        except OtherSteps as error:
            verdicts.add("other steps")
            problem = str(error)
            continue
        except Exception as error:
            raise ReplayError(f"cannot be carried out here: {error!r}") from error
        verdicts.add("violated" if seen.violation else "survived")
        found = seen.violation or found
        same += identical(seen.violation, recorded.violation) and seen.digest == recorded.digest
    for verdict in VERDICTS:
        if verdict in verdicts:
            if verdict == "other steps":
                problem = f"{problem}; {_anew(recorded.violation)}"
            return Replayed(verdict, times, same, found, problem)
    raise ValueError("nothing was repeated")


def replay_file(path: Path, times: int = 1, *, plant: bool = True) -> Replayed:
    """Do again what this file says, with the bugs that were planted then: in a process of its own.

    ReplayError if it cannot be used.
    """
    recorded = read_replay(path)
    if not (plant and recorded.bugs):
        return replay(recorded, times)
    command = [sys.executable, "-m", "bazanite_stress.explore.fresh", str(path), str(times)]
    environment = os.environ | {
        "PYTHONHASHSEED": "0"
    }  # as when the bug was seen: sets have an order
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False, env=environment)
    try:
        answer = json.loads(done.stdout)
    except ValueError as error:
        raise ReplayError(f"{path}: the process with the bug ended: {done.returncode}") from error
    if "error" in answer:
        raise ReplayError(f"{path}: {answer['error']}")
    return Replayed.from_document(answer)


def write_replay(path: Path, recorded: Replay) -> None:
    """Write the file, whole or not at all."""
    write_whole(path, json.dumps(recorded.as_document(), indent=1, ensure_ascii=False) + "\n")


def write_whole(path: Path, text: str) -> None:
    """Write a file under another name, then give it this one."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.write_text(text, encoding="utf-8")
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def read_replay(path: Path) -> Replay:
    """What the file says; ReplayError if it cannot be used."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ReplayError(f"{path}: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise ReplayError(f"{path}: no replay file, not even JSON: {error}") from error
    try:
        return from_document(document)
    except ReplayError as error:
        raise ReplayError(f"{path}: {error}") from error


def from_document(document: Any) -> Replay:
    """The same of a parsed document."""
    if not isinstance(document, dict) or not str(document.get("format", "")).startswith(
        FORMAT.rpartition(" ")[0]
    ):
        raise ReplayError(f'no replay file: it does not begin with "format": "{FORMAT}"')
    if document["format"] != FORMAT:
        raise ReplayError(f"written by another version: {document['format']!r}, not {FORMAT!r}")
    how = _part(document, "how", dict)
    if how.get("kind") not in KINDS:
        raise ReplayError(f"nothing here repeats the kind {how.get('kind')!r} (how)")
    disk = _part(document, "disk", dict)
    try:
        violation = Violation(
            workload=Workload.from_json(_part(document, "workload", dict)),
            profile=_one_of(document, "profile", PROFILES),
            sector=_number(document, "sector", 1),
            point=_point(_part(document, "point", dict)),
            prefix=_number(disk, "prefix", -1),
            choice=tuple(_numbers(disk, "choice")),
            lost=tuple(_part(disk, "lost", list)),
            expected=tuple("\n".join(lines) for lines in _part(document, "expected", list)),
            found="\n".join(_part(document, "found", list)),
            rule=_part(document, "rule", str),
            states=0,
            how={} if len(how) == 1 and how["kind"] == "power cut" else how,
            tearing=Tearing(**_part(document, "tearing", dict)),
        )
    except ReplayError:
        raise
    except (TypeError, ValueError, KeyError, IndexError, AttributeError) as error:
        raise ReplayError(f"damaged: {error}") from error
    older = _part(disk, "older", dict)
    return Replay(violation, older, _part(disk, "digest", str), tuple(_numbers(document, "bugs")))


def _point(document: Mapping[str, Any]) -> Point:
    numbers = (_number(document, name, 0) for name in ("number", "step", "lowest", "highest"))
    number, step, lowest, highest = numbers
    return Point(number, step, _part(document, "what", str), lowest, highest)


def _anew(violation: Violation) -> str:
    try:
        found = elsewhere(violation)
    except Exception as error:  # noqa: BLE001  only a remark
        return f"its workload cannot be explored anew: {error!r}"
    if found is None:
        return "its workload, explored anew, survives"
    return f"its workload, explored anew, breaks the same rule at crash point {found.point.number}"


def _rule(seen: Again) -> str:
    return seen.violation.rule if seen.violation else "no violation"


def _part(document: Mapping[str, Any], name: str, kind: type[Any]) -> Any:
    if name not in document:
        raise ReplayError(f"damaged: {name!r} is missing")
    if not isinstance(document[name], kind) or isinstance(document[name], bool):
        raise ReplayError(f"damaged: {name!r} is {document[name]!r}, not a {kind.__name__}")
    return document[name]


def _number(document: Mapping[str, Any], name: str, least: int) -> int:
    found: int = _part(document, name, int)
    if found < least:
        raise ReplayError(f"damaged: {name!r} is {found}, less than {least}")
    return found


def _numbers(document: Mapping[str, Any], name: str) -> list[int]:
    found: list[int] = _part(document, name, list)
    if not all(type(number) is int and number >= 0 for number in found):
        raise ReplayError(f"damaged: {name!r} must be numbers, not {found!r}")
    return found


def _one_of(document: Mapping[str, Any], name: str, known: tuple[Any, ...]) -> Any:
    found = _part(document, name, str)
    if found not in known:
        raise ReplayError(f"damaged: {name!r} is {found!r}, not one of {', '.join(known)}")
    return found
