"""Fuzzing: whatever the files hold, the engine answers or refuses, soon, and stays inside.

An input is a directory of ``damage`` whose files were mutated, the same with a frame that has right
checksums over a wrong payload, or bytes for one decoder.  Rules:

- every error is a typed one (of a decoder: its own);
- no input takes more than a second of the processor's time;
- the engine asks the machine for names of a database's files only.

    python -m bazanite_stress.explore.fuzz --seconds 60 --seed 7
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count as counting

from bazanite import DB
from bazanite.catalog import decode
from bazanite.check import check_view
from bazanite.errors import CorruptionError, DBError
from bazanite_stress.simulation.disk import Image
from bazanite_stress.simulation.machine import PATH, Machine
from bazanite_stress.simulation.system import SimulatedSystem
from bazanite_wal.archive_format import ARCHIVE_NAME
from bazanite_wal.frame import (
    FRAME,
    Fill,
    FrameError,
    Truncate,
    decode_frame,
    decode_operations,
    encode_frame,
    encode_operations,
    is_data_file_name,
)
from bazanite_wal.header import FRAMES_START, decode_header
from bazanite_wal.offline import open_offline
from bazanite_wal.scan import scan_log

from .damage import TABLES, Scenario, prepare, scenarios
from .damage_judge import Case, questions
from .explorer import Violation
from .runner import Point
from .story import story
from .workload import Workload

LONGEST_SECONDS = 1.0
_TOO_LONG = f"more than {LONGEST_SECONDS:g} s of the processor's time"
_OTHERS = {
    "",
    PATH,
    ".lock",
    ".sync",
    ".attached",
    ".shared",
    "wal.log",
    "wal.log.new",
    ARCHIVE_NAME,
}
_WORDS = (
    b"", b"0", b"-1", b"9", b"999999999", b"00000000000000000000", b"99999999999999999999", b"#",
    b"#########", b"*", b"\0" * 9, b"\n", b" ", b"\xff", b"write ", b"fill ", b"truncate ",
    b"FRAME ", b"MARK  ", b"a.dat", b"../a.dat", b"/etc/passwd", b"t.text.dat",
    b"schema.json", b"wal.log", b'"', b"{", b"null", b"true", b"1e999", b"\\u0000", b"checksums",
)  # fmt: skip


@dataclass(slots=True)
class FuzzTally:
    """What was tried: inputs by kind, how many were refused, the slowest, and broken rules."""

    seed: int
    inputs: dict[str, int] = field(default_factory=dict)
    refused: int = 0
    slowest_seconds: float = 0.0
    violations: list[Violation] = field(default_factory=list)


def fuzz(*, seconds: float | None = None, count: int | None = None, seed: int = 0) -> FuzzTally:
    """Try inputs for so long, or so many; input i depends on the seed and i alone."""
    if (seconds is None) == (count is None):
        raise ValueError("fuzz either for some seconds or for a count of inputs")
    tally = FuzzTally(seed)
    fuzzer = Fuzzer()
    end = time.monotonic() + (seconds or 0.0)
    for number in counting():
        if number == count or (seconds is not None and time.monotonic() >= end):
            return tally
        fuzzer.one(tally, number)
    raise AssertionError("counting never ends")


class Fuzzer:
    """Makes and tries one input after another."""

    def __init__(self) -> None:
        small = [scenario for scenario in scenarios() if not scenario.larger]
        self._cases = [prepare(scenario) for scenario in small]
        self._killed = prepare(Scenario("killed", durability="normal"))
        self._kinds: dict[str, Callable[[random.Random], bool]] = {
            "directory": self._directory,
            "signed frame": self._signed_frame,
            "looking": self._looking,
            "decoders": self._decoders,
        }

    def one(self, tally: FuzzTally, number: int) -> None:
        """Input ``number`` of this tally's seed."""
        generator = random.Random(f"{tally.seed}/{number}")
        kind = generator.choice(list(self._kinds))
        tally.inputs[kind] = tally.inputs.get(kind, 0) + 1
        started = time.process_time()
        try:
            tally.refused += self._kinds[kind](generator)
        except Exception as error:  # noqa: BLE001  any error that comes out here breaks a rule
            found = _violation(tally, number, kind, "an error that is no typed one", repr(error))
            tally.violations.append(found)
        used = time.process_time() - started
        tally.slowest_seconds = max(tally.slowest_seconds, used)
        if used > LONGEST_SECONDS:
            found = _violation(tally, number, kind, "an input took too long", _TOO_LONG)
            tally.violations.append(found)

    def _directory(self, generator: random.Random) -> bool:
        case = generator.choice(self._cases)
        return _use(case, self._mutated(case, generator))

    def _mutated(self, case: Case, generator: random.Random) -> Image:
        image = dict(case.image)
        names = [name for name, data in image.items() if data]
        for _ in range(generator.randint(1, 4)):
            name = generator.choice(names)
            image[name] = mutated(image[name], generator, image[generator.choice(names)])
        if not generator.randrange(8):
            del image[generator.choice(names)]
        return image

    def _signed_frame(self, generator: random.Random) -> bool:
        """A frame that the engine might have written, were it not for its payload."""
        case = self._killed
        log = case.image["wal.log"]
        scan = scan_log(log)
        assert scan is not None
        operations = generator.choice(scan.frames).payload
        payload = operations
        for _ in range(generator.randint(1, 3)):
            payload = mutated(payload, generator, operations)[:4000]
        if _reaches_too_far(payload):
            return True
        header = scan.header
        frame, _ = encode_frame(FRAME, scan.end, scan.end, scan.chain, header.salt, payload)
        place = header.file_offset(scan.end)
        image = case.image | {"wal.log": log[:place] + frame + log[place + len(frame) :]}
        return _use(case, image)

    def _looking(self, generator: random.Random) -> bool:
        """What the tools do: they recover nothing, and judge what recovery would leave."""
        case = generator.choice(self._cases)
        machine = Machine.from_image(self._mutated(case, generator), "journal", 512, case.boot)
        before = machine.image()
        system = SimulatedSystem(machine, "looking")
        system.watch = _watch
        refused = False
        try:
            with open_offline(PATH, system=system) as offline:
                check_view(offline.view, offline.file_names)
        except DBError:
            refused = True
        system.kill()
        if machine.image() != before:
            raise AssertionError("looking changed a file")
        return refused

    def _decoders(self, generator: random.Random) -> bool:
        case = generator.choice(self._cases)
        log = case.image["wal.log"]
        area = log[FRAMES_START : FRAMES_START + 2000]
        wrong = mutated(area, generator, log[:200])
        scan_log(log[:FRAMES_START] + wrong)
        decode_header(mutated(log[:183], generator, area))
        scan = scan_log(log)
        assert scan is not None
        refused = False
        try:
            decode_frame(wrong, 0, scan.header.base, scan.header.salt)
            operations = decode_operations(mutated(area[112:400], generator, area))
            if decode_operations(encode_operations(operations)) != operations:
                raise AssertionError("operations read back as others")
        except FrameError:
            refused = True
        try:
            decode(mutated(case.image["schema.json"], generator, area))
        except CorruptionError:
            refused = True
        return refused


