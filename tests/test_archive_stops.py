"""The log archive, stopped: killed, interrupted or without room, it loses nothing."""

from __future__ import annotations

import errno
import logging
import os
import re
from pathlib import Path

import pytest

from archive_support import KEEP, archived, segments, some, told
from bazanite_wal.archive_format import SECTION_SIZE
from bazanite_wal.errors import (
    ArchiveError,
    PoisonedError,
)
from bazanite_wal.header import FRAMES_START
from seam import Killed, Seam
from store_support import LOG, SMALL, core, get, opened, put


def work(seam: Seam, path: Path, done: dict[int, bytes]) -> None:
    """What is killed at every step: enough for two checkpoints, a close and another opening."""
    store = opened(path, seam, log_size_bytes=SMALL)
    for first in (0, 100):
        for number in range(first, first + 14):
            value = b"%05d" % number * 60
            done[put(store, value)] = value
        store.close()
        store = opened(path, seam, log_size_bytes=SMALL)


@pytest.mark.parametrize("part", range(6))
def test_nothing_is_missing_wherever_a_process_is_killed(tmp_path: Path, part: int) -> None:
    archived(tmp_path / "whole").close()
    seam = Seam(steady=True)
    work(seam, tmp_path / "whole", {})
    interesting = [
        number
        for number, (_, name) in enumerate(seam.calls)
        if "archive" in name or number % 40 == part
    ]
    for step in interesting[part::6]:
        path = tmp_path / f"{step}"
        archived(path, keep=32768).close()
        seam = Seam(steady=True)
        seam.kill_at(step)
        done: dict[int, bytes] = {}
        with pytest.raises(Killed):
            work(seam, path, done)
        store = opened(path, Seam(), log_size_bytes=SMALL)
        value = get(store)
        done |= some(store, 900, 30)
        found = told(path)
        assert done.items() <= found.items(), f"killed before call {step}: {seam.calls[-1:]}"
        others = [data for lsn, data in found.items() if lsn not in done]
        assert others in ([], [value]), "only the one that was under way"
        store.close()
        assert told(path) == found


@pytest.mark.parametrize("turned", ["on", "off"])
def test_turning_it_killed_at_any_step_leaves_it_on_or_off(tmp_path: Path, turned: str) -> None:
    for step in range(400):
        path = tmp_path / f"{step}"
        store = opened(path, seam := Seam(steady=True), log_size_bytes=SMALL)
        if turned == "off":
            store.archive(KEEP)
        first = some(store, 0, 3)
        seam.kill_at(step)
        try:
            store.archive(KEEP if turned == "on" else None)
        except Killed:
            done = False
        else:
            done = True
        seam.kill()
        store = opened(path, Seam(), log_size_bytes=SMALL)
        assert get(store) == [*first.values()][-1]
        is_on = (path / "wal.archive").exists()
        later = some(store, 10, 30)
        found = told(path)
        if turned == "off" and is_on:
            assert found == first | later, f"killed before call {step}"
        elif turned == "on" and is_on:
            assert found == later, f"killed before call {step}"
        store.archive(KEEP)
        last = some(store, 50, 30)
        assert last.items() <= told(path).items(), f"killed before call {step}"
        store.close()
        if done:
            break
    assert done
    assert is_on == (turned == "on")


def test_an_interrupt_at_any_call_of_a_checkpoint_loses_nothing(tmp_path: Path) -> None:
    store = archived(tmp_path, seam := Seam(steady=True), keep=32768)
    expected: dict[int, bytes] = {}
    for step in range(400):
        expected |= some(store, step, 1)
        before = len(seam.calls)
        seam.interrupt_at(step, KeyboardInterrupt(), after=step % 2 == 1)
        try:
            store.checkpoint()
        except KeyboardInterrupt:
            assert len(seam.calls) >= before
        else:
            break
        finally:
            seam.rules.clear()
            seam.after_rules.clear()
        assert told(tmp_path, min(expected) - 1) == expected, f"at call {step}"
    assert step > 30
    store.close()
    assert told(tmp_path, min(expected) - 1) == expected


def test_an_attempt_that_was_cut_short_is_cut_off_by_the_next(tmp_path: Path) -> None:
    store = archived(tmp_path)
    expected = some(store, 0, 3)
    store.checkpoint()
    [name] = segments(tmp_path)
    whole = (tmp_path / name).read_bytes()
    expected |= some(store, 3, 3)
    with (tmp_path / name).open("ab") as file:  # as a writer that died, or the power, leaves it
        file.write(whole[-700:] + b"\0" * 5000)
    assert told(tmp_path) == expected
    store.checkpoint()
    assert told(tmp_path) == expected
    frames = core(store).header.base - _base_of(whole)
    assert (tmp_path / name).stat().st_size == len(whole) + SECTION_SIZE + frames


def _base_of(segment: bytes) -> int:
    """Where the last section of a whole segment says that the next one begins."""
    return int(re.findall(rb" next=(\d{20}) ", segment)[-1])


@pytest.mark.parametrize("operation", ["write_at", "open", "truncate"])
def test_a_full_disk_fails_the_checkpoint_and_nothing_else(
    tmp_path: Path, operation: str, caplog: pytest.LogCaptureFixture
) -> None:
    seam = Seam()
    store = archived(tmp_path, seam)
    expected = some(store, 0, 3)
    [name] = segments(tmp_path)
    with (tmp_path / name).open("ab") as file:
        file.write(b"an attempt")
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    seam.fail(operation, name, full, times=1000)
    with pytest.raises(ArchiveError, match=r"keeps what it has.*Make room") as raised:
        store.checkpoint()
    assert isinstance(raised.value.__cause__, OSError)
    with caplog.at_level(logging.ERROR):
        expected |= some(store, 3, 40)  # more than the log is large: it grows
    assert told(tmp_path) == expected
    assert (tmp_path / LOG).stat().st_size > FRAMES_START + SMALL
    seam.rules.clear()
    store.checkpoint()
    assert told(tmp_path) == expected
    assert (tmp_path / LOG).stat().st_size == FRAMES_START + SMALL
    expected |= some(store, 50, 20)
    store.close()
    assert told(tmp_path) == expected


def test_an_opening_that_cannot_archive_is_refused_and_loses_nothing(tmp_path: Path) -> None:
    store = archived(tmp_path, killed := Seam())
    expected = some(store, 0, 3)
    killed.kill()
    [name] = segments(tmp_path)
    seam = Seam()
    seam.fail("write_at", name, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
    with pytest.raises(ArchiveError, match="Make room"):
        opened(tmp_path, seam, log_size_bytes=SMALL)
    store = opened(tmp_path, seam, log_size_bytes=SMALL)
    assert told(tmp_path) == expected
    assert get(store) == [*expected.values()][-1]


def test_a_failed_sync_of_the_archive_poisons(tmp_path: Path) -> None:
    seam = Seam()
    store = archived(tmp_path, seam)
    expected = some(store, 0, 3)
    [name] = segments(tmp_path)
    seam.fail("sync", name, OSError(errno.EIO, os.strerror(errno.EIO)))
    with pytest.raises(PoisonedError):
        store.checkpoint()
    store.close()
    store = opened(tmp_path, Seam(), log_size_bytes=SMALL)
    assert told(tmp_path) == expected
