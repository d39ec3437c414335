"""``db.stats()``: what an operator needs to know of a directory, and nobody has to wait for it."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from bazanite import DB, INT, PK, TEXT, DirectoryError, Field, PoisonedError, Schema, Table
from cli_support import run
from seam import Seam
from store_support import LOG, attachment, opened, put, word
from tools_support import run_json

ROOT = Path(__file__).resolve().parent.parent


class Rows(Table):
    name = "rows"
    schema = Schema([Field("id", PK()), Field("n", INT(index=True)), Field("t", TEXT(null=True))])


class Others(Table):
    name = "others"
    schema = Schema([Field("id", PK())])


def test_every_figure_is_documented(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "api.md").read_text("utf-8")
    with DB([Rows], tmp_path) as db:
        stats = db.stats()
    assert len(stats) >= 25
    assert {name for name in stats if f"`{name}`" not in page} == set()
    assert {name for name in stats["tables"]["rows"] if f"`{name}`" not in page} == set()


def test_the_bytes_of_each_table_are_those_of_its_files(tmp_path: Path) -> None:
    with DB([Rows, Others], tmp_path, checksums=True) as db:
        db.insert_many("rows", [{"n": n, "t": "text"} for n in range(100)])
        stats = db.stats()
    tables = stats["tables"]
    assert tables.keys() == {"rows", "others"}
    for name, found in tables.items():
        files = [f for f in tmp_path.glob("*.dat") if f.name.startswith((f"{name}.", f"{name}__"))]
        sizes = {key: size for key, size in found.items() if key.endswith("_bytes")}
        assert sum(sizes.values()) == sum(f.stat().st_size for f in files)
        assert found["files"] == len(files)
    assert tables["rows"]["texts_bytes"] == (tmp_path / "rows.text.dat").stat().st_size
    assert tables["others"]["texts_bytes"] == tables["others"]["indexes_bytes"] == 0
    everything = [*tmp_path.glob("*.dat"), tmp_path / "schema.json"]
    assert stats["data_files"] == len(everything)
    assert stats["data_bytes"] == sum(f.stat().st_size for f in everything)


def test_nobody_waits_for_the_figures_and_they_name_who_keeps_the_lock(tmp_path: Path) -> None:
    seam, other = Seam(), Seam()
    holder, watcher = opened(tmp_path, seam), opened(tmp_path, other, lock_timeout=0)
    assert watcher.stats()["lock_holder"] is None
    with holder.lock():
        stats = watcher.stats()
        words = attachment(holder).core.words
        slot = attachment(holder).core.lock.slot
        assert slot is not None
        words[slot + 1] = int((other.monotonic() - 5) * 1000)
        waiting = watcher.stats()
        words[slot + 1] = 0
    assert stats["lock_holder"]["pid"] == seam.pid
    assert stats["lock_holder"]["command"] == f"process {seam.pid}"
    assert (stats["waiting_processes"], stats["longest_waiting_seconds"]) == (0, 0.0)
    assert waiting["waiting_processes"] == 1
    assert 4.9 < waiting["longest_waiting_seconds"] < 60


def test_the_longest_wait_for_the_lock_is_kept(tmp_path: Path) -> None:
    seam = Seam(steady=True)
    holder, waiter = opened(tmp_path, Seam()), opened(tmp_path, seam)
    with holder.lock():
        held = attachment(holder).core.lock
        seam.when("sleep", "", lambda: None)
        naps = 0

        def nap() -> None:
            nonlocal naps
            naps += 1
            if naps == 10:
                held._file.unlock()

        seam.rules.append(lambda operation, *_: nap() if operation == "sleep" else None)
        put(waiter, b"x")
    found = waiter.stats()["longest_lock_wait_seconds"]
    assert 0 < found <= seam._slept + 1e-6
    put(waiter, b"y")
    assert waiter.stats()["longest_lock_wait_seconds"] == found
    assert holder.stats()["longest_lock_wait_seconds"] == 0


def test_the_age_of_the_last_checkpoint_is_everybodys(tmp_path: Path) -> None:
    seam = Seam(steady=True)
    one, two = opened(tmp_path, seam), opened(tmp_path, Seam(steady=True))
    put(one, b"x")
    seam._slept += 60
    assert one.stats()["checkpoint_age_seconds"] == 60
    one.checkpoint()
    assert one.stats()["checkpoint_age_seconds"] == 0
    assert two.stats()["checkpoint_age_seconds"] == 0  # its own clock is behind


def test_checkpoints_that_were_put_off_are_counted(tmp_path: Path) -> None:
    seam = Seam()
    store = opened(tmp_path, seam, checkpoint_bytes=1)
    put(store, b"x")
    assert store.stats()["checkpoints_put_off"] == 0
    seam.fail("list", ".", OSError(errno.EMFILE, os.strerror(errno.EMFILE)))
    put(store, b"y")
    assert store.stats()["checkpoints_put_off"] == 1


def test_what_recovery_found_stays_to_be_asked_for(tmp_path: Path) -> None:
    seam = Seam()
    put(opened(tmp_path, seam), b"x")
    seam.kill()
    first, second = opened(tmp_path, Seam()), opened(tmp_path, Seam())
    assert first.stats()["recovery"] == {"frames": 1, "torn": False, "dropped_frames": 0}
    assert second.stats()["recovery"] is None


def test_the_archive_is_counted_and_something_else_in_its_place_is_not(tmp_path: Path) -> None:
    store = opened(tmp_path, Seam())
    assert (store.stats()["archive_files"], store.stats()["archive_bytes"]) == (0, 0)
    store.archive(1 << 20)
    put(store, b"x")
    store.checkpoint()
    segments = list(tmp_path.glob("wal.0*.archive"))
    stats = store.stats()
    assert stats["archive_files"] == len(segments) == 1
    assert stats["archive_bytes"] == segments[0].stat().st_size
    os.mkfifo(tmp_path / f"wal.{7:020d}.archive")
    assert store.stats()["archive_files"] == 1


def test_a_poisoned_directory_still_tells_its_figures(tmp_path: Path) -> None:
    seam = Seam()
    store = opened(tmp_path, seam, durability="normal")
    seam.fail("sync_data", LOG, OSError(errno.EIO, os.strerror(errno.EIO)))
    put(store, b"x")
    assert store.stats()["poisoned"] is False
    with pytest.raises(PoisonedError):
        store.checkpoint()
    stats = store.stats()
    assert (stats["poisoned"], stats["durability"]) == (True, "normal")


def test_what_cannot_be_asked_is_a_typed_error(tmp_path: Path) -> None:
    seam = Seam()
    store = opened(tmp_path, seam)
    put(store, b"x")
    for operation, name in (("size", "a.dat"), ("size", LOG), ("list", ".")):
        seam.fail(operation, name, OSError(errno.EIO, os.strerror(errno.EIO)))
        with pytest.raises(DirectoryError, match=r"cannot (be looked at|read).*Input/output"):
            store.stats()
        seam.rules.clear()
        assert store.stats()["end_lsn"] == word(store, 1)


def test_the_figures_cost_a_few_looks_at_the_system(tmp_path: Path) -> None:
    seam = Seam(steady=True)
    db = DB([Rows, Others], tmp_path, system=seam)
    before = len(seam.calls)
    db.stats()
    asked = [name for name, _ in seam.calls[before:] if name not in ("load", "monotonic")]
    files = len(list(tmp_path.glob("*.dat"))) + 1
    assert sorted(asked) == ["list", *["size"] * (files + 1)]


def test_the_command_tells_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with DB([Rows], tmp_path) as db:
        db.archive(1 << 20)
        db.insert("rows", {"n": 1})
        expected = db.stats()
    code, document = run_json(capsys, "stats", tmp_path)
    stats: dict[str, Any] = document["stats"] | {"tables": document["tables"]}
    assert (code, stats.keys()) == (0, expected.keys())
    assert stats["tables"] == expected["tables"]
    with DB([Rows], tmp_path):  # who is attached knows when the log was emptied
        code, out, _ = run(capsys, "stats", tmp_path)
    for text in ("archive: ", "files: ", "that wait for the lock: none", "emptied "):
        assert text in out


def test_a_read_only_handle_tells_the_same_figures(tmp_path: Path) -> None:
    with DB([Rows], tmp_path) as db:
        db.insert("rows", {"n": 1})
        with DB.open(tmp_path, read_only=True) as reader:
            live, seen = db.stats(), reader.stats()
        assert seen.keys() == live.keys()
        for name in ("tables", "data_bytes", "end_lsn", "durability", "attached_processes"):
            assert seen[name] == live[name]
    with DB.open(tmp_path, read_only=True) as reader:
        closed = reader.stats()
    assert closed.keys() == live.keys()
    assert (closed["durability"], closed["checkpoint_age_seconds"]) == (None, None)
