"""What the tests of reading share: ways to look at a directory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bazanite_wal.options import StoreOptions
from bazanite_wal.read_only import open_read_only
from bazanite_wal.store import Store
from seam import Seam


def looking(path: Path | str, seam: Seam | None = None, **options: Any) -> Store:
    return open_read_only(str(path), StoreOptions(**({"lock_timeout": 20} | options)), seam)


def quick(store: Store, name: str = "a.dat") -> bytes:
    return store.quick_read(lambda view: view.read(name, 0, 1 << 20))


def state(path: Path) -> dict[str, tuple[int, bytes]]:
    """All there is to see of the directory: names, times, bytes."""
    return {
        "": (path.stat().st_mtime_ns, b""),
        **{file.name: (file.stat().st_mtime_ns, file.read_bytes()) for file in path.iterdir()},
    }
