"""The code blocks of the documentation: run, and what stands below them compared, page by page.

README.md, docs/api.md and docs/queries.md are in test_readme.py, docs/cli.md in test_cli_docs.py,
docs/exchange.md in test_exchange_page.py.
"""

from __future__ import annotations

import importlib
import itertools
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from bazanite_tools.cli import _COMMANDS, run_line
from docs_support import ROOT, blocks, indented, named, normal, pages, replayed
from postgres_support import running

RUN = [
    "docs/cli.md",
    "docs/first-session.md",
    "docs/index.md",
    "docs/tutorial.md",
    *(named(page) for page in sorted((ROOT / "docs" / "howto").glob("*.md"))),
]
"""Pages that are one session; their languages may be any."""
PASTED = ["README.md", "docs/api.md", "docs/queries.md"]
OF_OTHER_TESTS = {
    ("docs/concurrency.md", "python"): "below",
    ("docs/crash-model.md", "python"): "below",
    ("docs/crash-model.md", "json"): "tests/test_replay.py",
    ("docs/format.md", "json"): "tests/test_format_page.py",
    ("docs/format.md", "text"): "tests/test_format_page.py",
}
NOT_RUN = [
    ("docs/first-session.md", "fetches packages"),
    ("docs/first-session.md", "where the kill hits is chance"),
    ("docs/tutorial.md", "fetches packages"),
]
"""Page and reason of each block that is only read."""
NEEDED = {
    "docs/howto/demo.md": ["flask_wtf", "gunicorn"],
    "docs/howto/from-bazoola.md": ["bazoola"],
    "docs/howto/from-tinydb.md": ["tinydb"],
    "docs/howto/web-workers.md": ["flask", "gunicorn"],
}
"""What a page uses of the extras."""
NEEDED_PROGRAMS = {
    "docs/howto/care.md": ["jq"],
    "docs/howto/demo.md": ["curl", "jq", "pkill"],
    "docs/howto/to-postgresql.md": ["psql", "createdb"],
    "docs/howto/web-workers.md": ["curl", "pkill"],
}
TAKEN = 99


@pytest.fixture
def postgres() -> Iterator[Mapping[str, str]]:
    """Where ``psql`` finds a server of this test's own."""
    directory = Path(tempfile.mkdtemp(prefix="pg", dir="/tmp"))
    try:
        with running(directory):
            yield {"PGHOST": str(directory), "PGUSER": "tests", "PGCLIENTENCODING": "UTF8"}
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@pytest.mark.timeout(400)  # many processes, beside all other tests
@pytest.mark.parametrize("name", [name for name in RUN if name != "docs/cli.md"])
def test_every_block_of_the_page_runs_and_prints_what_stands_there(
    tmp_path: Path, name: str, request: pytest.FixtureRequest
) -> None:
    for module in NEEDED.get(name, ()):
        pytest.importorskip(module, reason=f"{module} is not installed")
    for program in NEEDED_PROGRAMS.get(name, ()):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    settings = request.getfixturevalue("postgres") if name.endswith("postgresql.md") else None
    page = ROOT / name
    assert replayed(page, tmp_path, settings) == page.read_text("utf-8")


def test_the_blocks_that_are_not_run_are_these() -> None:
    marked = [
        (named(page), block.why)
        for page in pages()
        for block in blocks(page)
        if block.mark == "not run"
    ]
    assert marked == NOT_RUN


def test_every_block_of_every_page_is_some_tests() -> None:
    nobodys = {
        (named(page), block.language)
        for page in pages()
        if named(page) not in RUN + PASTED
        for block in blocks(page)
    }
    assert nobodys == set(OF_OTHER_TESTS)


@pytest.mark.parametrize(
    "name,command",
    [
        ("docs/crash-model.md", ["torture", "--seconds", "1", "--writers", "1", "--seed", "1"]),
        ("docs/concurrency.md", ["simulate", "--schedules", "20"]),
    ],
)
def test_the_workload_on_the_page_is_carried_out(
    tmp_path: Path, name: str, command: list[str]
) -> None:
    (block,) = [block for block in blocks(ROOT / name) if block.language == "python"]
    page = tmp_path / "page.md"
    page.write_text(f"```python\n{block.text}```\n", "utf-8")
    assert replayed(page, tmp_path) == page.read_text("utf-8")
    variable = "PROGRAM" if "PROGRAM =" in block.text else "WORKLOAD"
    done = subprocess.run(
        [sys.executable, "-m", "bazanite_tools", *command, "--workload", f"mine:{variable}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, "survived" in done.stdout) == (0, True), done.stderr


def commands() -> list[tuple[str, str]]:
    """Each ``bazanite ...`` of a block that is not run here: its page, and its words."""
    found = []
    for page in pages():
        texts = [re.split(" {2,}", line)[0] for text in indented(page) for line in text.split("\n")]
        if named(page) not in RUN:
            lines = [line for block in blocks(page) for line in block.text.splitlines()]
            texts += [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
        found += [(named(page), text) for text in texts if text.startswith("bazanite ")]
    return found


def words(text: str) -> list[str]:
    """The words of the first command of a line of shell."""
    lexer = shlex.shlex(text, posix=True, punctuation_chars="|;&<>")
    lexer.whitespace_split = True
    return list(itertools.takewhile(lambda word: not set(word) <= set("|;&<>"), lexer))


def test_every_command_of_the_other_pages_is_one_that_the_parser_takes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for module, _ in _COMMANDS.values():
        command = importlib.import_module(f"bazanite_tools.{module}")
        monkeypatch.setattr(command, "run", lambda _: TAKEN)
    shown = commands()
    refused = []
    for page, text in shown:
        given = words(text)[1:]
        if given != ["--version"] and run_line(given) != TAKEN:
            refused.append((page, text))
    assert refused == []
    assert len(shown) > 60
    assert run_line(["torture", "--no-such-option"]) != TAKEN
    capsys.readouterr()


@pytest.mark.parametrize("vary", [False, True])
def test_an_output_may_differ_in_what_is_another_one_each_time(vary: bool, tmp_path: Path) -> None:
    shown = "held by pid 7, since 2026-11-26 19:54:23\n/x has 12 rows"
    printed = f"held by pid 123, since 2027-01-02 03:04:05.678\n{tmp_path} has 12 rows"
    assert normal(printed, tmp_path, vary) == normal(shown.replace("/x", "~"), tmp_path, vary)
    more = printed.replace("12 rows", "1,300 rows")
    assert (normal(more, tmp_path, vary) == normal(printed, tmp_path, vary)) is vary


def test_an_output_that_is_another_one_is_seen(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# A page\n\n```sh\n# say.sh\necho two\n```\n\n```console\n$ cd ..; cd -  > /dev/null\n"
        "$ x=$(bash say.sh)\n$ echo one \\\n>     $x\none\n```\n\n<!-- figures vary -->\n"
        "```console\n$ echo $$\n1234\n```\n\n"
        "<!-- not run: no time -->\n```console\n$ sleep 99\n```\n"
    )
    text = page.read_text("utf-8")
    again = replayed(page, tmp_path)
    assert again == text.replace("\none\n", "\none two\n")
    page.write_text(again)
    (tmp_path / "say.sh").unlink()
    assert replayed(page, tmp_path) == again
