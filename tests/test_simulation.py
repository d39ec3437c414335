"""The simulated disk against counts worked out by hand; docs/crash-model.md names the rules."""

from __future__ import annotations

import random
from collections import Counter
from itertools import product

import pytest

from bazanite_stress.simulation.disk import PROFILES, SECTORS, Disk, Folder, Profile
from bazanite_stress.simulation.inode import Inode, SyncFate
from bazanite_stress.simulation.legal import (
    NO_TEARING,
    Tearing,
    certain_image,
    garbage_bytes,
    least_image,
    spaces,
)
from bazanite_stress.simulation.machine import FOLDER, PATH, Machine
from bazanite_stress.simulation.system import Killed, SimulatedSystem, Stuck

both_profiles = pytest.mark.parametrize("profile", PROFILES)
PLENTY = 1_000_000


def disk_with(profile: Profile, sector: int = 512, **files: bytes) -> tuple[Disk, Folder]:
    """A disk on which these files are durable."""
    image = {name.replace("_", "."): content for name, content in files.items()}
    machine = Machine.from_image(image, profile, sector)
    assert machine.folder is not None
    return machine.disk, machine.folder


def file_of(disk: Disk, folder: Folder, name: str) -> Inode:
    return disk.files[folder.names[name]]


def addresses(disk: Disk, folder: Folder, tearing: Tearing = NO_TEARING) -> int:
    return sum(space.count for space in spaces(disk, folder, tearing))


def images(disk: Disk, folder: Folder, tearing: Tearing = NO_TEARING) -> set[object]:
    """Every legal disk once; checks on the way that no address is lost or counted twice."""
    found: set[object] = set()
    for space in spaces(disk, folder, tearing):
        listed = space.merged(PLENTY)
        assert listed is not None
        total = 0
        for legal in listed:
            total += legal.multiplicity
            assert space.image(legal.choice) == legal.image
            found.add(None if legal.image is None else tuple(sorted(legal.image.items())))
        assert total == space.count
    return found


def contents(disk: Disk, folder: Folder, name: str) -> set[bytes]:
    return {dict(image)[name] for image in images(disk, folder)}  # type: ignore[call-overload]


@both_profiles
def test_two_writes_to_one_sector_leave_three_states(profile: Profile) -> None:
    disk, folder = disk_with(profile, a=b"0" * 512)
    disk.write(file_of(disk, folder, "a"), b"1", 0)
    disk.write(file_of(disk, folder, "a"), b"2", 0)
    assert addresses(disk, folder) == 3
    assert {data[:1] for data in contents(disk, folder, "a")} == {b"0", b"1", b"2"}


@both_profiles
def test_a_write_across_two_sectors_leaves_four(profile: Profile) -> None:
    disk, folder = disk_with(profile, a=b"0" * 1024)
    disk.write(file_of(disk, folder, "a"), b"1" * 4, 510)
    assert addresses(disk, folder) == 4
    found = {data[510:514] for data in contents(disk, folder, "a")}
    assert found == {b"0000", b"1100", b"0011", b"1111"}


@pytest.mark.parametrize("profile, expected", [("journal", 4), ("hostile", 6)])
def test_an_appended_sector_is_size_times_data(profile: Profile, expected: int) -> None:
    disk, folder = disk_with(profile, a=b"")
    disk.write(file_of(disk, folder, "a"), b"x" * 512, 0)
    assert addresses(disk, folder) == expected  # hostile: garbage too
    found = contents(disk, folder, "a")
    garbage = {garbage_bytes(512, folder.names["a"], 0)} if profile == "hostile" else set()
    assert found == {b"", bytes(512), b"x" * 512} | garbage


@pytest.mark.parametrize(
    "profile, expected",
    [("journal", [{"old"}, {"new"}]), ("hostile", [{"old"}, {"new"}, {"old", "new"}, set()])],
)
def test_a_rename_leaves_two_states_with_a_journal_and_four_without(
    profile: Profile, expected: list[set[str]]
) -> None:
    disk, folder = disk_with(profile, old=b"content")
    disk.rename(folder, "old", "new")
    found = [set(dict(image)) for image in images(disk, folder)]  # type: ignore[call-overload]
    assert sorted(map(sorted, found)) == sorted(map(sorted, expected))


