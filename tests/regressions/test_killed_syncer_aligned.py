"""A process killed while it synced the log made the directory refuse everyone else.

With ``powersafe_overwrite=False`` the frames that a dead process may have synced in vain could not
be written again in place, because a torn write damages whole sectors there; so the next syncer
poisoned the directory, and every process had to close it.  The torture run found it as soon as it
ran with that option.  But frames that are not durable have sectors to themselves, and a published
header is durable: nothing that counts is touched.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from bazanite_stress.explore.sampling import addresses
from bazanite_stress.simulation.disk import PROFILES, Disk, Profile
from bazanite_stress.simulation.legal import Tearing, spaces
from bazanite_stress.simulation.machine import PATH, Machine
from bazanite_stress.simulation.system import Killed as SimulatedKilled
from bazanite_stress.simulation.system import SimulatedSystem
from bazanite_wal import shared
from bazanite_wal.errors import CorruptionError, PoisonedError
from bazanite_wal.header import FRAMES_START
from bazanite_wal.options import StoreOptions
from bazanite_wal.store import Store, open_store
from seam import Killed, Seam
from store_support import LOG, attachment, core, get, opened, put, word

SYNCS = ("sync", "sync_data", "sync_names")
DAMAGING = Tearing(torn=True, neighbours=True)


@pytest.mark.parametrize("after", [False, True])
def test_a_survivor_goes_on_when_a_syncer_of_whole_pages_is_killed(
    tmp_path: Path, after: bool
) -> None:
    dying, next_one = Seam(), Seam()
    first = opened(tmp_path, dying, powersafe_overwrite=False)
    second = opened(tmp_path, next_one, powersafe_overwrite=False)
    put(second, b"old")
    durable = word(second, shared.DURABLE)
    dying.kill_before("sync_data", LOG, after=after)
    with pytest.raises(Killed):
        put(first, b"new")
    assert word(second, shared.SYNCING) == dying.pid
    before, calls = (tmp_path / LOG).read_bytes(), len(next_one.calls)
    put(second, b"!", offset=3)
    names = ("write_at", "sync_data")
    order = [name for name, file in next_one.calls[calls:] if file == LOG and name in names]
    assert order == ["write_at", "write_at", "sync_data"]  # own frame; the dead one's, and it again
    assert word(second, shared.SYNCING) == 0 < durable < word(second, shared.DURABLE)
    assert (tmp_path / LOG).read_bytes()[:8192] == before[:8192]
    assert get(second) == b"new!"


@pytest.mark.parametrize("after", [False, True])
def test_a_survivor_publishes_a_header_whose_syncer_was_killed(tmp_path: Path, after: bool) -> None:
    dying = Seam()
    first = opened(tmp_path, dying, powersafe_overwrite=False)
    second = opened(tmp_path, Seam(), powersafe_overwrite=False)
    put(second, b"old")
    generation = word(second, shared.GENERATION)
    dying.when(
        "write_at", LOG, lambda: dying.kill_before("sync_data", LOG, after=after), after=True
    )
    with pytest.raises(Killed):
        first.checkpoint()
    assert word(second, shared.SYNCING) == dying.pid
    put(second, b"new")
    assert word(second, shared.GENERATION) == generation + 1
    assert word(second, shared.SYNCING) == 0
    assert get(second) == b"new"


def test_a_header_that_was_never_synced_is_not_built_on(tmp_path: Path) -> None:
    """With "off" a published header need not be durable, and has no sector for a copy of it."""
    store = opened(tmp_path, Seam(), powersafe_overwrite=False, durability="off")
    put(store, b"x")
    core(store).words[shared.SYNCING] = 12345
    with pytest.raises(PoisonedError):
        attachment(store).group.sync_held()


class Cut:
    """Cuts the power of a machine before each sync of a process, in many ways, and opens what is
    left: ``seen`` holds every content that was found.
    """

    def __init__(self, machine: Machine, profile: Profile) -> None:
        self._machine, self._profile = machine, profile
        self.seen: set[bytes] = set()
        self.judged = 0

    def __call__(self, operation: str, _name: str, _size: int) -> None:
        if operation in SYNCS:
            self.now()

    def now(self) -> None:
        machine = self._machine
        assert machine.folder is not None
        for space in spaces(machine.disk, machine.folder, DAMAGING):
            for choice in addresses(space, 150, "cut"):
                self.judged += 1
                restarted = Machine.from_image(space.image(choice), self._profile, 4096)
                system = SimulatedSystem(restarted, "after")
                self.seen.add(get(open_store(PATH, StoreOptions(log_size_bytes=65536), system)))


def simulated(machine: Machine) -> tuple[SimulatedSystem, Store]:
    system = SimulatedSystem(machine)
    options = StoreOptions(log_size_bytes=65536, powersafe_overwrite=False)
    return system, open_store(PATH, options, system)


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("victim", ["a commit", "a checkpoint"])
def test_a_power_cut_while_a_survivor_writes_again_takes_nothing_acknowledged(
    profile: Profile, victim: str
) -> None:
    machine = Machine(Disk(profile, 4096))
    dying, first = simulated(machine)
    surviving, second = simulated(machine)
    put(second, b"old")
    fatal = 1 if victim == "a commit" else 2
    syncs = 0

    def die(operation: str, name: str, _size: int) -> None:
        nonlocal syncs
        if (operation, name) == ("sync_data", LOG):
            syncs += 1
            if syncs == fatal:
                dying.kill()
                raise SimulatedKilled

    dying.watch = die
    with pytest.raises(SimulatedKilled):
        if victim == "a commit":
            put(first, b"new")
        else:
            first.checkpoint()
    kept = b"new" if victim == "a commit" else b"old"
    cut = Cut(machine, profile)
    surviving.watch = cut
    put(second, b"!", offset=3)
    assert cut.judged > 10
    assert cut.seen == {b"old", kept, kept + b"!"}
    cut.seen.clear()
    cut.now()
    assert cut.seen == {kept + b"!"}


def test_the_control_a_durable_frame_written_again_is_lost_to_a_torn_write() -> None:
    """What the test above would see if writing again touched what is durable."""
    machine = Machine(Disk("journal", 4096))
    _, store = simulated(machine)
    put(store, b"old")
    put(store, b"new")
    cut = Cut(machine, "journal")
    cut.now()
    assert cut.seen == {b"new"}
    assert machine.folder is not None
    log = machine.disk.files[machine.folder.names[LOG]]
    machine.disk.write(log, bytes(log.data[FRAMES_START : FRAMES_START + 4096]), FRAMES_START)
    with pytest.raises(CorruptionError, match="the log was durable up to"):
        cut.now()
