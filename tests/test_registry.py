"""One attachment per directory and process, however many handles and paths there are."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from bazanite_wal.errors import DBError, DirectoryError, DurabilityMismatch
from seam import Seam
from store_support import attachment, descriptors, get, opened, put


def test_two_handles_of_one_process_share_one_attachment(tmp_path: Path) -> None:
    first, second = opened(tmp_path), opened(tmp_path)
    assert attachment(first) is attachment(second)
    put(first, b"x")
    first.close()
    assert get(second) == b"x"
    assert second.stats()["attached_processes"] == 1
    second.close()


def test_two_paths_of_one_directory_share_one_attachment(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "data")
    (tmp_path / "data").mkdir()
    first, second = opened(tmp_path / "data"), opened(tmp_path / "link")
    assert attachment(first) is attachment(second)
    with first.transaction() as tx:
        first.create_files(["a.dat"])
        tx.write("a.dat", 0, b"seen")
        assert get(second) == b"seen"  # the same thread, so the same transaction
    first.close()
    second.close()


def test_another_durability_in_the_same_process_is_refused(tmp_path: Path) -> None:
    store = opened(tmp_path)
    with pytest.raises(DurabilityMismatch, match="in this process"):
        opened(tmp_path, durability="normal")
    put(store, b"x")
    store.close()
    opened(tmp_path, durability="normal").close()


def test_a_directory_that_cannot_be_made_is_a_directory_error(tmp_path: Path) -> None:
    seam = Seam()
    seam.fail("directory", "", PermissionError(13, "Permission denied"))
    with pytest.raises(DirectoryError, match="Permission denied"):
        opened(tmp_path, seam)


def test_two_hundred_opens_and_closes_leak_no_descriptor(tmp_path: Path) -> None:
    opened(tmp_path).close()
    before = descriptors()
    for _ in range(200):
        store = opened(tmp_path, durability="off")
        store.close()
    assert descriptors() == before


def test_an_open_that_fails_at_any_call_leaks_no_descriptor_and_no_lock(tmp_path: Path) -> None:
    seam = Seam()
    put(store := opened(tmp_path, seam), b"x")
    seam.kill()
    del store
    seam = Seam()
    opened(tmp_path, seam)
    numbers = [n for n, call in enumerate(seam.calls) if call[0] != "store" or not n % 64]
    seam.kill()
    before = descriptors()
    for number in numbers:
        seam = Seam()
        seam.interrupt_at(number, OSError(5, "Input/output error"))
        try:
            opened(tmp_path, seam, lock_timeout=0)
        except (DBError, OSError):
            pass
        else:
            seam.kill()
        assert descriptors() == before, seam.calls[-3:]


def test_threads_that_open_and_close_at_once_never_meet_a_half_attached_directory(
    tmp_path: Path,
) -> None:
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for _ in range(15):
                store = opened(tmp_path, durability="off")
                put(store, b"%d" % number, offset=number)
                store.close()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    assert (tmp_path / "a.dat").read_bytes() == b"0123"