@both_profiles
def test_a_replaced_file_is_the_old_or_the_new_one(profile: Profile) -> None:
    disk, folder = disk_with(profile, a=b"old", b=b"new")
    disk.rename(folder, "b", "a")
    values = {dict(image)["a"] for image in images(disk, folder)}  # type: ignore[call-overload]
    assert values == {b"old", b"new"}


@both_profiles
def test_after_a_sync_of_file_and_directory_one_state_is_left(profile: Profile) -> None:
    disk, folder = disk_with(profile, old=b"content")
    inode = disk.create(folder, "fresh")
    disk.write(inode, b"x" * 700, 0)
    disk.rename(folder, "old", "new")
    disk.truncate(file_of(disk, folder, "new"), 3)
    for number in folder.names.values():
        disk.sync(disk.files[number])
    disk.sync_folder(folder)
    assert addresses(disk, folder) == 1
    assert images(disk, folder) == {tuple(sorted(certain_image(disk, folder).items()))}


@pytest.mark.parametrize("profile, states", [("journal", 1), ("hostile", 2)])
def test_a_file_sync_persists_the_name_only_with_a_journal(profile: Profile, states: int) -> None:
    disk, folder = disk_with(profile)
    disk.sync(disk.create(folder, "fresh"))
    assert addresses(disk, folder) == states


@both_profiles
def test_fdatasync_promises_growth_and_no_cut(profile: Profile) -> None:
    disk, folder = disk_with(profile, a=b"abcdef")
    inode = file_of(disk, folder, "a")
    disk.write(inode, b"grown", 6)
    disk.sync_data(inode)
    assert images(disk, folder) == {(("a", b"abcdefgrown"),)}
    disk.truncate(inode, 2)
    disk.write(inode, b"X", 0)
    disk.sync_data(inode)
    # the zeros behind the cut are data: they may come without it
    assert contents(disk, folder, "a") == {b"Xb", b"Xbcdefgrown", b"Xb" + bytes(9)}


def test_with_a_journal_a_prefix_of_all_metadata_survives() -> None:
    disk, folder = disk_with("journal")
    for name in "abc":
        disk.create(folder, name)
    found = {"".join(sorted(dict(image))) for image in images(disk, folder)}  # type: ignore[call-overload]
    assert found == {"", "a", "ab", "abc"}


def test_without_a_journal_any_subset_of_names_survives() -> None:
    disk, folder = disk_with("hostile")
    for name in "abc":
        disk.create(folder, name)
    assert len(images(disk, folder)) == 8


def test_a_removed_file_may_come_back_with_any_earlier_content() -> None:
    disk, folder = disk_with("hostile", a=b"1")
    disk.write(file_of(disk, folder, "a"), b"2", 0)
    disk.remove(folder, "a")
    assert images(disk, folder) == {(), (("a", b"1"),), (("a", b"2"),)}


def test_once_a_cut_is_durable_what_was_cut_off_never_returns() -> None:
    disk, folder = disk_with("journal", a=b"s" * 600)
    inode = file_of(disk, folder, "a")
    disk.truncate(inode, 0)
    disk.sync_folder(folder)  # commits the journal
    disk.write(inode, b"n" * 600, 0)
    for data in contents(disk, folder, "a"):
        assert b"s" not in data


def test_a_torn_sector_mixes_old_and_new_within_the_write() -> None:
    disk, folder = disk_with("journal", a=b"." * 512)
    disk.write(file_of(disk, folder, "a"), b"NEW!", 100)
    torn = {dict(image)["a"] for image in images(disk, folder, Tearing(torn=True))}  # type: ignore[call-overload]
    assert {data[100:104] for data in torn} >= {b"....", b"NEW!", b"..W!", b"NE.."}
    assert all(data[:100] == b"." * 100 and data[104:] == b"." * 408 for data in torn)
    wild = {
        dict(image)["a"]  # type: ignore[call-overload]
        for image in images(disk, folder, Tearing(torn=True, neighbours=True))
    }
    assert any(data[:100] != b"." * 100 for data in wild)


