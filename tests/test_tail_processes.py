"""One follower that is killed now and then sees each commit of writers that are killed, once.

Real processes, a log that starts anew every few transactions, no sleeps: everybody goes on as the
others' lines come in.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import threading
from pathlib import Path
from queue import Queue
from typing import Any

import pytest

from tail_writer import opened, work

WRITERS = 3
ROUNDS = 9
LONGEST_WAIT_SECONDS = 60.0
WRITER = str(Path(__file__).parent / "tail_writer.py")

Tables = dict[str, dict[int, dict[str, Any]]]


class Program:
    """A child process whose complete lines come through a queue, with who said them."""

    def __init__(self, lines: Queue[tuple[Program, str]], *command: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        self._lines = lines
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.endswith(b"\n"):  # else it was killed in the middle of one
                self._lines.put((self, line.decode()))

    def kill(self) -> str:
        """Kill it; all of its complete lines are in the queue then.  What it said to stderr."""
        self.process.kill()
        self._reader.join()
        self.process.wait()
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        told = self.process.stderr.read().decode()
        self.process.stdout.close()
        self.process.stderr.close()
        return told


class Scene:
    """Writers and a follower, and what came of them."""

    def __init__(self, path: Path, seed: int) -> None:
        self.path = str(path)
        self.choose = random.Random(seed)
        self.acknowledged: dict[str, int] = {}
        self.commits: list[dict[str, Any]] = []
        self.restarts = 0
        self._started = 0
        self._acks: Queue[tuple[Program, str]] = Queue()
        self._told: Queue[tuple[Program, str]] = Queue()
        self.writers: list[Program] = []
        with opened(self.path) as db:
            db.archive(64 << 20)
            self.start = db.stats()["end_lsn"]
        self.follower = self._follow()

    def _follow(self) -> Program:
        after = self.commits[-1]["lsn"] if self.commits else self.start
        command = ["-m", "bazanite_tools", "wal", "tail", self.path, "--follow", "--json"]
        return Program(self._told, *command, "--from", str(after))

    def start_writers(self) -> None:
        while len(self.writers) < WRITERS:
            self._started += 1
            seed = str(self.choose.random())
            name = f"w{self._started}"
            self.writers.append(Program(self._acks, WRITER, self.path, name, seed))

    def wait_for_commits(self, count: int) -> None:
        """Until so many more were acknowledged."""
        for _ in range(count):
            self._take(self._acks.get(timeout=LONGEST_WAIT_SECONDS)[1])

    def _take(self, line: str) -> None:
        lsn, tag = line.split()
        assert tag not in self.acknowledged
        self.acknowledged[tag] = int(lsn)

    def kill_writers(self, count: int) -> None:
        for _ in range(count):
            writer = self.writers.pop(self.choose.randrange(len(self.writers)))
            assert writer.kill() == ""
        while not self._acks.empty():
            self._take(self._acks.get()[1])

    def restart_follower(self) -> None:
        """Kill it, wherever it is, and start another one behind its last complete line."""
        assert self.follower.kill() == ""
        while not self._told.empty():
            self.commits.append(json.loads(self._told.get()[1]))
        self.restarts += 1
        self.follower = self._follow()

    def follow_to(self, lsn: int) -> None:
        while not self.commits or self.commits[-1]["lsn"] < lsn:
            self.commits.append(json.loads(self._told.get(timeout=LONGEST_WAIT_SECONDS)[1]))

    def close(self) -> None:
        for program in (*self.writers, self.follower):
            program.kill()


def replayed(commits: list[dict[str, Any]]) -> Tables:
    tables: Tables = {"accounts": {}, "events": {}}
    for commit in commits:
        for change in commit["changes"]:
            rows = tables[change["table"]]
            if change["op"] == "delete":
                del rows[change["id"]]
            elif change["op"] in ("insert", "update"):
                assert (change["op"] == "update") == (change["id"] in rows)
                kept = {name: rows[change["id"]][name] for name in change.get("unchanged", ())}
                rows[change["id"]] = {**kept, **change["row"]}
            else:
                assert change["op"] == "vacuum"
    return tables


@pytest.mark.parametrize("seed", [1])
def test_a_follower_sees_each_commit_once_whoever_is_killed(tmp_path: Path, seed: int) -> None:
    scene = Scene(tmp_path / "data", seed)
    try:
        for turn in range(ROUNDS):
            scene.start_writers()
            scene.wait_for_commits(scene.choose.randrange(10, 40))
            if turn % 3 != 2:
                scene.restart_follower()
            scene.kill_writers(scene.choose.randrange(1, WRITERS + 1))
            if turn % 3 == 2:
                scene.restart_follower()
        scene.kill_writers(len(scene.writers))
        with opened(scene.path) as db:
            last = work(db, scene.choose, "last")
            scene.acknowledged["last"] = last
            final: Tables = {
                name: {row["id"]: dict(row) for row in table.find_all()}
                for name, table in db.tables.items()
            }
            scene.follow_to(last)
    finally:
        scene.close()
    lsns = [commit["lsn"] for commit in scene.commits]
    assert lsns == sorted(set(lsns))
    seen: dict[str, int] = {}
    for commit in scene.commits:
        [tag] = [change["row"]["tag"] for change in commit["changes"]
                 if change["table"] == "events" and change["op"] == "insert"]  # fmt: skip
        assert tag not in seen, "told twice"
        seen[tag] = commit["lsn"]
    assert scene.acknowledged.items() <= seen.items()
    assert set(seen) == {row["tag"] for row in final["events"].values()}
    assert len(seen) - len(scene.acknowledged) <= WRITERS * ROUNDS, "one for each that was killed"
    assert replayed(scene.commits) == final
    assert scene.restarts == ROUNDS
    assert len(seen) > 100
    with opened(scene.path) as db:
        assert db.stats()["generation"] > 2 * ROUNDS, "the log started anew more often than that"