def _violation(tally: FuzzTally, number: int, kind: str, rule: str, found: str) -> Violation:
    how = {"kind": "odd input", "seed": tally.seed, "number": number, "input": kind}
    point = Point(0, 0, "of files that were mutated", 0, 0)
    no_calls = Workload("odd input", TABLES, [])
    return Violation(no_calls, "journal", 512, point, 0, (), (), (), found, rule, number, how)


def mutated(data: bytes, generator: random.Random, other: bytes) -> bytes:
    """The same with one change of some kind; ``other`` is where foreign bytes come from."""
    place = generator.randrange(len(data) + 1)
    size = generator.choice((1, 1, 2, 9, 16, 112, 512))
    start = generator.randrange(len(other) + 1)
    match generator.randrange(8):
        case 0:
            flipped = bytes(b ^ 1 << generator.randrange(8) for b in data[place : place + 1])
            return data[:place] + flipped + data[place + 1 :]
        case 1:
            return data[:place] + generator.choice(_WORDS) + data[place:]
        case 2:
            word = generator.choice(_WORDS)
            return data[:place] + word + data[place + len(word) :]
        case 3:
            return data[:place] + data[place + size :]
        case 4:
            return data[:place]
        case 5:
            return data[:place] + other[start : start + size] + data[place + size :]
        case 6:
            return data[:place] + generator.randbytes(size) + data[place + size :]
        case _:
            return data + data[place : place + size]


def _reaches_too_far(payload: bytes) -> bool:
    """Whether these operations would make a file that this machine's memory does not hold."""
    try:
        operations = decode_operations(payload)
    except FrameError:
        return False
    for operation in operations:
        if isinstance(operation, Truncate):
            end = operation.size
        else:
            end = operation.offset + (operation.count if isinstance(operation, Fill) else 0)
        if end > 1 << 20:
            return True
    return False


def _use(case: Case, image: Image) -> bool:
    """Open the directory, ask everything, check, close; whether opening was refused."""
    machine = Machine.from_image(image, "journal", 512, case.boot)
    system = SimulatedSystem(machine, "fuzz")
    system.watch = _watch
    try:
        return _asked(case, system)
    except DBError:
        return True
    finally:
        system.kill()


def _asked(case: Case, system: SimulatedSystem) -> bool:
    options = {**case.workload.options, "checksums": None}
    classes, level = case.workload.classes(), case.workload.durability
    db = DB(classes, PATH, durability=level, system=system, **options)
    for ask in questions():
        try:
            ask(db)
        except DBError:
            continue
    db.check()
    db.close()
    return False


def _watch(_operation: str, name: str, _size: int) -> None:
    if name not in _OTHERS and not is_data_file_name(name):
        raise AssertionError(f"the engine asks for {name!r}")


def main(arguments: list[str] | None = None) -> int:
    """The command line; 1 if a rule was broken."""
    parser = argparse.ArgumentParser(description="Mutate directories and decoders' inputs.")
    parser.add_argument("--seconds", type=float, help="how long (default: 10)")
    parser.add_argument("--count", type=int, help="how many inputs, instead")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(arguments)
    seconds = 10.0 if args.seconds is None and args.count is None else args.seconds
    tally = fuzz(seconds=seconds, count=args.count, seed=args.seed)
    total = sum(tally.inputs.values())
    print(f"{total:,} inputs ({tally.inputs}), {tally.refused:,} refused, seed {tally.seed}")
    print(f"slowest {tally.slowest_seconds:.3f} s, {len(tally.violations)} violations")
    for violation in tally.violations[:20]:
        print(story(violation), violation.found)
    return 1 if tally.violations else 0


if __name__ == "__main__":
    sys.exit(main())
