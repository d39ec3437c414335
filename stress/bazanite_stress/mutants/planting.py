"""Putting a bug into the engine: its source is changed on import, before it is compiled.

Only in a process of its own, before the engine is imported.  Two proofs that the bug is there: the
old text must occur exactly once, and ``__planted__()`` in the new text counts that it ran.
"""

from __future__ import annotations

import builtins
import importlib.machinery
import importlib.util
import mmap
import sys
from collections.abc import Iterable, Sequence
from types import CodeType, ModuleType
from typing import TypeVar

from .bug import Bug, Patch

T = TypeVar("T")
MARKER = "__planted__"


class PlantingError(Exception):
    """The harness is broken: a bug could not be planted, or its code never ran."""


class Planted:
    """The bugs of this process, and of those that it forks.  Calling it tells that one ran."""

    def __init__(self, *numbers: int) -> None:
        self.numbers = numbers
        self._count = memoryview(mmap.mmap(-1, 8)).cast("Q")

    def __call__(self, value: T | None = None) -> T | None:
        self._count[0] += 1
        return value

    @property
    def runs(self) -> int:
        """How often planted code ran; about so often, if it ran in several processes at once."""
        return self._count[0]


def apply(source: str, patches: Iterable[Patch]) -> str:
    """The source with these patches; PlantingError if one does not fit."""
    for patch in patches:
        count = source.count(patch.old)
        if count != 1:
            raise PlantingError(f"{patch.module}: found {count} times, not once: {patch.old!r}")
        source = source.replace(patch.old, patch.new)
    return source


def module_source(name: str) -> str:
    """The source of a module of the engine, read without importing it."""
    path = _spec(name).origin
    assert path is not None
    with open(path, encoding="utf-8") as file:
        return file.read()


def plant(*bugs: Bug) -> Planted:
    """Change the engine for the rest of this process's life.

    PlantingError if it was imported already, or if a patch does not fit.
    """
    by_module: dict[str, list[Patch]] = {}
    for bug in bugs:
        if not any(MARKER in patch.new for patch in bug.patches):
            raise PlantingError(f"bug {bug.number}: nothing tells whether it ran")
        for patch in bug.patches:
            by_module.setdefault(patch.module, []).append(patch)
    sources: dict[str, str] = {}
    for name, patches in by_module.items():
        if name in sys.modules:
            raise PlantingError(f"{name} is imported already: too late to plant anything")
        sources[name] = apply(module_source(name), patches)
        try:
            compile(sources[name], name, "exec")
        except SyntaxError as error:
            raise PlantingError(f"{name}: the planted code does not compile: {error}") from error
    planted = Planted(*(bug.number for bug in bugs))
    setattr(builtins, MARKER, planted)
    sys.meta_path.insert(0, _Finder(sources))
    return planted


class _Finder:
    """Finds the changed modules, and leaves all others to Python."""

    def __init__(self, sources: dict[str, str]) -> None:
        self._sources = sources

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        source = self._sources.get(name)
        if source is None:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is None or spec.origin is None:
            raise PlantingError(f"{name}: no such module")
        spec.loader = _Loader(name, spec.origin, source)
        return spec


class _Loader(importlib.machinery.SourceFileLoader):
    """Compiles the changed source; no cache of compiled code is read or written."""

    def __init__(self, name: str, path: str, source: str) -> None:
        super().__init__(name, path)
        self._source = source

    def get_code(self, fullname: str) -> CodeType | None:
        return compile(self._source, self.get_filename(fullname), "exec", dont_inherit=True)


def _spec(name: str) -> importlib.machinery.ModuleSpec:
    """Where a module stands; its package is plain enough to be imported or is already."""
    package, _, leaf = name.rpartition(".")
    found = importlib.machinery.PathFinder.find_spec(package)
    if found is None or not found.submodule_search_locations:
        raise PlantingError(f"{name}: no package {package}")
    spec = importlib.machinery.PathFinder.find_spec(name, list(found.submodule_search_locations))
    if spec is None or spec.origin is None:
        raise PlantingError(f"{package} has no module {leaf}")
    return spec
