"""After a power cut an "off" directory could open as if nothing had happened, with other rows.

With ``durability="off"`` headers of the log are written without a sync.  A power cut may tear all
of them, and then the newest whole header was that of the last session with syncs: its log was
believed, while the table files were any mixture of old and new.  So the first opener writes two
"off" headers now, each with a copy, over all that says "safe", and makes them durable.
"""

from __future__ import annotations

from collections import Counter

import pytest

from bazanite_stress.explore.sampling import addresses
from bazanite_stress.simulation.disk import PROFILES, Disk, Profile
from bazanite_stress.simulation.legal import Tearing, spaces
from bazanite_stress.simulation.machine import PATH, Machine
from bazanite_stress.simulation.system import SimulatedSystem
from bazanite_wal.errors import CorruptionError, UnsafeShutdownError
from bazanite_wal.header import COPY_SPACING, FRAMES_START, SLOT_SPACING, newest_header
from bazanite_wal.options import StoreOptions
from bazanite_wal.store import Store, open_store
from store_support import LOG, get, put

SMALL = 8192
TORN = Tearing(torn=True)
DAMAGING = Tearing(torn=True, neighbours=True)


def start(machine: Machine, durability: str) -> Store:
    options = StoreOptions(log_size_bytes=SMALL, durability=durability)
    return open_store(PATH, options, SimulatedSystem(machine))


def used_off(profile: Profile, sector: int, checkpoints: int) -> Machine:
    """A machine on which a directory is in use with "off", after a session with syncs."""
    machine = Machine(Disk(profile, sector))
    store = start(machine, "full")
    put(store, b"base")
    store.close()
    store = start(machine, "off")
    for number in range(checkpoints):
        put(store, b"%d" % number)
        store.checkpoint()
    put(store, b"x")
    return machine


def openings(machine: Machine, profile: Profile, sector: int, tearing: Tearing) -> Counter[str]:
    """What becomes of opening what a power cut leaves now, in many ways."""
    outcomes: Counter[str] = Counter()
    assert machine.folder is not None
    for space in spaces(machine.disk, machine.folder, tearing):
        for choice in addresses(space, 400, "cut"):
            restarted = Machine.from_image(space.image(choice), profile, sector)
            try:
                outcomes[repr(get(start(restarted, "full")))] += 1
            except (UnsafeShutdownError, CorruptionError) as error:
                outcomes[type(error).__name__] += 1
    return outcomes


@pytest.mark.parametrize("checkpoints", [0, 1, 2, 3])
@pytest.mark.parametrize("profile", PROFILES)
def test_torn_headers_of_an_off_session_are_an_unsafe_shutdown(
    profile: Profile, checkpoints: int
) -> None:
    machine = used_off(profile, 512, checkpoints)
    outcomes = openings(machine, profile, 512, TORN)
    assert outcomes.keys() == {"UnsafeShutdownError"}, outcomes
    assert outcomes.total() > 8


@pytest.mark.parametrize("checkpoints", [1, 2, 3])
def test_where_a_torn_write_takes_the_copies_too_the_directory_is_refused_all_the_same(
    checkpoints: int,
) -> None:
    outcomes = openings(used_off("hostile", 4096, checkpoints), "hostile", 4096, DAMAGING)
    assert outcomes.keys() <= {"UnsafeShutdownError", "CorruptionError"}, outcomes
    assert outcomes["UnsafeShutdownError"] > 100


def test_an_off_session_leaves_no_safe_header_anywhere() -> None:
    machine = used_off("journal", 512, 0)
    log = machine.image()[LOG]
    found = []
    for start_of_slot in (0, SLOT_SPACING):
        for place in (start_of_slot, start_of_slot + COPY_SPACING):
            alone = bytearray(FRAMES_START)
            alone[place : place + COPY_SPACING] = log[place : place + COPY_SPACING]
            found.append(newest_header(bytes(alone)))
    assert all(header is not None and header.unsafe for header in found)
    assert len({header.generation for header in found if header}) == 2


def test_an_off_session_that_was_closed_is_safe_again() -> None:
    machine = used_off("journal", 512, 3).after_kill()
    store = start(machine, "off")
    put(store, b"last")
    store.close()
    outcomes = openings(machine, "journal", 512, TORN)
    assert outcomes.keys() == {repr(b"last")}
