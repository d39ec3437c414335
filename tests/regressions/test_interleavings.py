"""Interleavings that once broke an invariant, each minimised; each test opens with its story."""

from __future__ import annotations

import shutil
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from bazanite_wal import shared
from bazanite_wal.core import Core
from bazanite_wal.errors import CorruptionError, DBError, LockTimeout, PoisonedError
from bazanite_wal.header import SLOT_SPACING, Header
from bazanite_wal.log import Log
from bazanite_wal.options import StoreOptions
from bazanite_wal.store import Store, open_store
from seam import Killed, Seam

VOLATILE = (".lock", ".sync", ".attached", ".shared")


def opened(path: Path, seam: Seam | None, **more: Any) -> Store:
    options = {"log_size_bytes": 8192, "lock_timeout": 0.05, "commit_timeout": 2} | more
    return open_store(str(path), StoreOptions(**options), seam)


def put(store: Store, value: bytes) -> None:
    with store.transaction() as tx:
        tx.write("a.dat", 0, value)
        tx.write("b.dat", 0, value)


def make(store: Store) -> None:
    with store.transaction() as tx:
        store.create_files(["a.dat", "b.dat"])
        tx.write("a.dat", 0, b"0")
        tx.write("b.dat", 0, b"0")


def get(store: Store) -> tuple[bytes, bytes]:
    with store.reading() as view:
        return view.read("a.dat", 0, 9), view.read("b.dat", 0, 9)


def power_cut(path: Path, data: dict[str, bytes], target: Path) -> Path:
    """The log as it is (it was synced), the data files as they were at their last sync (R1)."""
    target.mkdir()
    shutil.copy(path / "wal.log", target / "wal.log")
    for name, content in data.items():
        (target / name).write_bytes(content)
    return target


def flip_in_header(path: Path, generation: int, offset: int) -> None:
    log = bytearray(path.read_bytes())
    log[generation % 2 * SLOT_SPACING + offset] ^= 1
    path.write_bytes(log)


def data_files(path: Path) -> dict[str, bytes]:
    return {name: (path / name).read_bytes() for name in ("a.dat", "b.dat")}


def test_a_waiter_that_gives_up_leaves_the_holders_busy_mark(tmp_path: Path) -> None:
    """P2's LockTimeout (or Ctrl-C while it waits) cleared BUSY under P1, which then died."""
    path = tmp_path / "d"
    one, two = Seam(), Seam()
    first, second = opened(path, one), opened(path, two)
    make(first)
    seen: dict[str, bytes] = {}

    def the_other_gives_up_and_we_die() -> None:
        with pytest.raises(LockTimeout):
            put(second, b"x")
        seen.update(data_files(path))
        one.kill()
        raise Killed

    one.when("write_at", "wal.log", the_other_gives_up_and_we_die, after=True)
    with pytest.raises(Killed):
        first.checkpoint()
    put(second, b"2")  # acknowledged
    two.kill()
    store = opened(power_cut(path, seen, tmp_path / "cut"), Seam())
    assert get(store) == (b"2", b"2")


