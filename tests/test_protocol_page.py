"""docs/protocol.md names tests that exist, and at least one for each of the 12 invariants."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
ROOT = TESTS.parent
PAGE = (ROOT / "docs" / "protocol.md").read_text(encoding="utf-8")
TABLE = PAGE.split("## 10.")[1].split("## 11.")[0]
NAMED = sorted(set(re.findall(r"`([\w/]+\.py)::(\w+)`", PAGE)))


def functions(path: Path) -> set[str]:
    """The names of a module's functions."""
    return {
        node.name
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef)
    }


def rows_of(table: str) -> dict[int, list[str]]:
    """The cells of each row that begins with the number of an invariant."""
    lines = [line.strip("| ").split(" | ") for line in table.splitlines() if line.startswith("| ")]
    return {int(found[1]): cells for cells in lines if (found := re.match(r"(\d+)\b", cells[0]))}


@pytest.mark.parametrize("file, name", NAMED)
def test_every_test_on_the_page_exists(file: str, name: str) -> None:
    assert name.startswith("test_")
    assert name in functions(TESTS / file)


def test_every_invariant_has_tests_and_a_place_in_the_code() -> None:
    rows = rows_of(TABLE)
    assert sorted(rows) == list(range(1, 13))
    for invariant, (_, places, tests) in rows.items():
        assert re.search(r"`\w+(\.\w+)+`", places), invariant
        assert re.search(r"`test_\w+\.py::test_\w+`", tests), invariant


def test_every_invariant_is_stated_for_every_durability_level() -> None:
    rows = rows_of(PAGE.split("## 8.")[1].split("## 9.")[0])
    assert sorted(rows) == list(range(1, 13))
    assert all(len(cells) == 4 and all(cells) for cells in rows.values())


def test_every_place_in_the_code_exists() -> None:
    places = re.findall(r"`(\w+)\.(\w+)(?:\.(\w+))?`", TABLE)
    assert len(places) > 12
    for module, *names in places:
        if names[0] == "py":
            assert (ROOT / "wal" / "bazanite_wal" / f"{module}.py").is_file()
            continue
        source = (ROOT / "wal" / "bazanite_wal" / f"{module}.py").read_text(encoding="utf-8")
        for name in filter(None, names):
            assert re.search(rf"\b(def|class) {name}\b|\bself\.{name}\b", source), (module, name)


def test_every_shared_word_on_the_page_is_one_and_none_is_missing() -> None:
    source = (ROOT / "wal" / "bazanite_wal" / "shared.py").read_text(encoding="utf-8")
    words = set(re.findall(r"^([A-Z][A-Z_]+) = \d+$", source, re.MULTILINE)) - {"WORD_COUNT"}
    table = PAGE.split("### Shared words")[1].split("## 2.")[0]
    cells = [line.split("|")[1] for line in table.splitlines() if line.startswith("| ")]
    assert set(re.findall(r"\b[A-Z_]{3,}\b", " ".join(cells))) == words


def test_no_two_shared_words_are_one() -> None:
    source = (ROOT / "wal" / "bazanite_wal" / "shared.py").read_text(encoding="utf-8")
    places = re.findall(r"^[A-Z][A-Z_]+ = (\d\d?)$", source, re.MULTILINE)
    assert len(places) == len(set(places)) > 20
