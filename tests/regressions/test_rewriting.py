"""Recovery wrote what it had read over itself, and a torn write there took what was durable.

A killed process may leave bytes that only the page cache holds, so recovery made the newest header
and the verified frames durable by writing them again, in place, before it trusted them.  Most often
they were durable already.  If the power went in the middle of that write, and the sector held
neither the old bytes nor the new ones, an acknowledged transaction was gone, or the log had no
valid header.  The explorer found it, with torn sectors, in the first opening of a new directory.
Now the frames go into a new log, and a header's copy to a place of its own.
"""

from __future__ import annotations

from typing import Any

import pytest

from bazanite_stress.explore.catalogue import WORKLOADS
from bazanite_stress.explore.explorer import Explorer, Limits, prepared
from bazanite_stress.explore.judge import Judge
from bazanite_stress.explore.runner import Run
from bazanite_stress.explore.sampling import addresses
from bazanite_stress.simulation.disk import PROFILES, Profile
from bazanite_stress.simulation.legal import Tearing, certain_image, spaces
from bazanite_stress.simulation.machine import Machine
from bazanite_stress.simulation.system import SimulatedSystem
from bazanite_wal.header import COPY_SPACING, Header, encode_header, newest_header
from bazanite_wal.options import StoreOptions
from bazanite_wal.store import open_store

both_profiles = pytest.mark.parametrize("profile", PROFILES)
TORN = Tearing(torn=True)


@both_profiles
def test_the_first_opening_of_a_directory_survives_torn_sectors(profile: Profile) -> None:
    limits = Limits(exhaustive=60, sample=30)
    tally = Explorer(WORKLOADS["creation"], profile, limits=limits, tearing=TORN).explore()
    assert tally.violations == []
    assert tally.unique > 100


@both_profiles
def test_recovery_of_a_killed_directory_survives_torn_sectors(profile: Profile) -> None:
    workload = WORKLOADS["rows"]
    images: list[Any] = []

    def keep(point: Any) -> None:
        if point.what.endswith("returned"):
            assert run.machine.folder is not None
            images.append((certain_image(run.machine.disk, run.machine.folder), run.states[-1]))

    run = Run(workload, prepared(workload, profile, 512), keep)
    run.start()
    run.finish()
    judge = Judge(workload, profile, 512)
    judged = 0
    for image, state in images:
        machine = Machine.from_image(image, profile, 512)
        system = SimulatedSystem(machine, "recovery")

        def cut(operation: str, _name: str, _size: int, machine: Machine = machine,
                state: Any = state) -> None:  # fmt: skip
            nonlocal judged
            if operation not in ("sync", "sync_data", "sync_names"):
                return
            assert machine.folder is not None
            for space in spaces(machine.disk, machine.folder, TORN):
                for choice in addresses(space, 80, "torn"):
                    judged += 1
                    outcome = judge.outcome(space.image(choice))
                    assert outcome.content == state.content(), outcome.describe()

        system.watch = cut
        open_store("/db", StoreOptions(log_size_bytes=8192), system)
    assert judged > 300


def test_a_damaged_header_is_read_from_its_copy() -> None:
    older, newer = Header(4, b"4" * 8, 100), Header(5, b"5" * 8, 200)
    slots = bytearray(8192)
    for header in (older, newer):
        line = encode_header(header)
        slots[header.slot_offset : header.slot_offset + len(line)] = line
    line, copied = encode_header(newer), bytearray(slots)
    start = newer.slot_offset + COPY_SPACING
    copied[start : start + len(line)] = line
    assert newest_header(bytes(copied)) == newer
    for damaged in (newer.slot_offset, start):
        one = bytearray(copied)
        one[damaged + 30] ^= 1
        assert newest_header(bytes(one)) == newer
    copied[newer.slot_offset + 30] ^= 1
    copied[start + 30] ^= 1
    assert newest_header(bytes(copied)) == older
