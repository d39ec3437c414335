"""Damage: flipped bits, swapped sectors, cut, grown and older files, of a small directory.

What the crash explorer asks of power cuts this asks of decay: whatever byte of the log, the shared
words or a table's files is wrong, the directory's answers are right, or they are typed errors.
Each damaged directory is opened by the real engine on a simulated machine, read in every way, and
checked.  It is one of:

- *detected*: opening, a read or ``check`` says so, and no answer is wrong that nothing warns of;
- *harmless*: all answers are right and nothing complains;
- *torn*: the end of the log looks like a torn tail, recovery reports it, and the answers are those
  of an earlier state, whole;
- *mixed*: the same, but the answers are those of no state.  After a power cut only, and only for
  damage in the log's last frames, which may be in the table files already;
- *undetectable*: an answer is wrong, and nothing says so: without checksums a digit that became
  another one is still a digit.  docs/format.md lists these bytes.  With checksums, and in the log
  at any rate, it is a violation.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from itertools import combinations
from typing import Any, Literal

from bazanite_stress.simulation.disk import Image
from bazanite_stress.simulation.machine import Machine
from bazanite_wal.log import LOG_NAME
from bazanite_wal.scan import scan_log

from .damage_judge import SHARED, Case, DamageJudge, Kind, State
from .explorer import Violation
from .model import Model, describe
from .power import digest_of
from .runner import Point, Run
from .workload import Step, Workload

SECTOR = 512
Ending = Literal["closed", "killed", "cut"]
ENDINGS: tuple[Ending, ...] = ("closed", "killed", "cut")

TABLES: dict[str, dict[str, list[Any]]] = {
    "a": {"v": ["char", 4], "n": ["int"]},
    "t": {"a": ["fk", "a"], "v": ["text"]},
}
STEPS: list[Step] = [
    ["insert", "a", {"v": "one", "n": 1}],
    ["insert", "t", {"a": 1, "v": "hello"}],
    ["insert", "a", {"v": "two"}],
    ["insert", "a", {"v": "3", "n": 30}],
    ["insert", "t", {"a": 2, "v": "bye"}],
    ["delete", "a", 1],
    ["insert", "a", {"id": 9, "v": "*9"}],
    ["delete", "a", 2],
    ["delete", "a", 3],
    ["transaction", [["update", "t", 1, {"v": "hello, world"}], ["update", "t", 2, {"a": None}]]],
    ["insert", "t", {"v": "new"}],
    ["transaction", [["update", "t", 1, {"a": 9}], ["update", "a", 9, {"n": -9}]]],
]
_LARGER: list[Step] = [["insert", "t", {"v": f"{i:*>97}"}] for i in range(12)]
"""Rows, index and texts of more than one sector, so that swaps have something to swap."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """A directory to damage: how its last process left it, and under which options."""

    ending: Ending
    checksums: bool = False
    durability: str = "full"
    larger: bool = False

    @property
    def name(self) -> str:
        """For people."""
        words = [self.ending, self.durability] + ["checksums"] * self.checksums
        return ", ".join(words + ["larger"] * self.larger)

    def workload(self) -> Workload:
        """What makes the directory."""
        options: dict[str, Any] = {"log_size_bytes": 8192, "checkpoint_bytes": 1 << 20}
        return Workload(
            "damage",
            TABLES,
            [*STEPS[:5], *(_LARGER if self.larger else ()), ["checkpoint"], *STEPS[5:]],
            durability=self.durability,
            options=options | {"checksums": self.checksums},
        )


@dataclass(slots=True)
class DamageTally:
    """What came out of one scenario.

    ``visited`` counts damages, ``unique`` the recovered directories that were read, ``kinds`` the
    damages of each class; ``undetectable`` has the bits of that class.
    """

    scenario: str
    visited: int = 0
    unique: int = 0
    kinds: dict[Kind, int] = field(default_factory=dict)
    undetectable: set[tuple[str, int]] = field(default_factory=set)
    violations: list[Violation] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Damage:
    """One damage: bit ``bit`` of byte ``offset`` of ``name``, or two sectors that changed places.

    ``resized``: the file ends at ``offset``, or has zeros from its end to there; ``zeroed``: it has
    zeros from there on; ``older``: it is what it was at the checkpoint.  Of the shared words the
    offset counts bytes of their file.
    """

    name: str
    offset: int
    bit: int = -1
    other: tuple[str, int] | None = None
    resized: bool = False
    zeroed: bool = False
    older: bool = False

    @property
    def names(self) -> set[str]:
        """The files that are damaged."""
        return {self.name} if self.other is None else {self.name, self.other[0]}

    def __str__(self) -> str:
        if self.other is not None:
            name, offset = self.other
            return f"sectors {self.name} {self.offset} and {name} {offset} swapped"
        if self.older:
            return f"{self.name} as it was before"
        if self.zeroed:
            return f"{self.name} zeros from byte {self.offset} on"
        if self.resized:
            return f"{self.name} cut or grown to {self.offset} bytes"
        return f"bit {self.bit} of byte {self.offset} of {self.name} flipped"


def scenarios() -> list[Scenario]:
    """All that are explored."""
    result = [
        Scenario("closed"),
        Scenario("closed", checksums=True),
        Scenario("killed"),
        Scenario("killed", checksums=True),
        Scenario("killed", durability="normal"),
        Scenario("killed", durability="normal", checksums=True),
        Scenario("cut"),
    ]
    return [*result, *(replace(scenario, larger=True) for scenario in result[:4])]


def explore_damage(
    scenario: Scenario, *, sample: int | None = None, seed: int = 0, most_violations: int = 20
) -> DamageTally:
    """All damages of a scenario, or as many as ``sample`` of each kind, drawn by ``seed``."""
    case = prepare(scenario)
    judge = DamageJudge(case)
    tally = DamageTally(scenario.name)
    generator = random.Random(f"{seed}/{scenario.name}")
    damages = [list(swaps(case)), list(whole_files(case))]
    damages += [] if scenario.larger else flips(case)
    for group in damages:
        chosen = group if sample is None else generator.sample(group, min(sample, len(group)))
        for damage in chosen:
            _visit(damage, case, judge, tally)
            if len(tally.violations) >= most_violations:
                return tally
    tally.unique = judge.unique
    return tally


def prepare(scenario: Scenario) -> Case:
    """Make the directory, and the states that it went through."""
    return prepare_workload(scenario.workload(), scenario.ending)


def prepare_workload(workload: Workload, ending: Ending) -> Case:
    """The directory that this workload makes."""
    machine = Machine.from_image(None, "journal", SECTOR, boot=1)
    run = Run(workload, machine, lambda _point: None)
    run.start()
    older: Image = {}
    for number, step in enumerate(workload.steps):
        run.take(number, step)
        if step[0] == "checkpoint":
            older = machine.image()
    assert run.db is not None
    assert run.system is not None
    if ending == "closed":
        run.db.close()
    else:
        run.system.kill()
    assert machine.folder is not None
    words = machine.words[machine.folder.names[SHARED]]
    states, rows = _different(run.states), describe(run.states[-1].content())
    boot = 2 if ending == "cut" else 1
    return Case(workload, machine.image(), tuple(words), states, rows, ending, boot, older)


def _different(models: list[Model]) -> list[State]:
    """The states, each once in a row: a checkpoint makes none."""
    states = [State.of(model) for model in models]
    return [s for i, s in enumerate(states) if i == 0 or s != states[i - 1]]


def flips(case: Case) -> Iterator[list[Damage]]:
    """Every bit: one group for the log, one for the shared words, one for each file with data."""
    for name, data in sorted(case.image.items()):
        size = 8 * len(case.words) if name == SHARED else len(data)
        if name in (".lock", ".sync", ".attached") or not size:
            continue
        yield [Damage(name, offset, bit) for offset in range(size) for bit in range(8)]


def swaps(case: Case) -> Iterator[Damage]:
    """Every two sectors of the log and the tables' files."""
    sectors = [
        (name, offset)
        for name, data in sorted(case.image.items())
        if not name.startswith(".")
        for offset in range(0, len(data), SECTOR)
    ]
    for (name, offset), other in combinations(sectors, 2):
        yield Damage(name, offset, other=other)


