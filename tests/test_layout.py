"""The architecture, enforced: who imports whom, who talks to the system, how long a file is."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from count_lines import corrected, counted, lines_of_code, wrong

ROOT = Path(__file__).resolve().parent.parent

# Each package with its folder, and what it may import besides the standard library.
PACKAGES = {
    "bazanite_wal": ("wal", {"bazanite_wal", "filelock"}),
    "bazanite": ("engine", {"bazanite", "bazanite_wal"}),
    "bazanite_stress": ("stress", {"bazanite_stress", "bazanite", "bazanite_wal"}),
    "bazanite_tools": (
        "tools",
        {"bazanite_tools", "bazanite_stress", "bazanite", "bazanite_wal"},
    ),
    "bazanite_demo": (
        "demo",
        {"bazanite_demo", "bazanite_tools", "bazanite_stress", "bazanite", "bazanite_wal"}
        | {"flask", "flask_wtf", "gunicorn", "markupsafe", "werkzeug", "wtforms"},
    ),
}

# What only an extra installs, and the one module that uses it: all else does without.
EXTRAS = {
    "engine/bazanite/columns.py": {"numpy"},
    "tools/bazanite_tools/torture_live.py": {"rich"},
    "tools/bazanite_tools/rich_grid.py": {"rich"},
    "stress/bazanite_stress/bench/bazoola_engine.py": {"bazoola"},
    "stress/bazanite_stress/bench/diskcache_engine.py": {"diskcache"},
    "stress/bazanite_stress/bench/lmdb_engine.py": {"lmdb"},
    "stress/bazanite_stress/bench/tinydb_engine.py": {"tinydb"},
    "stress/bazanite_stress/bench/plots.py": {"matplotlib"},
}

# Modules through which a program reaches the operating system, the clock or other threads.
SYSTEM_MODULES = {
    *("_thread", "ctypes", "errno", "fcntl", "filelock", "io", "mmap", "multiprocessing", "os"),
    *("pathlib", "platform", "random", "secrets", "select", "shutil", "signal", "socket"),
    *("subprocess", "tempfile", "threading", "time", "uuid"),
}
# A module that names constants only reaches nothing.
HARMLESS = {"errno"}
MAY_REACH_THE_SYSTEM = {"wal/bazanite_wal/posix.py", "wal/bazanite_wal/posix_modes.py"}

LONGEST_FILE = 400
LONGER_WITH_REASON = {
    "wal/bazanite_wal/posix.py": "what talks to the operating system is in one place",
}


def sources(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imported(path: Path) -> Iterator[tuple[int, str]]:
    """Line and full name of every import, those inside functions included; own package: ''."""
    for node in ast.walk(ast.parse(path.read_bytes(), relative(path))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.lineno, "" if node.level else node.module or ""


CODE = [
    pytest.param(package, path, id=relative(path))
    for package, (folder, _) in PACKAGES.items()
    for path in sources(f"{folder}/{package}")
]


@pytest.mark.parametrize("package,path", CODE)
def test_imports_go_one_way(package: str, path: Path) -> None:
    allowed = PACKAGES[package][1] | sys.stdlib_module_names | {""}
    allowed |= EXTRAS.get(relative(path), set())
    wrong = [
        f"{relative(path)}:{line}: imports {name}"
        for line, name in imported(path)
        if name.partition(".")[0] not in allowed
    ]
    assert wrong == []


CORE = [
    pytest.param(path, id=relative(path))
    for path in sources("wal/bazanite_wal", "engine/bazanite")
    if relative(path) not in MAY_REACH_THE_SYSTEM
]


@pytest.mark.parametrize("path", CORE)
def test_nobody_else_talks_to_the_operating_system(path: Path) -> None:
    forbidden = SYSTEM_MODULES - HARMLESS
    wrong = [
        f"{relative(path)}:{line}: imports {name}"
        for line, name in imported(path)
        if name.partition(".")[0] in forbidden
    ]
    calls = [
        f"{relative(path)}:{node.lineno}: calls {node.func.id}()"
        for node in ast.walk(ast.parse(path.read_bytes()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in {"open", "print", "input"}
    ]
    assert wrong + calls == []


def test_lines_of_code_are_counted_without_blanks_comments_and_docstrings() -> None:
    page = '"""Page\n\none."""\n\n# why\n'
    value = 'x = """a\n\nb"""  # three lines\n'
    function = 'def f():\n    """D."""\n    g(\n    )\n'
    assert lines_of_code(page + value + function) == 0 + 3 + 3


def test_the_readme_says_how_large_the_core_is() -> None:
    assert wrong((ROOT / "README.md").read_text("utf-8"), counted()) == []


def test_the_figures_of_the_readme_are_corrected_and_nothing_else_is() -> None:
    before = "a 7, log is about 1,400 lines of code\nand the tables are about 20, of 3.\n"
    counts = {"wal": 2_449, "engine": 12_050}
    assert [line.split(":")[0] for line in wrong(before, counts)] == ["wal", "engine"]
    after = corrected(before, counts)
    assert after == before.replace("1,400", "2,400").replace("20,", "12,000,")
    assert wrong(after, counts) == []
    assert wrong("Nothing is said.", counts) == [
        "wal: README.md says nothing, counted 2449",
        "engine: README.md says nothing, counted 12050",
    ]


def test_no_file_is_longer_than_a_reader_can_hold() -> None:
    too_long = {
        relative(path): count
        for path in sources("wal", "engine", "stress", "tools", "demo", "tests")
        if (count := len(path.read_text("utf-8").splitlines())) > LONGEST_FILE
        and relative(path) not in LONGER_WITH_REASON
    }
    assert too_long == {}


def test_every_reason_for_a_long_file_still_names_one() -> None:
    short = [
        name
        for name in LONGER_WITH_REASON
        if not (ROOT / name).is_file()
        or len((ROOT / name).read_text("utf-8").splitlines()) <= LONGEST_FILE
    ]
    assert short == []


@pytest.mark.parametrize("package", PACKAGES)
def test_every_package_says_that_it_is_typed(package: str) -> None:
    folder = ROOT / PACKAGES[package][0]
    assert [
        path.name for path in folder.iterdir() if path.is_dir() if path.name != "__pycache__"
    ] == [package]
    assert (folder / package / "py.typed").is_file()
