"""Somebody's own workload or program, named on the command line."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from .output import USAGE, CommandError

T = TypeVar("T")


def named(load: Callable[[str], T], reference: str) -> T:
    """What --workload names; the current directory is on the path."""
    sys.path.insert(0, str(Path.cwd()))  # as python -m does
    try:
        return load(reference)
    except (TypeError, ValueError) as error:
        raise CommandError(f"--workload {error}", USAGE) from error
    finally:
        sys.path.pop(0)
