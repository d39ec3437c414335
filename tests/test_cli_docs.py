"""docs/cli.md shows what its commands print, and leaves none out."""

from __future__ import annotations

from pathlib import Path

import pytest

from bazanite_tools.cli import _COMMANDS
from docs_support import ROOT, replayed

PAGE = ROOT / "docs" / "cli.md"


@pytest.mark.timeout(400)  # forty processes, beside all other tests
def test_every_output_of_the_page_is_what_the_command_prints(tmp_path: Path) -> None:
    assert replayed(PAGE, tmp_path) == PAGE.read_text("utf-8")


def test_every_command_is_on_the_page() -> None:
    text = PAGE.read_text("utf-8")
    assert [name for name in _COMMANDS if f"`{name}" not in text] == []