def whole_files(case: Case) -> Iterator[Damage]:
    """Files that end elsewhere, and files of an earlier time; a log's end is where a frame's is."""
    for name, data in sorted(case.image.items()):
        if name.startswith("."):
            continue
        sizes = {0, len(data) - 1, *range(0, len(data), SECTOR)}
        if name == LOG_NAME:
            scan = scan_log(data)
            assert scan is not None
            end = scan.header.file_offset(scan.end)
            sizes = {size for size in sizes if size <= end}
            starts = [scan.header.file_offset(frame.lsn) for frame in scan.frames]
            sizes.update(starts)
            if case.boot == 1:  # after a power cut nothing tells it from what was never written
                yield from (Damage(name, start, zeroed=True) for start in starts)
        else:
            sizes |= {len(data) + 1, len(data) + 9, len(data) + SECTOR}
            if case.older[name] != data:
                yield Damage(name, 0, older=True)
        yield from (Damage(name, size, resized=True) for size in sorted(sizes) if size >= 0)


def damaged(case: Case, damage: Damage) -> tuple[Image, tuple[int, ...]]:
    """The directory's files and shared words with this damage."""
    image, words = dict(case.image), case.words
    if damage.older:
        image[damage.name] = case.older[damage.name]
    elif damage.resized or damage.zeroed:
        old = image[damage.name]
        size = len(old) if damage.zeroed else damage.offset
        image[damage.name] = old[: damage.offset].ljust(size, b"\0")
    elif damage.other is not None:
        name, offset = damage.other
        mine, its = _sector(image, damage.name, damage.offset), _sector(image, name, offset)
        _put(image, damage.name, damage.offset, its)
        _put(image, name, offset, mine)
    elif damage.name == SHARED:
        index, byte = divmod(damage.offset, 8)
        flipped = words[index] ^ 1 << (byte * 8 + damage.bit)
        words = (*words[:index], flipped, *words[index + 1 :])
    else:
        content = bytearray(image[damage.name])
        content[damage.offset] ^= 1 << damage.bit
        image[damage.name] = bytes(content)
    return image, words