def test_an_interrupt_before_repair_keeps_the_busy_mark(tmp_path: Path) -> None:
    """P1 died; P2 got the lock, Ctrl-C before it repaired: BUSY is cleared, repair never runs."""
    path = tmp_path / "d"
    one, two = Seam(), Seam()
    first, second = opened(path, one), opened(path, two)
    make(first)
    one.kill_before("store", str(shared.END))
    with pytest.raises(Killed):
        put(first, b"1")
    two.when("load", str(shared.POISONED), lambda: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        put(second, b"2")
    assert second._attachment is not None
    assert second._attachment.core.words[shared.BUSY] != 0


def test_two_interrupts_keep_the_busy_mark(tmp_path: Path) -> None:
    """Ctrl-C in a critical step, another in leave(): the second leave() clears BUSY."""
    path = tmp_path / "d"
    one = Seam()
    first, second = opened(path, one), opened(path, Seam())
    make(first)

    def interrupt() -> None:
        raise KeyboardInterrupt

    def interrupt_twice() -> None:
        one.when("unlock", ".lock", interrupt)
        interrupt()

    one.when("store", str(shared.END), interrupt_twice)
    with pytest.raises(KeyboardInterrupt):
        put(first, b"1")
    assert second._attachment is not None
    assert second._attachment.core.words[shared.BUSY] != 0


def test_a_checkpoint_interrupted_inside_the_lock_is_repaired_inside_it(tmp_path: Path) -> None:
    """with lock(): checkpoint() interrupted after the new header; then an insert in the lock."""
    path = tmp_path / "d"
    seam = Seam()
    store = opened(path, seam)
    make(store)

    def interrupt() -> None:
        raise KeyboardInterrupt

    with store.lock():
        seam.when(
            "write_at", "wal.log", lambda: seam.when("sync_data", "wal.log", interrupt, after=True)
        )
        try:
            store.checkpoint()
        except KeyboardInterrupt:
            pass
        seen = data_files(path)
        put(store, b"2")
    put(store, b"3")  # acknowledged
    seam.kill()
    again = opened(power_cut(path, seen, tmp_path / "cut"), Seam())
    assert get(again) == (b"3", b"3")


def test_a_half_applied_transaction_is_not_read_inside_the_lock(tmp_path: Path) -> None:
    """with lock(): insert interrupted (or ENOSPC) while applying; then a read in the lock."""
    path = tmp_path / "d"
    seam = Seam()
    store = opened(path, seam)
    make(store)
    with store.lock():
        seam.fail("write_at", "b.dat", KeyboardInterrupt())
        try:
            put(store, b"2")
        except KeyboardInterrupt:
            pass
        assert len(set(get(store))) == 1


def test_a_new_files_name_is_durable_although_its_maker_died(tmp_path: Path) -> None:
    """killed (or interrupted) between create and the directory's sync: nobody syncs it then."""
    path = tmp_path / "d"
    one, two = Seam(), Seam()
    first, second = opened(path, one), opened(path, two)
    one.kill_before("sync", ".")
    with pytest.raises(Killed):
        make(first)
    two.calls.clear()
    make(second)  # acknowledged
    assert ("sync", ".") in two.calls


def test_a_failed_data_sync_is_not_forgotten_when_an_interrupt_hits_its_handler(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """fsync of a.dat says EIO, Ctrl-C at the entry of poison(): the next checkpoint believes 0."""
    seam = Seam()
    store = opened(tmp_path / "d", seam)
    make(store)
    store.checkpoint()
    put(store, b"1")
    seam.fail("sync", "a.dat", OSError(5, "EIO"))
    real = Core.poison

    def interrupted(self: Core) -> PoisonedError:
        monkeypatch.setattr(Core, "poison", real)
        raise KeyboardInterrupt

    monkeypatch.setattr(Core, "poison", interrupted)
    with pytest.raises(KeyboardInterrupt):
        store.checkpoint()
    seam.calls.clear()
    try:
        store.checkpoint()
    except PoisonedError:
        return
    order = [call for call in seam.calls if call[1] == "a.dat" and call[0] in ("write_at", "sync")]
    assert "write_at" in [name for name, _ in order], (
        "the lost page is synced again without being written again"
    )


@pytest.mark.parametrize("offset", [40, 90, 180])
def test_damage_to_the_newest_header_is_named(tmp_path: Path, offset: int) -> None:
    """one flipped byte in the newest slot: the older header hides every frame since."""
    path = tmp_path / "d"
    seam = Seam()
    store = opened(path, seam)
    make(store)
    store.checkpoint()
    seen = data_files(path)
    put(store, b"2")
    generation = store.stats()["generation"]
    seam.kill()
    cut = power_cut(path, seen, tmp_path / "cut")
    flip_in_header(cut / "wal.log", generation, offset)
    try:
        again = opened(cut, Seam())
    except CorruptionError:
        return
    assert get(again) == (b"2", b"2"), "acknowledged rows are gone, and nobody said so"


def test_a_gap_reads_as_zeros_after_a_power_cut(tmp_path: Path) -> None:
    """size durable, data not (R2 hostile: garbage): redo does not write the gap's bytes."""
    path = tmp_path / "d"
    seam = Seam()
    store = opened(path, seam)
    make(store)
    store.checkpoint()
    with store.transaction() as tx:
        tx.write("a.dat", 5000, b"end")
    seam.kill()
    seen = data_files(path)
    seen["a.dat"] = seen["a.dat"][:4608] + b"\xaa" * (5003 - 4608)  # one sector, never written
    again = opened(power_cut(path, seen, tmp_path / "cut"), Seam())
    with again.reading() as view:
        assert view.read("a.dat", 4608, 392) == bytes(392)
        assert view.read("a.dat", 5000, 3) == b"end"


def test_writing_again_leaves_a_durable_frames_sector_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """powersafe_overwrite=False: _write_again began inside a durable frame's sector."""
    seam = Seam()
    store = opened(tmp_path / "d", seam, powersafe_overwrite=False, log_size_bytes=1 << 16)
    make(store)
    durable = store.stats()["durable_lsn"]
    seam.fail("sync_data", "wal.log", KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        put(store, b"1")
    starts: list[int] = []
    headers: list[int] = []
    write, write_header = Log.write, Log.write_header

    def noted_write(log: Log, header: Header, lsn: int, data: bytes) -> None:
        starts.append(lsn - header.base)
        write(log, header, lsn, data)

    def noted_write_header(log: Log, header: Header) -> None:
        headers.append(header.generation)
        write_header(log, header)

    monkeypatch.setattr(Log, "write", noted_write)
    monkeypatch.setattr(Log, "write_header", noted_write_header)
    try:
        put(store, b"2")
    except PoisonedError:
        return
    assert durable
    assert all(start % 4096 == 0 for start in starts), starts
    assert not headers, "the only valid header is overwritten in place"


class _Interrupter:
    """Ctrl-C where the body of Store._innermost has ended and its clean-up has not begun."""

    done = False

    def __call__(self, frame: Any, event: str, _argument: Any) -> None:
        if event != "call" or self.done or frame.f_code.co_name != "_run_to_the_end":
            return
        if frame.f_locals["steps"].gi_code.co_name == "_innermost":
            self.done = True
            sys.setprofile(None)
            raise KeyboardInterrupt


def test_another_thread_never_sees_an_interrupted_transaction(tmp_path: Path) -> None:
    """while the KeyboardInterrupt is being handled, another thread reads the dead write set."""
    store = opened(tmp_path / "d", None, lock_timeout=5)
    make(store)
    seen: list[object] = []

    def reader() -> None:
        try:
            seen.append(get(store))
        except DBError as error:
            seen.append(error)

    sys.setprofile(_Interrupter())
    try:
        put(store, b"2")
    except KeyboardInterrupt:
        sys.setprofile(None)
        thread = threading.Thread(target=reader)
        thread.start()
        thread.join(10)
    finally:
        sys.setprofile(None)
    assert seen == [(b"0", b"0")]


def test_damage_to_the_newest_header_is_named_when_bases_are_equal(tmp_path: Path) -> None:
    """an empty generation before: both headers have one base, so LSN > base does not tell."""
    path = tmp_path / "d"
    seam = Seam()
    store = opened(path, seam)
    store.checkpoint()  # nothing in the log: the next base is the same
    make(store)
    generation = store.stats()["generation"]
    seam.kill()
    cut = power_cut(path, {"a.dat": b"", "b.dat": b""}, tmp_path / "cut")
    flip_in_header(cut / "wal.log", generation, 40)
    try:
        again = opened(cut, Seam())
    except CorruptionError:
        return
    assert get(again) == (b"0", b"0"), "acknowledged rows are gone, and nobody said so"


def test_an_off_directory_can_be_taken_as_it_is_after_a_power_cut(tmp_path: Path) -> None:
    """off: frames of g+1 reached the disk, its header did not: accept_unsafe must still open."""
    path = tmp_path / "d"
    seam = Seam()
    store = opened(path, seam, durability="off")
    make(store)
    before = (path / "wal.log").read_bytes()
    store.checkpoint()
    put(store, b"2")
    generation = store.stats()["generation"]
    seam.kill()
    after = (path / "wal.log").read_bytes()
    slot = generation % 2 * SLOT_SPACING
    cut = power_cut(path, data_files(path), tmp_path / "cut")
    (cut / "wal.log").write_bytes(after[:slot] + before[slot : slot + 200] + after[slot + 200 :])
    boot = "0" * 36
    opened(cut, Seam(boot=boot), durability="off", accept_unsafe=True).close()


def test_a_poisoned_database_refuses_reads_inside_the_lock(tmp_path: Path) -> None:
    """with lock(): a sync fails, the program catches PoisonedError and reads on."""
    seam = Seam()
    store = opened(tmp_path / "d", seam)
    make(store)
    with store.lock():
        seam.fail("sync_data", "wal.log", OSError(5, "EIO"))
        with pytest.raises(PoisonedError):
            put(store, b"2")
        with pytest.raises(PoisonedError):
            get(store)