@pytest.mark.parametrize("sector", SECTORS)
@pytest.mark.parametrize("seed", range(12))
def test_each_state_with_a_journal_is_one_without(seed: int, sector: int) -> None:
    found: dict[str, set[object]] = {}
    for profile in PROFILES:
        generator = random.Random(f"{seed}/{sector}")
        disk, folder = disk_with(profile, sector, a=b"abc", b=b"d" * 5)
        for _ in range(4):
            _change_something(disk, folder, generator)
        found[profile] = images(disk, folder)
    assert found["journal"] <= found["hostile"]


def _change_something(disk: Disk, folder: Folder, generator: random.Random) -> None:
    names = sorted(folder.names)
    kind = generator.randrange(7)
    if kind == 0 or not names:
        disk.create(folder, f"n{disk.event}")
        return
    name = generator.choice(names)
    inode = file_of(disk, folder, name)
    if kind in (1, 2):
        disk.write(inode, generator.randbytes(2), generator.randrange(5))
    elif kind == 3:
        disk.truncate(inode, generator.randrange(6))
    elif kind == 4:
        disk.rename(folder, name, f"r{disk.event}")
    elif kind == 5:
        disk.remove(folder, name)
    else:
        disk.sync(inode)


@both_profiles
def test_what_processes_see_and_the_least_are_always_legal(profile: Profile) -> None:
    for seed in range(40):
        generator = random.Random(seed)
        disk, folder = disk_with(profile, 512, a=b"abc", b=b"d" * 5)
        for _ in range(5):
            _change_something(disk, folder, generator)
        found = images(disk, folder)
        assert tuple(sorted(certain_image(disk, folder).items())) in found
        assert tuple(sorted(least_image(disk, folder).items())) in found


@pytest.mark.parametrize(
    "fate, seen, after",
    [("lost", b"old", b"old"), ("kept", b"new", b"new"), ("evicted later", b"new", b"old")],
)
def test_a_failed_sync_cleans_the_page_whatever_became_of_it(
    fate: str, seen: bytes, after: bytes
) -> None:
    disk, folder = disk_with("journal", a=b"old")
    inode = file_of(disk, folder, "a")
    disk.write(inode, b"new", 0)
    inode.fail_sync({}, fate)  # type: ignore[arg-type]
    assert inode.data == seen
    disk.sync(inode)  # says nothing, and does nothing: the page is clean
    if fate != "evicted later":
        assert images(disk, folder) == {(("a", after),)}


def test_a_page_that_was_lost_later_is_lost_after_a_successful_sync() -> None:
    disk, folder = disk_with("journal", a=b"old" * 200)
    inode = file_of(disk, folder, "a")
    disk.write(inode, b"new", 0)
    inode.fail_sync({}, "evicted later")
    disk.write(inode, b"more", 550)  # another sector
    disk.sync(inode)
    assert next(iter(contents(disk, folder, "a")))[:3] == b"old"


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize(
    "fate, seen, after",
    [
        ("lost", set(), set()),
        ("kept", {"x", "y"}, {"x", "y"}),
        ("evicted later", {"x", "y"}, set()),
    ],
)
def test_a_failed_sync_of_a_directory_leaves_no_name_pending(
    profile: Profile, fate: SyncFate, seen: set[str], after: set[str]
) -> None:
    disk, folder = disk_with(profile)
    for name in "xy":
        disk.sync_data(disk.create(folder, name))
    disk.fail_sync_folder(folder, fate)
    assert set(folder.names) == seen
    for _ in range(2):
        assert addresses(disk, folder) == 1
        assert {frozenset(dict(image)) for image in images(disk, folder)} == {frozenset(after)}  # type: ignore[call-overload]
        disk.sync_folder(folder)  # says that all is well, and does nothing
    assert disk.evict() == (seen != after)
    assert set(folder.names) == after


@pytest.mark.parametrize("profile, steps, states", [("hostile", 3, 8), ("journal", 3, 4)])
def test_of_three_new_names_a_failed_sync_keeps_any_set_or_with_a_journal_any_prefix(
    profile: Profile, steps: int, states: int
) -> None:
    found: set[frozenset[str]] = set()
    steps_alone: tuple[int | None, ...] = (None, 0, 1, 2)
    ways: tuple[tuple[SyncFate, SyncFate], ...] = (("lost", "kept"), ("kept", "lost"))
    for (fate, other), step in product(ways, steps_alone):
        disk, folder = disk_with(profile)
        for name in "abc":
            disk.create(folder, name)
        assert disk.steps_of_names(folder) == steps
        disk.fail_sync_folder(folder, fate, step, other)
        assert folder.names == folder.durable
        assert not folder.changes
        found.add(frozenset(folder.durable))
    # none, all, each alone and all but one: of three names that is every set
    assert len(found) == states


