"""An experiment as it is told: a file that is replaced with each step, for all workers to show."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

from .moments import MOMENTS

Story = dict[str, Any]


def read(path: Path) -> Story | None:
    """The story in this file, which may go on; None if there is none."""
    try:
        story: Story = json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return None
    return story


class Telling:
    """A story that others can read while it goes on: a file that is replaced with each step."""

    def __init__(self, path: Path, moment: str, number: int) -> None:
        self._path = path
        self._began = time.perf_counter()
        self.story: Story = {
            "number": number,
            "moment": moment,
            "label": MOMENTS[moment].label,
            "by": os.getpid(),
            "at": time.time(),
            "running": True,
            "ok": None,
            "title": "",
            "steps": [],
        }
        self._save()

    def step(self, kind: str, text: str, *, ok: bool = True) -> None:
        """The next one; not ``ok``: not what should have come."""
        ms = round((time.perf_counter() - self._began) * 1000, 1)
        self.story["steps"].append({"ms": ms, "kind": kind, "text": text, "ok": ok})
        self._save()

    def end(self, ok: bool | None, title: str) -> None:
        """No more comes; ``ok`` None: nothing was found out.

        A story of which the end cannot be stored, as the disk is full, is taken back.
        """
        self.story |= {"running": False, "ok": ok, "title": title}
        try:
            self._save()
        except OSError:
            self._path.unlink(missing_ok=True)

    def _save(self) -> None:
        new = self._path.with_suffix(".new")
        new.write_text(json.dumps(self.story))
        new.replace(self._path)
