"""Source that was generated for a schema, compiled once in each process and its children."""

from __future__ import annotations

from functools import lru_cache
from types import CodeType

_MOST = 1_000


@lru_cache(_MOST)
def code_of(source: str, label: str) -> CodeType:
    """The code of this source; ``label`` stands for a file's name in tracebacks."""
    return compile(source, f"<{label}>", "exec")
