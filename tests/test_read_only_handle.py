"""A store that only reads: not a byte of the directory is changed, and what is refused."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from bazanite_wal import shared
from bazanite_wal.attach import ATTACHED_NAME, SHARED_NAME
from bazanite_wal.errors import (
    CorruptionError,
    DBError,
    DirectoryError,
    LockTimeout,
    NetworkFileSystemError,
    PoisonedError,
    ReadOnlyError,
    TransactionError,
    UnsafeShutdownError,
)
from bazanite_wal.layer import View
from bazanite_wal.lock import GlobalLock
from bazanite_wal.posix import POSIX
from bazanite_wal.read_only import ReadOnlyStore
from bazanite_wal.store import Store
from bazanite_wal.system import Words
from read_only_support import looking, quick, state
from seam import Seam
from store_support import FORK, LOG, SMALL, attachment, descriptors, get, in_child, opened, put

pytestmark = pytest.mark.filterwarnings(FORK)


def test_every_method_of_a_store_was_thought_of() -> None:
    public = {name for name in vars(Store) if not name.startswith("_")}
    assert public - vars(ReadOnlyStore).keys() == {"read_lsn"}  # which is what the thread saw


@pytest.mark.parametrize("killed", [False, True])
@pytest.mark.parametrize("durability", ["full", "normal", "off"])
def test_nothing_of_a_directory_is_changed_by_reading_it(
    tmp_path: Path, durability: str, killed: bool
) -> None:
    seam = Seam()
    store = opened(tmp_path, seam, durability=durability)
    put(store, b"one")
    put(store, b"two")
    if killed:
        seam.kill()
    else:
        store.close()
    before = state(tmp_path)
    reader = looking(tmp_path, Seam())
    for _ in range(2):
        assert get(reader) == quick(reader) == b"two"
        assert reader.file_names() == ["a.dat"]
        assert reader.stats()["attached_processes"] == 0
        with reader.lock():
            assert get(reader) == b"two"
    reader.close()
    assert state(tmp_path) == before
    assert get(opened(tmp_path)) == b"two"


CHANGES: list[Callable[[Store], object]] = [
    lambda store: store.transaction(),
    lambda store: store.transaction(private=True),
    lambda store: store.run(lambda tx: tx.write("a.dat", 0, b"x")),
    lambda store: store.create_files(["b.dat"]),
    lambda store: store.layout_changed(),
    lambda store: store.checkpoint(),
    lambda store: store.archive(1 << 20),
    lambda store: store.archive(None),
    lambda store: store.backup("anywhere"),
]


@pytest.mark.parametrize("change", CHANGES)
def test_whatever_would_change_something_is_refused_and_nothing_is_done(
    tmp_path: Path, change: Callable[[Store], object]
) -> None:
    put(opened(tmp_path, Seam()), b"kept")
    reader = looking(tmp_path)
    before = state(tmp_path)
    with pytest.raises(ReadOnlyError, match=f"^{tmp_path}: nothing was done: .* read-only"):
        change(reader)
    assert state(tmp_path) == before
    assert get(reader) == b"kept"


def test_a_poisoned_directory_is_refused_until_all_have_closed_it(tmp_path: Path) -> None:
    seam = Seam()
    store = opened(tmp_path, seam)
    put(store, b"safe")
    reader = looking(tmp_path, Seam())
    assert get(reader) == b"safe"
    seam.fail("sync_data", LOG, OSError(5, "gone"))
    with pytest.raises(DBError):
        put(store, b"lost")
    for read in (get, quick, lambda store: store.file_names(), lambda store: store.stats()):
        with pytest.raises(PoisonedError, match=f"pids {seam.pid}"):
            read(reader)
    seam.kill()
    assert get(reader) == quick(reader) == b"safe"


def test_a_reading_that_ends_when_it_is_poisoned_does_not_count(tmp_path: Path) -> None:
    store = opened(tmp_path, Seam())
    put(store, b"x")
    reader = looking(tmp_path)
    assert get(reader) == b"x"

    def read(view: View) -> bytes:
        if not attachment(store).core.words[shared.POISONED]:
            attachment(store).core.poison()
        return view.read("a.dat", 0, 9)

    with pytest.raises(PoisonedError):
        reader.quick_read(read)
    store = opened(tmp_path / "other", Seam())
    put(store, b"x")
    reader = looking(tmp_path / "other")
    with pytest.raises(PoisonedError), reader.reading():
        attachment(store).core.poison()


def test_the_lock_is_waited_for_so_long_and_its_holder_named(tmp_path: Path) -> None:
    seam = Seam()
    store = opened(tmp_path, seam)
    put(store, b"x")
    reader = looking(tmp_path, Seam(), lock_timeout=0.01)
    assert get(reader) == b"x"
    with store.lock():
        with pytest.raises(LockTimeout, match=f"held by pid {seam.pid}"):
            get(reader)
        assert quick(reader) == b"x"
    assert get(reader) == b"x"


def test_a_reader_keeps_writers_out_as_long_as_it_holds_the_lock(tmp_path: Path) -> None:
    store = opened(tmp_path, Seam(), lock_timeout=0.01)
    put(store, b"x")
    reader = looking(tmp_path)
    with reader.lock():
        with pytest.raises(LockTimeout):
            put(store, b"y")
        assert get(reader) == b"x"
    put(store, b"y")
    assert get(reader) == b"y"


def test_who_is_dying_is_waited_for(tmp_path: Path) -> None:
    store = opened(tmp_path, Seam())
    put(store, b"x")
    store.close()
    dying = POSIX.directory(str(tmp_path), create=False).open_lock(ATTACHED_NAME)
    assert dying.try_lock(shared=True)
    with (tmp_path / SHARED_NAME).open("r+b") as file:
        file.write(bytes(8))  # READY: as a first opener leaves it that died
    with pytest.raises(LockTimeout, match="dying"):
        get(looking(tmp_path, lock_timeout=0.01))
    seam = Seam()
    seam.when("sleep", "", dying.close)
    assert get(looking(tmp_path, seam)) == b"x"


def test_a_network_file_system_is_refused_as_for_writers(tmp_path: Path) -> None:
    opened(tmp_path, Seam()).close()
    with pytest.raises(NetworkFileSystemError):
        looking(tmp_path, Seam(file_system="nfs4"))
    assert get(looking(tmp_path, Seam(file_system="nfs4"), allow_network_fs=True)) == b""


def test_a_missing_directory_and_a_missing_log_are_told(tmp_path: Path) -> None:
    with pytest.raises(DirectoryError, match="No such file"):
        looking(tmp_path / "none")
    assert not (tmp_path / "none").exists()
    store = opened(tmp_path / "data", Seam())
    put(store, b"{}", "schema.json")
    store.close()
    (tmp_path / "data" / LOG).unlink()
    reader = looking(tmp_path / "data")
    with pytest.raises(DirectoryError, match=r"wal\.log is missing"):
        get(reader)
    taken = looking(tmp_path / "data", accept_unsafe=True)
    assert get(taken, "schema.json") == b"{}"


def test_a_damaged_log_is_corruption_and_stays_as_it_is(tmp_path: Path) -> None:
    seam = Seam()
    store = opened(tmp_path, seam, log_size_bytes=SMALL)
    put(store, b"first")
    put(store, b"second")
    reader = looking(tmp_path)
    seam.kill()
    file = tmp_path / LOG
    data = bytearray(file.read_bytes())
    data[data.rindex(b"first")] ^= 1
    file.write_bytes(data)
    for one in (reader, looking(tmp_path)):
        with pytest.raises(CorruptionError, match=r"wal\.log: damaged at offset"):
            get(one)
    assert file.read_bytes() == data


def test_a_lost_frame_that_was_known_to_be_durable_is_corruption(tmp_path: Path) -> None:
    seam = Seam()
    store = opened(tmp_path, seam, log_size_bytes=SMALL)
    put(store, b"first")
    put(store, b"second")
    seam.kill()
    data = bytearray((tmp_path / LOG).read_bytes())
    start = data.rindex(b"FRAME")
    data[start:] = bytes(len(data) - start)
    (tmp_path / LOG).write_bytes(data)
    with pytest.raises(CorruptionError, match="was durable up to LSN"):
        get(looking(tmp_path))


def test_a_data_file_that_the_log_changes_and_that_is_missing_is_told(tmp_path: Path) -> None:
    seam = Seam()
    put(opened(tmp_path, seam, durability="normal"), b"x")
    seam.kill()
    (tmp_path / "a.dat").unlink()
    with pytest.raises(DirectoryError, match=r"a\.dat is missing, but the log"):
        get(looking(tmp_path))


def test_after_a_restart_of_the_machine_off_is_refused_unless_it_is_taken(tmp_path: Path) -> None:
    seam = Seam(boot="0" * 36)
    put(opened(tmp_path, seam, durability="off"), b"x")
    assert get(looking(tmp_path, Seam(boot="0" * 36))) == b"x"
    seam.kill()
    assert get(looking(tmp_path, Seam(boot="0" * 36))) == b"x"
    with pytest.raises(UnsafeShutdownError):
        get(looking(tmp_path, Seam(boot="1" * 36)))
    assert get(looking(tmp_path, Seam(boot="1" * 36), accept_unsafe=True)) == b"x"


def test_a_child_reads_and_leaves_the_lock_to_its_parent(tmp_path: Path) -> None:
    writer = opened(tmp_path, Seam(), lock_timeout=0.01)
    put(writer, b"x")
    reader = looking(tmp_path, lock_timeout=0.01)

    def child() -> None:
        for read in (get, quick):
            with pytest.raises(LockTimeout):
                read(reader)

    with reader.lock():
        assert in_child(child) == 0
        with pytest.raises(LockTimeout):  # the child's end has freed nothing
            put(writer, b"y")

    held = reader.lock()
    held.__enter__()
    assert in_child(lambda: held.__exit__(None, None, None)) == 0
    with pytest.raises(LockTimeout):
        put(writer, b"y")
    held.__exit__(None, None, None)

    def alone() -> None:
        assert get(reader) == quick(reader) == b"x"
        reader.close()

    assert in_child(alone) == 0
    assert get(reader) == b"x"


def test_a_child_is_told_if_the_directory_is_no_longer_there(tmp_path: Path) -> None:
    put(opened(tmp_path / "data", Seam()), b"x")
    reader = looking(tmp_path / "data")
    (tmp_path / "data").rename(tmp_path / "other")
    (tmp_path / "data").mkdir()

    def child() -> None:
        with pytest.raises(DirectoryError, match="moved or removed"):
            get(reader)

    assert in_child(child) == 0
    assert get(reader) == b"x"


def test_a_closed_handle_says_so_and_has_let_go_of_everything(tmp_path: Path) -> None:
    store = opened(tmp_path)
    put(store, b"x")
    before = descriptors()
    reader = looking(tmp_path)
    get(reader)
    quick(reader)
    with reader.lock(), pytest.raises(TransactionError, match="cannot be closed while its lock"):
        reader.close()
    assert [reader.closed] == [False]
    for _ in range(2):
        reader.close()
    assert [reader.closed] == [True]
    assert descriptors() == before
    more = [get, quick, lambda store: store.stats(), lambda store: store.in_transaction()]
    for use in [*more, lambda store: store.file_names(), *CHANGES]:
        with pytest.raises(TransactionError, match="closed"):
            use(reader)


def test_a_quick_read_during_which_the_handle_was_closed_is_an_error(tmp_path: Path) -> None:
    put(opened(tmp_path), b"x")
    reader = looking(tmp_path)
    get(reader)

    def read(view: View) -> bytes:
        reader.close()
        return view.read("a.dat", 0, 9)

    with pytest.raises(TransactionError, match="closed"):
        reader.quick_read(read)


def test_an_interrupt_at_any_call_frees_the_lock(tmp_path: Path) -> None:
    writer = opened(tmp_path, Seam(), lock_timeout=0)
    put(writer, b"x")
    counted = Seam(steady=True)
    get(looking(tmp_path, counted))
    for number in range(len(counted.calls)):
        for after in (False, True):
            seam = Seam(steady=True)
            seam.interrupt_at(number, KeyboardInterrupt(), after=after)
            with pytest.raises(KeyboardInterrupt):
                get(looking(tmp_path, seam))
            put(writer, b"x")


def test_a_reader_without_a_mark_lets_those_go_first_who_wait(tmp_path: Path) -> None:
    directory = POSIX.directory(str(tmp_path), create=False)
    seam = Seam(steady=True)
    lock = GlobalLock(seam, directory.open_lock("lock"))
    waiting = [0] * shared.WORD_COUNT
    waiting[64:66] = [os.getpid(), int(seam.monotonic() * 1000)]
    words: Words = waiting
    lock.words = words
    for naps in (0, 1):  # the second time it comes back at once
        before = seam.count("sleep")
        lock.acquire(None)
        lock.release()
        assert (seam.count("sleep") > before) == bool(naps)


def test_signatures_are_those_of_a_store() -> None:
    for name, method in vars(ReadOnlyStore).items():
        if inspect.isfunction(method) and not name.startswith("_"):
            assert list(inspect.signature(method).parameters) == list(
                inspect.signature(getattr(Store, name)).parameters
            ), name
