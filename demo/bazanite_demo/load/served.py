"""The server's processes: started on a directory, asked where they listen, stopped."""

from __future__ import annotations

import queue
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO

from ..server import TABLES_NAME

START_SECONDS = 60.0
STOP_SECONDS = 60.0
_TRACE = "Traceback (most recent call last)"


class NotServed(Exception):
    """The server did not start."""


class Served:
    """A running server on ``parent``/data; what it says of itself goes to ``parent``/server.log."""

    def __init__(self, parent: Path, workers: int) -> None:
        self.tables = parent / "data" / TABLES_NAME
        self.log = parent / "server.log"
        command = [sys.executable, "-m", "bazanite_demo", "--data", str(parent / "data")]
        command += ["--port", "0", "--workers", str(workers)]
        with self.log.open("wb") as log:
            # A session of its own: Ctrl-C is for us, and we stop it when all is read.
            self._process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=log, text=True, start_new_session=True
            )
        self._lines: queue.Queue[str] = queue.Queue()
        assert self._process.stdout is not None
        self._reader = threading.Thread(
            target=self._read, args=[self._process.stdout], name="server's output", daemon=True
        )
        self._reader.start()

    @property
    def master(self) -> int:
        """The process whose children are the workers."""
        return self._process.pid

    def address(self) -> str:
        """Where it listens, once it does; NotServed if it has ended or says nothing."""
        try:
            address = self._lines.get(timeout=START_SECONDS).strip()
        except queue.Empty:
            address = ""
        if not address.startswith("http://"):
            raise NotServed(f"the server does not start:\n{self.log.read_text('utf-8')}")
        return address

    def stop(self) -> int:
        """Tell it to, and wait; its exit status, -9 if it had to be killed."""
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join()
        assert self._process.stdout is not None
        self._process.stdout.close()
        return self._process.returncode

    def traces(self) -> list[str]:
        """The last line of each traceback in its log."""
        found = []
        inside = False
        for line in self.log.read_text("utf-8", "replace").splitlines():
            if line.startswith(_TRACE):
                inside = True
            elif inside and line and not line.startswith(" "):
                found.append(line)
                inside = False
        return found

    def _read(self, stream: IO[str]) -> None:
        for line in stream:
            self._lines.put(line)
        self._lines.put("")  # it has ended
