"""The examples of README.md and of two pages run as they stand, and show what the pages say."""

from __future__ import annotations

import codeop
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
END_OF_BLOCK = "--- end of block ---\n"


def blocks_of(page: str) -> list[tuple[str, str]]:
    """(language, text) of each fenced block of a page, in order."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return [(found[1], found[2]) for found in BLOCK.finditer(text)]


def outputs_of(blocks: list[str], directory: Path) -> list[str]:
    """What each block prints, pasted one after the other into one program."""
    script = directory / "pasted.py"
    script.write_text(
        "".join(f"{block}\nprint({END_OF_BLOCK!r}, end='')\n" for block in blocks), "utf-8"
    )
    command = [sys.executable, str(script)]
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.split(END_OF_BLOCK)[:-1]


def test_the_ten_lines_of_the_readme_store_two_rows_that_cat_can_show(tmp_path: Path) -> None:
    example, _ = [text for language, text in blocks_of("README.md") if language == "python"]
    (output,) = outputs_of([example], tmp_path)
    ada = {"id": 1, "owner": "Ada", "balance": 60}
    bob = {"id": 2, "owner": "Bob", "balance": 40}
    rows = [f"{row['id']:<9}{row['owner']:<20}{row['balance']:<9}" for row in (ada, bob)]
    assert output.splitlines() == [str([ada, bob]), *rows, ""]
    assert (tmp_path / "data" / "accounts.dat").read_text().splitlines() == rows


def test_the_constraints_of_the_readme_do_what_its_comments_say(tmp_path: Path) -> None:
    _, example = [text for language, text in blocks_of("README.md") if language == "python"]
    comments = re.findall(r"print\(.*\)  # (.*)", example)
    (output,) = outputs_of([example], tmp_path)
    assert output.splitlines() == comments
    # and so it does in a directory from before the migration
    older = re.sub(r".*# (since migration 1|likewise)\n", "", example).split("SHIRT = ")[0]
    older += "with DB([Teams, Players], 'league') as db: db.insert('teams', {'name': 'Blues'})\n"
    old = tmp_path / "old"
    old.mkdir()
    assert outputs_of([older], old) == [""]
    assert "shirt" not in (old / "league" / "schema.json").read_text()
    assert outputs_of([example], old) == [output]


@pytest.mark.parametrize("page,least", [("docs/api.md", 8), ("docs/queries.md", 9)])
def test_each_example_prints_what_stands_below_it(tmp_path: Path, page: str, least: int) -> None:
    examples: list[str] = []
    shown: list[str] = []
    for language, text in blocks_of(page):
        if language == "python":
            examples.append(text)
            shown.append("")
        else:
            assert language == "text"
            assert not shown[-1]
            shown[-1] = text
    assert sum(map(bool, shown)) >= least
    assert outputs_of(examples, tmp_path) == shown


@pytest.mark.parametrize("page", ["README.md", "docs/api.md", "docs/queries.md"])
def test_each_example_can_be_pasted_into_an_interactive_session(page: str) -> None:
    # There an empty line ends a block, and nothing else does: three examples were syntax errors.
    for language, text in blocks_of(page):
        if language == "python":
            statement: list[str] = []
            for line in [*text.splitlines(), ""]:
                statement.append(line)
                if codeop.compile_command("\n".join(statement), symbol="single"):
                    statement = []
            assert statement == []
