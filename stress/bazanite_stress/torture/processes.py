"""Starting children by fork or spawn, killing and reaping them; every wait has a deadline.

Children are plain processes: a fork of the supervisor, warm and cheap, or a new interpreter. They
hold the reading end of the lifeline, a pipe that nobody writes to: when the supervisor is gone,
however it went, they read its end and exit. What they print goes to a file of their own.
"""

from __future__ import annotations

import gc
import os
import pickle
import signal
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from bazanite_stress.torture import child

StartMethod = Literal["fork", "spawn"]
START_METHODS: tuple[StartMethod, ...] = ("fork", "spawn")

# A killed process may have to finish a sync first.
REAP_SECONDS = 30.0


@dataclass(slots=True)
class Child:
    """A process that we started. `status`: None while it runs, else as `os.waitstatus_to_exitcode`
    has it: -9 if it was killed.
    """

    pid: int
    output: Path
    status: int | None = None

    def alive(self) -> bool:
        """Whether it still runs; reaps it if not."""
        if self.status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = os.waitstatus_to_exitcode(status)
        return self.status is None

    def wait(self, seconds: float, check: Callable[[], None] | None = None) -> bool:
        """Wait for its end; False if the deadline came first. `check` is called on the way and may
        raise to end the wait.
        """
        deadline = time.monotonic() + seconds
        pause = 0.0001
        while self.alive():
            if check is not None:
                check()
            if time.monotonic() > deadline:
                return False
            time.sleep(pause)
            pause = min(pause * 1.5, 0.005)
        return True

    def signal(self, number: int) -> None:
        """Send a signal; nothing happens if it has ended."""
        if self.alive():
            os.kill(self.pid, number)

    def kill(self) -> bool:
        """SIGKILL and reap it; True if that is what it died of."""
        self.signal(signal.SIGKILL)
        if not self.wait(REAP_SECONDS):
            raise TimeoutError(f"process {self.pid} is there {REAP_SECONDS:g} s after SIGKILL")
        return self.status == -signal.SIGKILL


class Launcher:
    """Starts children and knows them all, so that none is left behind."""

    def __init__(self, method: StartMethod) -> None:
        self.method = method
        self._lifeline, self._held = os.pipe()
        self._children: list[Child] = []
        if method == "fork":
            # A collection in a child writes to every page that it shares with us, and copies it.
            gc.collect()
            gc.freeze()

    def start(self, role: str, config: Mapping[str, Any], output: Path) -> Child:
        """Start a child in this role (see `child.ROLES`); `output` takes what it prints."""
        begin = self._fork if self.method == "fork" else self._spawn
        started = Child(begin(role, dict(config), output), output)
        self._children = [known for known in self._children if known.status is None]
        self._children.append(started)
        return started

    def kill_all(self) -> None:
        """Kill what still runs."""
        for known in self._children:
            known.kill()
        self._children.clear()

    def close(self) -> None:
        """The same; none is started any more."""
        self.kill_all()
        gc.unfreeze()
        os.close(self._held)
        os.close(self._lifeline)

    def _fork(self, role: str, config: dict[str, Any], output: Path) -> int:
        pid = os.fork()
        if pid:
            return pid
        # Nothing below may return into the supervisor's code, whatever is raised.
        try:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            os.close(self._held)
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
            descriptor = os.open(output, flags, 0o600)
            os.dup2(descriptor, 1)
            os.dup2(descriptor, 2)
            child.run(role, config, self._lifeline)
        finally:
            os._exit(1)

    def _spawn(self, role: str, config: dict[str, Any], output: Path) -> int:
        path = output.with_suffix(".config")
        path.write_bytes(pickle.dumps((role, config, self._lifeline)))
        code = "import sys; from bazanite_stress.torture.child import main; main(sys.argv[1])"
        arguments = [sys.executable, "-c", code, str(path)]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        os.set_inheritable(self._lifeline, True)
        return os.posix_spawn(
            sys.executable,
            arguments,
            environment,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 1, str(output), flags, 0o600),
                (os.POSIX_SPAWN_DUP2, 1, 2),
            ],
        )
