"""On what a benchmark ran: without it, its figures mean nothing."""

from __future__ import annotations

import os
import platform
import sqlite3
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from .engines import ENGINES

_MEMORY = {"tmpfs", "ramfs"}
_SECTOR_BYTES = 512
_SECTORS_WRITTEN = 6


@dataclass(frozen=True, slots=True)
class Mount:
    """The file system that a directory is on; ``device`` as ``major:minor``."""

    kind: str
    options: str
    device: str

    @property
    def in_memory(self) -> bool:
        """Whether it keeps nothing on a disk, so that a sync costs nothing."""
        return self.kind in _MEMORY

    def written_bytes(self) -> int | None:
        """How much its disk has been written since the start, by whomever; None: no disk."""
        try:
            fields = Path(f"/sys/dev/block/{self.device}/stat").read_text("ascii").split()
        except OSError:
            return None
        return int(fields[_SECTORS_WRITTEN]) * _SECTOR_BYTES


def mount_of(directory: Path, table: str | None = None) -> Mount:
    """The mount that holds the directory; ``table``: as /proc/self/mountinfo has it."""
    text = Path("/proc/self/mountinfo").read_text("utf-8") if table is None else table
    path = directory.resolve()
    found, deepest = Mount("unknown", "", ""), -1
    for line in text.splitlines():
        before, _, after = line.partition(" - ")
        fields, kind = before.split(), after.split()[0]
        point = Path(fields[4].replace("\\040", " "))
        # Of two mounts on one place the later one is seen.
        if (point == path or point in path.parents) and len(point.parts) >= deepest:
            found, deepest = Mount(kind, fields[5], fields[2]), len(point.parts)
    return found


def describe(directory: Path, seed: int) -> dict[str, Any]:
    """What has to be told beside any figure."""
    mount = mount_of(directory)
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "kernel": platform.release(),
        "machine": platform.machine(),
        "cpu": _cpu(),
        "cpu_count": os.cpu_count(),
        "python": sys.version.split()[0],
        "sqlite": sqlite3.sqlite_version,
        "filesystem": mount.kind,
        "mount_options": mount.options,
        "load": round(os.getloadavg()[0], 2),
        "versions": _versions(),
        "seed": seed,
    }


def _versions() -> dict[str, str]:
    found = {}
    # With NumPy Bazanite searches large tables faster: its figures are others then.
    for name in ["bazanite", "numpy", *filter(None, (entry.needs for entry in ENGINES.values()))]:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            pass
    return found


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return ""
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), "")
