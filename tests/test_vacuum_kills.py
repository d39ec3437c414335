"""A vacuum that is killed: what it did stays, nothing is half done, and the next one goes on."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from random import Random
from typing import Any

import pytest

from bazanite import DB
from seam import Killed, Seam, kill_all
from vacuum_support import Notes, filled, rows_of, tiny_steps
from vacuum_worker import STEADY, opened

WORKER = Path(__file__).with_name("vacuum_worker.py")


def _opened(path: Path, seam: Seam, **options: Any) -> DB:
    return DB([Notes], path, log_size_bytes=8192, system=seam, **options)


@pytest.mark.parametrize("checksums", [False, True])
def test_a_vacuum_that_was_killed_anywhere_is_finished_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, checksums: bool
) -> None:
    with _opened(tmp_path, Seam(steady=True), checksums=checksums) as db:
        model = filled(Random(11), db, 30, 0.6)
        before = db.find_all("notes")
    tiny_steps(monkeypatch)
    random, killed = Random(12), 0
    while True:
        seam = Seam(steady=True)
        db = _opened(tmp_path, seam)
        seam.kill_at(random.randrange(60 + 10 * killed))  # it gets ever farther
        try:
            freed = db.vacuum("notes")
            seam.rules.clear()
            db.close()
        except Killed:
            killed += 1
            kill_all()
            with _opened(tmp_path, Seam(steady=True)) as other:
                assert other.find_all("notes") == before
                assert other.check().problems == []
            assert killed < 500
            continue
        if not freed:
            break
    assert killed > 5
    with _opened(tmp_path, Seam(steady=True)) as db:
        assert rows_of(db) == model
        assert db.vacuum("notes") == 0
    assert (tmp_path / "notes__free.dat").read_bytes() == b""


def _started(path: Path, what: str, seed: int) -> subprocess.Popen[str]:
    words = [sys.executable, str(WORKER), str(path), what, str(seed)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("seed", [1, 2])
def test_others_write_and_read_while_vacuums_are_killed(tmp_path: Path, seed: int) -> None:
    with opened(str(tmp_path)) as db:
        rows = [{"mark": str(number), "title": "stays" * (number % 4)} for number in range(STEADY)]
        db.insert_many("notes", rows)
        gone = db.insert_many("notes", [{"title": "goes " * 5}] * 60)
        db.insert_many("notes", [{"title": "behind", "raw": b"#"}] * 10)
        for row in gone:
            db.delete_by_id("notes", row["id"])
        model = rows_of(db)
        others = [_started(tmp_path, "write", seed * 10 + number) for number in range(2)]
        others.append(_started(tmp_path, "read", seed))
        killed = number = 0
        while killed < 3 or any(one.poll() is None for one in others):
            number += 1
            vacuum = _started(tmp_path, "vacuum", seed * 1000 + number)
            _, told = vacuum.communicate()
            assert vacuum.returncode in (0, -signal.SIGKILL), told
            killed += vacuum.returncode != 0
            assert db.check().problems == []
            assert number < 400
        for one in others:
            told, trouble = one.communicate()
            assert one.returncode == 0, trouble
            model |= {row["id"]: {**row, "raw": None} for row in json.loads(told or "[]")}
        assert killed >= 3
        assert rows_of(db) == model
        db.vacuum("notes")
        assert rows_of(db) == model
        assert db.check().problems == []
        size = len(model) * db.tables["notes"].row_size
        assert (tmp_path / "notes.dat").stat().st_size == size