def _sector(image: Image, name: str, offset: int) -> bytes:
    return image[name][offset : offset + SECTOR].ljust(SECTOR, b"\0")


def _put(image: Image, name: str, offset: int, data: bytes) -> None:
    old = image[name]
    size = min(SECTOR, len(old) - offset)
    image[name] = old[:offset] + data[:size] + old[offset + size :]


def _is_in_data(damage: Damage, case: Case, judge: DamageJudge) -> bool:
    """Whether the wrong answer comes of a table's bytes alone, and none of the log's."""
    if not {"wal.log", SHARED} & damage.names:
        return True
    image, words = damaged(case, damage)
    log = {"wal.log": case.image["wal.log"]}
    if judge.verdict(image | log, words).kind != "undetectable":
        return False
    log = {"wal.log": image["wal.log"]}
    return judge.verdict(case.image | log, words).kind not in ("mixed", "undetectable")


def _visit(damage: Damage, case: Case, judge: DamageJudge, tally: DamageTally) -> None:
    kind, wrong, found = verdict_on(damage, case, judge)
    tally.visited += 1
    tally.kinds[kind] = tally.kinds.get(kind, 0) + 1
    if kind == "undetectable" and not wrong and damage.bit >= 0:
        tally.undetectable.add((damage.name, damage.offset))
    if wrong:
        tally.violations.append(violation_of(damage, case, wrong, found, tally.visited))


def verdict_on(damage: Damage, case: Case, judge: DamageJudge) -> tuple[Kind, str, str]:
    """The class of this damage, the rule that it shows broken ("": none), and what was found."""
    verdict = judge.verdict(*damaged(case, damage))
    kind, wrong, found = verdict.kind, verdict.wrong, verdict.text
    if kind in ("undetectable", "mixed"):
        if not case.workload.options.get("checksums") and _is_in_data(damage, case, judge):
            kind = "undetectable"
        elif kind == "undetectable":
            wrong = "a wrong answer that nothing tells of"
        elif case.boot == 1 or "wal.log" not in damage.names:
            wrong = "a torn tail, and the answers are of no state"
    return kind, wrong, found


def violation_of(damage: Damage, case: Case, wrong: str, found: str, visited: int) -> Violation:
    """What to record of a damage that breaks a rule."""
    steps = len(case.workload.steps)
    point = Point(0, steps, f"in a directory that was {case.ending}", 0, 0)
    how = {"kind": "damage", "ending": case.ending, "damage": asdict(damage), "what": str(damage),
           "directory": digest_of(case.image)}  # fmt: skip
    return Violation(
        case.workload, "journal", SECTOR, point, 0, (), (), (case.rows,), found or wrong, wrong,
        visited, how,
    )  # fmt: skip
