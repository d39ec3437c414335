"""Everything as it is now, as plain values: the page shows it once, the stream again and again."""

from __future__ import annotations

import os
import time
from dataclasses import asdict
from typing import Any

from .board import Worker
from .room import Room

FIRST_COMMITS, MORE_COMMITS = 12, 12
FIRST_RECORDS, MORE_RECORDS = 8, 20

State = dict[str, Any]


class Looking:
    """One reader's state: of commits, records and stories each is given once."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._lsn = -1
        self._record: int | None = None
        self._story: State | None = None

    def now(self) -> State:
        """As it is now.  DBError: the database is closed, or cannot be looked at."""
        room, first = self._room, self._record is None
        workers = room.board.workers()
        figures = room.db.stats()
        commits = room.feed.newest(room.db, self._lsn, FIRST_COMMITS if first else MORE_COMMITS)
        if commits:
            self._lsn = commits[-1]["lsn"]
        records, self._record = room.records.read(self._record)
        story = room.experiment.last()
        changed, self._story = story != self._story, story
        for record in records:
            record["who"] = _name_of(record["pid"], workers)
            record["time"] = time.strftime("%H:%M:%S", time.localtime(record["at"]))
        return {
            "at": round(time.time(), 3),
            "by": os.getpid(),
            "workers": [{**asdict(worker), "name": worker.name} for worker in workers],
            "killed": room.board.killed,
            "lock": _lock(figures, workers),
            "log": _log(figures),
            "counts": _counts(figures, workers),
            "commits": commits,
            "records": records[-(FIRST_RECORDS if first else MORE_RECORDS) :],
            "story": story if changed or first else None,
            "torture": room.torture.state(),
            "traffic": room.traffic.state(),
        }


def _lock(figures: State, workers: list[Worker]) -> State:
    holder = figures["lock_holder"]
    return {
        "holder": holder,
        "who": _name_of(holder["pid"], workers) if holder else None,
        "waiting": figures["waiting_processes"],
        "longest_ms": round(figures["longest_waiting_seconds"] * 1000, 1),
    }


def _log(figures: State) -> State:
    return {
        "generation": figures["generation"],
        "end": figures["end_lsn"],
        "durable": figures["durable_lsn"],
        "applied": figures["applied_lsn"],
        "used": figures["log_used_bytes"],
        "file": figures["log_file_bytes"],
        "age": round(figures["checkpoint_age_seconds"], 1),
    }


def _counts(figures: State, workers: list[Worker]) -> State:
    """Of all living workers together, since each of them began; and of the directory."""
    commits, syncs = (sum(getattr(w, name) for w in workers) for name in ("commits", "syncs"))
    return {
        "commits": commits,
        "rate": round(sum(worker.rate for worker in workers), 1),
        "log_syncs": syncs,
        "commits_per_sync": round(commits / syncs, 2) if syncs else None,
        "log_bytes": sum(worker.log_bytes for worker in workers),
        "checkpoints": sum(worker.checkpoints for worker in workers),
        "repairs": sum(worker.repairs for worker in workers),
        "requests": sum(worker.calls for worker in workers),
        "attached": figures["attached_processes"],
        "data_files": figures["data_files"],
        "data_bytes": figures["data_bytes"],
        "durability": figures["durability"],
        "poisoned": figures["poisoned"],
    }


def _name_of(pid: int, workers: list[Worker]) -> str:
    for worker in workers:
        if worker.pid == pid:
            return worker.name
    return f"pid {pid}"
