"""Recovery by the first opener: nothing is trusted before it is durable, nothing is guessed."""

from __future__ import annotations

import logging
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from bazanite_wal import shared
from bazanite_wal.errors import CorruptionError, DirectoryError, UnsafeShutdownError
from bazanite_wal.frame import HEADER_SIZE
from bazanite_wal.header import FRAMES_START
from bazanite_wal.recovery import RecoveryReport
from seam import Killed, Seam
from store_support import LOG, NEW, SMALL, core, get, opened, put, word

CHANGES = ("write_at", "truncate", "sync", "sync_data", "create", "create_successor", "rename",
           "remove")  # fmt: skip


def killed(path: Path, *values: bytes, **options: Any) -> None:
    """A directory whose only user was killed after these transactions."""
    seam = Seam()
    store = opened(path, seam, **options)
    for value in values:
        put(store, value)
    seam.kill()


def test_recovery_syncs_what_it_read_before_it_redoes_and_starts_anew_after_the_data_sync(
    tmp_path: Path,
) -> None:
    killed(tmp_path, b"one", b"two")
    seam = Seam()
    store = opened(tmp_path, seam)
    order = [call for call, _ in groupby(c for c in seam.calls if c[0] in CHANGES)]
    assert order == [
        ("create_successor", NEW), ("write_at", NEW),  # zeros, frames and header, verified
        ("sync", NEW), ("rename", "."), ("sync", "."),
        ("write_at", "a.dat"),
        ("sync", "a.dat"), ("sync", "."),
        ("write_at", LOG), ("sync_data", LOG),  # the new generation
    ]  # fmt: skip
    assert store.recovery is not None
    assert store.recovery.frames == 2
    assert get(store) == b"two"


def test_recovery_redoes_frames_over_lost_data_pages(tmp_path: Path) -> None:
    killed(tmp_path, b"one", b"two")
    (tmp_path / "a.dat").write_bytes(b"")  # as after a power cut
    assert get(opened(tmp_path, Seam())) == b"two"


