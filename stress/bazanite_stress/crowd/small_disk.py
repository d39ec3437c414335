"""A file system so small that it fills up, where the system lets us mount one."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

SMALL_BYTES = 128 << 10
_ROOM_BYTES = 64 << 20


class NoSmallDisk(Exception):
    """None can be mounted here; the text says why."""


class SmallDisk:
    """A tmpfs of SMALL_BYTES at ``path``, until it is removed; NoSmallDisk if there can be none."""

    def __init__(self, path: Path) -> None:
        if os.geteuid() != 0:
            raise NoSmallDisk("only root may mount a small file system")
        if shutil.which("mount") is None:
            raise NoSmallDisk("there is no command mount")
        self.path = path
        path.mkdir()
        try:
            _run("mount", "-t", "tmpfs", "-o", f"size={SMALL_BYTES}", "tmpfs", str(path))
        except NoSmallDisk:
            path.rmdir()
            raise

    def make_room(self) -> None:
        """From here on it has room enough."""
        _run("mount", "-o", f"remount,size={_ROOM_BYTES}", str(self.path))

    def remove(self) -> None:
        """Take it away, with all that is on it."""
        _run("umount", "--lazy", str(self.path))
        self.path.rmdir()


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NoSmallDisk(f"{' '.join(command[:2])}: {done.stderr.strip() or done.returncode}")
