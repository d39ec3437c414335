"""Processes beside the application: a torture run on a directory of its own, and a load generator.

A job outlives the worker that started it.  It inherits a locked file, and runs as long as that is
locked; what it prints goes into files, where all workers read how far it is.  So at most one of
each kind runs, whoever dies.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

KILLED_NAME = "killed"
"""A line for each worker that was killed: pid and monotonic time, written before."""
_LOOKS, _LOOK_SECONDS = 10, 0.01
_STOP_SECONDS = 3.0
_MUCH_BYTES = 4 << 20
_BETWEEN = re.compile(r"  +")
"""Figures in a line for a terminal; a page shows such a gap as one space."""
_TRAFFIC = {
    "verdict": "Verdict",
    "requests": "Requests",
    "requests_broken": "Requests that a kill broke",
    "acknowledged": "Changes acknowledged",
    "doubtful": "Changes without an answer",
    "commits_per_second": "Commits a second",
    "errors": "Errors",
    "problems": "Changes lost",
}
"""What is shown of its document, and how it is called."""
Figures = dict[str, Any]


class Busy(Exception):
    """One of this kind is running."""


class Job:
    """One kind of job; ``told`` makes figures of what it printed so far."""

    def __init__(
        self, folder: Path, name: str, command: list[str], told: Callable[[str], Figures]
    ) -> None:
        self.command = [sys.executable, "-m", *command]
        self._told = told
        self._lock = folder / f"{name}.lock"
        self._about = folder / f"{name}.job"
        self._printed = folder / f"{name}.jsonl"
        self._errors = folder / f"{name}.err"

    def start(self) -> None:
        """Start it.  Busy: it is running already."""
        descriptor = os.open(self._lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            for _ in range(_LOOKS):
                if _locked(descriptor, fcntl.LOCK_EX):
                    break
                time.sleep(_LOOK_SECONDS)  # somebody may just be looking whether it is free
            else:
                raise Busy
            self._about.unlink(missing_ok=True)  # no older one's pid, should we die half-way
            with self._printed.open("wb") as printed, self._errors.open("wb") as errors:
                process = subprocess.Popen(
                    self.command,
                    stdin=subprocess.DEVNULL,
                    stdout=printed,
                    stderr=errors,
                    pass_fds=[descriptor],
                    start_new_session=True,
                )
            self._about.write_text(json.dumps({"pid": process.pid, "began": time.time()}))
        finally:
            os.close(descriptor)
        threading.Thread(target=process.wait, daemon=True).start()  # so that it is buried

    def is_running(self) -> bool:
        """Whether it is, whoever started it."""
        try:
            descriptor = os.open(self._lock, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            return not _locked(descriptor, fcntl.LOCK_SH)
        finally:
            os.close(descriptor)

    def state(self) -> Figures | None:
        """How far it is, or how it ended; None if it never ran."""
        running = self.is_running()  # first: what it printed is complete if it is not
        try:
            about = json.loads(self._about.read_bytes())
        except (FileNotFoundError, ValueError):
            return None
        figures = {"running": running, "began": about["began"], **self._told(self._text())}
        if running:
            figures["doing"] = self._last_error()
        elif not figures.get("ended"):
            figures["failed"] = self._last_error() or "it was ended early"
        return figures

    def stop(self) -> None:
        """End it, if it runs, as Ctrl-C would; kill it if that takes long.  For the master."""
        if not self.is_running():
            return
        with suppress(FileNotFoundError, ValueError, ProcessLookupError):
            pid = json.loads(self._about.read_bytes())["pid"]
            os.kill(pid, signal.SIGINT)
            deadline = time.monotonic() + _STOP_SECONDS
            while self.is_running() and time.monotonic() < deadline:
                time.sleep(_LOOK_SECONDS)
            if self.is_running():
                os.killpg(pid, signal.SIGKILL)

    def forget(self) -> None:
        """A new server knows nothing of the jobs of an old one."""
        if not self.is_running():
            self._about.unlink(missing_ok=True)

    def _text(self) -> str:
        with suppress(FileNotFoundError), self._printed.open("rb") as printed:
            return printed.read(_MUCH_BYTES).decode("utf-8", "replace")
        return ""

    def _last_error(self) -> str:
        """What it said last on its standard error, which may be how far it is."""
        with suppress(FileNotFoundError):
            lines = self._errors.read_text("utf-8", "replace").strip().splitlines()
            return _BETWEEN.sub(", ", lines[-1].strip())[:300] if lines else ""
        return ""


def torture(folder: Path) -> Job:
    """Ten seconds of it, on tables of its own; some of them before go to measuring the lock."""
    place = folder / "torture"
    place.mkdir(exist_ok=True)
    command = ["bazanite_tools", "torture", "--seconds", "10", "--jsonl", "-"]
    size = ["--writers", "4", "--readers", "2", "--dir", str(place)]
    return Job(folder, "torture", [*command, *size], _of_torture)


def traffic(folder: Path, address: str) -> Job:
    """Half a minute of requests to the application itself; it is told whom we kill."""
    command = ["bazanite_demo.load", "--url", address, "--seconds", "30", "--clients", "4"]
    killed = ["--kills-every", "0", "--killed", str(folder / KILLED_NAME)]
    return Job(folder, "traffic", [*command, *killed, "--json"], _of_traffic)


def _of_torture(text: str) -> Figures:
    """Of a line for each round, and one at the end."""
    figures: Figures = dict.fromkeys(("rounds", "kills", "commits", "violations"), 0)
    for line in text.splitlines():
        try:
            told = json.loads(line)
        except ValueError:
            continue  # it is being written
        if told["event"] == "round":
            figures["rounds"] += 1
            for name in ("kills", "commits"):
                figures[name] += told[name]
        elif told["event"] == "violation":
            figures["violations"] += 1
        elif told["event"] == "end":
            figures["ended"] = True
            figures |= {name: told[name] for name in ("kills", "violations")}
            figures["told"] = _verdict(told)
    return figures


def _verdict(end: Figures) -> str:
    """Ten seconds are too short to come to every moment thirty times, as its verdict demands."""
    if end["verdict"] == "not measured" and not end["violations"]:
        return "nothing was lost, at the moments that ten seconds came to"
    return str(end["verdict"])


def _of_traffic(text: str) -> Figures:
    """Of the one document that it prints at the end."""
    try:
        document = json.loads(text)
    except ValueError:
        return {}
    found = {label: document[name] for name, label in _TRAFFIC.items() if name in document}
    return {"ended": True, "found": found}


def _locked(descriptor: int, how: int) -> bool:
    try:
        fcntl.flock(descriptor, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