def test_a_torn_tail_is_dropped_and_reported(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    seam = Seam()
    store = opened(tmp_path, seam, durability="normal", sync_seconds=1000)
    put(store, b"one")
    second = word(store, shared.END)
    put(store, b"two")
    put(store, b"six")
    offset = core(store).header.file_offset(second)
    seam.kill()
    data = bytearray((tmp_path / LOG).read_bytes())
    data[offset + HEADER_SIZE + 5] ^= 1
    (tmp_path / LOG).write_bytes(data)
    with caplog.at_level(logging.INFO, "bazanite"):
        again = opened(tmp_path, Seam())
    assert again.recovery is not None
    assert again.recovery == RecoveryReport(frames=1, torn=True, dropped_frames=1)
    assert "recovered" in caplog.text
    assert get(again) == b"one"
    lsn = put(again, b"new")
    assert lsn > second + 300  # above everything that was ever handed out


def test_corruption_is_refused_with_its_place_and_nothing_is_changed(tmp_path: Path) -> None:
    killed(tmp_path, b"one", b"two", b"six")
    data = bytearray((tmp_path / LOG).read_bytes())
    data[FRAMES_START + HEADER_SIZE + 5] ^= 1
    (tmp_path / LOG).write_bytes(data)
    before = (tmp_path / "a.dat").read_bytes()
    for _ in range(2):
        with pytest.raises(CorruptionError, match="bazanite wal show") as caught:
            opened(tmp_path, Seam())
        assert caught.value.offset == FRAMES_START
    assert (tmp_path / LOG).read_bytes() == data
    assert (tmp_path / "a.dat").read_bytes() == before


@pytest.mark.parametrize("content", [b"", b"x" * 100, bytes(FRAMES_START + SMALL)])
def test_a_log_without_a_valid_header_is_always_corruption(tmp_path: Path, content: bytes) -> None:
    killed(tmp_path, b"one")
    (tmp_path / LOG).write_bytes(content)
    with pytest.raises(CorruptionError, match="a log header in one of its two slots"):
        opened(tmp_path, Seam())
    assert (tmp_path / LOG).read_bytes() == content


def test_a_missing_log_beside_a_catalog_is_refused_until_the_caller_accepts_it(
    tmp_path: Path,
) -> None:
    seam = Seam()
    store = opened(tmp_path, seam)
    put(store, b"{}", "schema.json")
    put(store, b"row")
    store.close()
    (tmp_path / LOG).unlink()
    with pytest.raises(DirectoryError, match=r"wal\.log is missing"):
        opened(tmp_path, Seam())
    assert not (tmp_path / LOG).exists()
    assert get(opened(tmp_path, Seam(), accept_unsafe=True)) == b"row"


def test_table_files_without_a_log_and_a_catalog_are_adopted(tmp_path: Path) -> None:
    (tmp_path / "a.dat").write_bytes(b"Bazoola's")
    store = opened(tmp_path, Seam())
    assert get(store) == b"Bazoola's"
    assert store.file_names() == ["a.dat"]


def test_a_data_file_that_the_log_names_and_nobody_finds_is_reported_by_name(
    tmp_path: Path,
) -> None:
    killed(tmp_path, b"one")
    log = (tmp_path / LOG).read_bytes()
    (tmp_path / "a.dat").rename(tmp_path / "elsewhere")
    with pytest.raises(DirectoryError, match=r"a\.dat is missing, but the log has changes for it"):
        opened(tmp_path, Seam())
    assert (tmp_path / LOG).read_bytes() == log
    (tmp_path / "elsewhere").rename(tmp_path / "a.dat")
    assert get(opened(tmp_path, Seam())) == b"one"


def steps(path: Path, **options: Any) -> list[int]:
    """The calls of a recovery, by number, but for the many that clear the shared words."""
    killed(path, b"one", b"two", log_size_bytes=SMALL, **options)
    seam = Seam()
    opened(path, seam, log_size_bytes=2 * SMALL, **options)
    calls = enumerate(seam.calls)
    kept = [number for number, call in calls if call[0] != "store" or not number % 64]
    seam.kill()
    return kept


def test_no_space_or_an_error_anywhere_in_recovery_refuses_and_a_later_attempt_succeeds(
    tmp_path: Path,
) -> None:
    operations = ("read_at", "write_at", "truncate", "sync", "sync_data", "open", "list", "size")
    refused: set[str] = set()
    for step in steps(tmp_path / "steps"):
        path = tmp_path / str(step)
        killed(path, b"one", b"two", log_size_bytes=SMALL)
        seam = Seam()
        failed = seam.fail_first(step, operations, 28)
        try:
            opened(path, seam, log_size_bytes=2 * SMALL).close()
        except DirectoryError as error:
            cause = error.__cause__
            refused.update(failed)
            assert (path / LOG).read_bytes().count(b"FRAME ") == 2
        else:
            cause = None
        assert cause is None or isinstance(cause, OSError), failed
        assert get(opened(path, Seam())) == b"two", failed
    assert {"write_at wal.log", "sync_data wal.log", "write_at a.dat", "sync a.dat"} <= refused


@pytest.mark.parametrize("powersafe", [True, False])
def test_recovery_killed_twice_anywhere_ends_in_the_same_bytes(
    tmp_path: Path, powersafe: bool
) -> None:
    for step in steps(tmp_path / "steps", powersafe_overwrite=powersafe):
        path = tmp_path / str(step)
        killed(path, b"one", b"two", log_size_bytes=SMALL, powersafe_overwrite=powersafe)
        for again in (step, step // 2):
            seam = Seam()
            seam.kill_at(again)
            with pytest.raises(Killed):
                opened(path, seam, powersafe_overwrite=powersafe, log_size_bytes=2 * SMALL)
        store = opened(path, Seam(), powersafe_overwrite=powersafe)
        assert get(store) == b"two"
        put(store, b"goes on")
        store.close()


def test_off_survives_kills_within_one_boot(tmp_path: Path) -> None:
    killed(tmp_path, b"one", b"two", durability="off")
    assert get(opened(tmp_path, Seam(), durability="full")) == b"two"


def test_off_is_refused_after_the_machine_stopped_until_the_caller_accepts_it(
    tmp_path: Path,
) -> None:
    killed(tmp_path, b"one", durability="off")
    log = (tmp_path / LOG).read_bytes()
    other_boot = "f" * 36
    with pytest.raises(UnsafeShutdownError, match="accept_unsafe=True"):
        opened(tmp_path, Seam(boot=other_boot))
    assert (tmp_path / LOG).read_bytes() == log
    store = opened(tmp_path, Seam(boot=other_boot), accept_unsafe=True)
    assert get(store) == b"one"
    store.close()
    opened(tmp_path, Seam(boot="e" * 36)).close()


def test_off_closed_cleanly_is_safe_in_every_boot(tmp_path: Path) -> None:
    seam = Seam()
    store = opened(tmp_path, seam, durability="off")
    put(store, b"one")
    store.close()
    assert seam.count("sync", "a.dat") == 1
    assert get(opened(tmp_path, Seam(boot="f" * 36))) == b"one"


def test_words_of_another_boot_are_not_believed(tmp_path: Path) -> None:
    killed(tmp_path, b"one")
    assert get(opened(tmp_path, Seam(boot="f" * 36))) == b"one"


@pytest.mark.parametrize("made,asked", [(SMALL, 4 * SMALL), (4 * SMALL, SMALL)])
def test_a_log_of_another_size_than_asked_for_is_grown_or_shrunk(
    tmp_path: Path, made: int, asked: int
) -> None:
    killed(tmp_path, b"one", log_size_bytes=made)
    store = opened(tmp_path, Seam(), log_size_bytes=asked)
    assert (tmp_path / LOG).stat().st_size == FRAMES_START + asked
    assert get(store) == b"one"
    for number in range(30):
        put(store, b"%0900d" % number)
    assert (tmp_path / LOG).stat().st_size == FRAMES_START + asked
    assert get(store) == b"%0900d" % 29


def test_an_interrupted_creation_of_the_log_is_cleaned_up(tmp_path: Path) -> None:
    (tmp_path / "wal.log.new").write_bytes(b"half made")
    opened(tmp_path, Seam()).close()
    assert not (tmp_path / "wal.log.new").exists()
    (tmp_path / "wal.log.new").write_bytes(b"half made")
    opened(tmp_path, Seam()).close()
    assert not (tmp_path / "wal.log.new").exists()


def test_a_log_is_durable_before_it_gets_its_name(tmp_path: Path) -> None:
    seam = Seam()
    opened(tmp_path, seam)
    names = [call for call in seam.calls if call[0] in ("sync", "rename")][:3]
    assert names == [("sync", "wal.log.new"), ("rename", "."), ("sync", ".")]


def test_without_power_safe_overwrite_frames_start_sectors_and_pages_are_logged_whole(
    tmp_path: Path,
) -> None:
    seam = Seam()
    store = opened(tmp_path, seam, powersafe_overwrite=False)
    put(store, b"." * 5000)
    base = core(store).header.base
    lsn = put(store, b"X", offset=100)
    assert (lsn - HEADER_SIZE - base) % 4096 != 0
    frames = core(store).log.frames(core(store).header, base, lsn)
    assert all((frame.lsn - base) % 4096 == 0 for frame in frames)
    images = frames[-1].operations()
    assert len(images[3].data) == 4096  # type: ignore[union-attr]
    seam.kill()
    again = Seam()
    store = opened(tmp_path, again, powersafe_overwrite=False)
    assert again.count("rename") == 1  # what is verified is not overwritten in place
    assert get(store) == b"." * 100 + b"X" + b"." * 4899


def test_a_new_generation_never_validates_the_bytes_of_the_one_before(tmp_path: Path) -> None:
    seam = Seam()
    store = opened(tmp_path, seam, log_size_bytes=SMALL)
    for number in range(3):
        put(store, b"%d" % number)
    store.checkpoint()
    put(store, b"9")
    seam.kill()
    again = opened(tmp_path, Seam())
    assert again.recovery is not None
    assert (again.recovery.frames, again.recovery.torn) == (1, False)
    assert get(again) == b"9"