@pytest.mark.parametrize("profile, step, expected", [
    ("journal", 0, {"old": b"new"}),
    ("hostile", 0, {"old": b"new", "other": b"new"}),
    ("hostile", 1, {"old": b"old"}),
])  # fmt: skip
def test_a_rename_whose_sync_failed_is_one_step_of_a_journal_and_two_without(
    profile: Profile, step: int, expected: dict[str, bytes]
) -> None:
    disk, folder = disk_with(profile, old=b"old", other=b"new")
    disk.rename(folder, "other", "old")
    assert disk.steps_of_names(folder) == (1 if profile == "journal" else 2)
    disk.fail_sync_folder(folder, "lost", step, "kept")
    assert images(disk, folder) == {tuple(sorted(expected.items()))}


@both_profiles
def test_a_name_that_a_failed_sync_left_is_durable_once_it_is_given_again(profile: Profile) -> None:
    disk, folder = disk_with(profile)
    disk.sync(disk.create(folder, "kept"))
    disk.create(folder, "a")
    disk.fail_sync_folder(folder, "evicted later")
    durable = {"kept"} if profile == "journal" else set()  # there the file's sync kept its name
    assert folder.stale() == sorted({"a", "kept"} - durable, reverse=True)
    copy = disk.create(folder, "new")
    disk.write(copy, b"copy", 0)
    disk.sync(copy)
    disk.rename(folder, "new", "a")
    disk.sync_folder(folder)
    assert set(folder.durable) == {"a"} | durable
    expected = {"a": b"copy"} | dict.fromkeys(durable, b"")
    assert images(disk, folder) == {tuple(sorted(expected.items()))}


@both_profiles
def test_a_directory_whose_own_name_a_failed_sync_left_is_gone_after_a_power_cut(
    profile: Profile,
) -> None:
    disk = Disk(profile)
    folder = disk.create_folder(disk.folders[0], FOLDER)
    assert images(disk, folder) == {None, ()}
    disk.fail_sync_folder(disk.folders[0], "evicted later")
    disk.sync_folder(disk.folders[0])
    assert images(disk, folder) == {None}
    assert disk.evict()
    assert disk.folders[0].names == {}


def test_counts_of_merged_and_raw_states_agree_on_random_histories() -> None:
    tally: Counter[str] = Counter()
    for seed, profile in product(range(60), PROFILES):
        generator = random.Random(seed)
        disk, folder = disk_with(profile, 4, a=b"abcdefgh")
        for _ in range(6):
            _change_something(disk, folder, generator)
        tally[profile] += len(images(disk, folder))
    assert tally["hostile"] > tally["journal"] > 60


def test_a_killed_process_frees_its_locks_and_does_nothing_more() -> None:
    machine = Machine(Disk("journal"))
    first, second = SimulatedSystem(machine), SimulatedSystem(machine)
    held = first.directory(PATH, create=True).open_lock("lock")
    wanted = second.directory(PATH, create=True).open_lock("lock")
    assert held.try_lock()
    assert not wanted.try_lock()
    with pytest.raises(Stuck):
        wanted.lock()
    first.kill()
    assert wanted.try_lock()
    with pytest.raises(Killed):
        held.unlock()
    assert machine.boot_id() != Machine(Disk("journal"), boot=2).boot_id()
    assert FOLDER in PATH


def test_a_file_that_was_cut_and_grew_again_is_not_cut_once_its_data_was_synced() -> None:
    file = Inode(1, 512, b"a" * 1536)
    file.truncate(512, 1)
    file.write(b"b" * 512, 512, 2)
    assert [size for _, size in file.sizes] == [512, 1024]
    file.sync_data()
    assert [size for _, size in file.sizes] == [1024]
    file.truncate(512, 3)
    file.sync_data()
    assert [size for _, size in file.sizes] == [1024, 512]  # a cut is not promised
    assert file.durable == b"a" * 512 + b"b" * 512 + b"a" * 512
