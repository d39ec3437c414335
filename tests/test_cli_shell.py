"""``shell``: the commands without DIR, from a pipe and at a prompt with completion and history."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bazanite_tools.completing import proposals
from cli_support import run, stored
from tools_support import contents

TABLES = {"city": ["id", "name"], "person": ["id", "name", "age"]}
COMMANDS = ["find", "rows", "tables", "update", "upsert", "wal"]
TAB, CTRL_C, CTRL_D = b"\t", b"\x03", b"\x04"


def piped(data: Path, lines: str) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-m", "bazanite_tools", "shell", str(data)],
        input=lines, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


def test_lines_from_a_pipe_are_run_without_a_prompt(data: Path) -> None:
    lines = """
        # what is here
        find person name = Ada --fields name,age
        insert city 'name=New York'
        update person 3 "note=two words"   # quotes are a shell's
        get city 3
        wal verify
        exit
        delete city 1
        """
    code, out, err = piped(data, lines)
    assert (code, err) == (0, "")
    assert out.splitlines()[:5] == [
        "name  age",
        "----  ---",
        "Ada    36",
        "inserted 1 row of city: id 3",
        "updated 1 row of person: id 3",
    ]
    assert "name  New York" in out
    assert "wal.log: clean" in out
    assert set(stored(data, "city")) == {1, 2, 3}
    assert stored(data, "person")[3]["note"] == "two words"


def test_a_line_that_fails_is_told_and_the_next_is_run(data: Path) -> None:
    code, out, err = piped(
        data, "get city 9\nnope\nfind city 'x\ninsert city name=Oslo\nrows city\n"
    )
    assert code == 1
    assert err.splitlines() == [
        "get: city has no row with id 9",
        "no command 'nope'; `help` lists them",
        "cannot be split into words: No closing quotation",
        "insert: 'name': row with name 'Oslo' already exists (id 1)",
    ]
    assert out.splitlines()[-1] == " 2  Rome"
    assert piped(data, "get city 1")[0] == 0  # a last line need not end


def test_help_lists_the_commands_and_explains_each(data: Path) -> None:
    code, out, err = piped(data, "help\nhelp find\nrows --help\nshell\nwal\nfind\n")
    assert code == 2
    assert "  checkpoint  recover if necessary" in out
    assert f"Leave out DIR, which is {data}" in out
    assert "usage: find [-h]" in out
    assert "begins with" in out
    assert "usage: rows [-h]" in out
    assert "no command 'shell'" in err
    assert "find: error: the following arguments are required: TABLE" in err


def test_rows_can_be_piped_into_a_shell(data: Path) -> None:
    code, out, _ = piped(data, 'insert city -\n{"name": "Bern"}\n{"name": "Kiel"}\n')
    assert (code, out) == (0, "inserted 2 rows of city: ids 3 to 4\n")


def test_a_shell_makes_no_directory(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "shell", tmp_path / "missing")
    assert (code, err) == (2, f"bazanite shell: {tmp_path}/missing: no such directory\n")
    assert run(capsys, "shell", tmp_path)[0] == 2
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "words, text, proposed",
    [
        ([], "", ["find ", "rows ", "tables ", "update ", "upsert ", "wal "]),
        ([], "up", ["update ", "upsert "]),
        (["help"], "wa", ["wal "]),
        (["find"], "", ["city ", "person "]),
        (["find"], "p", ["person "]),
        (["find"], "--an", ["--any "]),
        (["find", "--json"], "c", ["city "]),
        (["find", "person"], "", ["id", "name", "age"]),
        (["find", "person", "--fields"], "name,a", ["name,age"]),
        (["rows", "person", "--order-by"], "-a", ["-age"]),
        (["rows", "person", "--order-by"], "-age,-n", ["-age,-name"]),
        (["rows", "person"], "", []),
        (["update", "person", "3"], "n", ["name="]),
        (["update", "person", "--where"], "n", ["name"]),
        (["upsert", "person", "--on"], "a", ["age"]),
        (["upsert", "nope"], "", []),
        (["tables"], "--", ["--json "]),
        (["tables"], "", []),
        (["wal"], "s", ["show "]),
        (["frob"], "x", []),
    ],
)
def test_what_is_proposed_for_a_word(words: list[str], text: str, proposed: list[str]) -> None:
    assert proposals(COMMANDS, TABLES, words, text) == proposed


class Prompt:
    """A shell on a terminal of its own."""

    def __init__(self, data: Path, home: Path, *options: str) -> None:
        self._leader, follower = pty.openpty()
        environment = {**os.environ, "HOME": str(home), "TERM": "dumb", "COLUMNS": "100"}
        program = (  # which makes it the terminal of its session
            "import os, sys; os.close(os.open(os.ttyname(0), os.O_RDWR));"
            " os.execv(sys.executable, [sys.executable, '-m', 'bazanite_tools', *sys.argv[1:]])"
        )
        self.process = subprocess.Popen(
            [sys.executable, "-c", program, "shell", str(data), *options],
            stdin=follower, stdout=follower, stderr=follower, env=environment,
            start_new_session=True,
        )  # fmt: skip
        os.close(follower)
        self.seen = ""

    def until(self, text: str) -> str:
        """What it shows up to this text, which comes after what was seen before."""
        deadline = time.monotonic() + 60
        while text not in self.seen:
            assert time.monotonic() < deadline, self.seen
            self.seen += os.read(self._leader, 4096).decode()
        before, _, self.seen = self.seen.partition(text)
        return before

    def interrupt(self, text: str) -> None:
        """Ctrl-C, until it is answered with this text.

        One that comes while Python's readline is not waiting for a key is heard at the next.
        """
        while text not in self.seen:
            self.type(CTRL_C)
            while text not in self.seen and select.select([self._leader], [], [], 2)[0]:
                self.seen += os.read(self._leader, 4096).decode()
        self.until(text)

    def type(self, keys: bytes) -> None:
        os.write(self._leader, keys)

    def end(self) -> int:
        try:
            while os.read(self._leader, 4096):
                pass
        except OSError:  # nobody has the other end any more
            pass
        os.close(self._leader)
        return self.process.wait(timeout=60)


def test_a_prompt_completes_cancels_a_line_and_keeps_a_history(data: Path, tmp_path: Path) -> None:
    readline = pytest.importorskip("readline")
    home = tmp_path / "home"
    home.mkdir()
    prompt = Prompt(data, home)
    prompt.until("Ctrl-D ends.")
    prompt.until("data> ")
    prompt.type(b"fi" + TAB + b"per" + TAB + b"nam" + TAB)
    prompt.until("find person name")
    prompt.type(b"=Ada --fields id,name\n")
    prompt.until("(1 row)")
    prompt.until("data> ")
    prompt.type(b"delete person 1")
    prompt.until("delete person 1")
    prompt.interrupt("data> ")
    prompt.type(b"delete person --where id=3\n")
    prompt.until("Delete 1 row of person? [y/N] ")
    prompt.interrupt("interrupted")
    prompt.until("data> ")
    prompt.type(CTRL_D)
    assert prompt.end() == 0
    assert set(stored(data, "person")) == {1, 2, 3}
    history = home / ".bazanite_history"
    readline.clear_history()
    readline.read_history_file(history)  # GNU's and libedit's differ
    kept = [readline.get_history_item(n + 1) for n in range(readline.get_current_history_length())]
    readline.clear_history()
    assert kept == ["find person name=Ada --fields id,name", "delete person --where id=3"]
    assert history.stat().st_mode & 0o777 == 0o600
    prompt = Prompt(data, home)
    prompt.until("data> ")
    prompt.type(b"\x10\x10\n")  # the line before the last
    prompt.until("Ada")
    prompt.until("data> ")
    prompt.type(b"exit\n")
    assert prompt.end() == 0


def test_a_prompt_without_history_leaves_no_file(data: Path, tmp_path: Path) -> None:
    prompt = Prompt(data, tmp_path, "--no-history")
    prompt.until("data> ")
    before = contents(data)
    prompt.type(b"tables\n")
    prompt.until("city")
    prompt.until("data> ")
    assert contents(data) == before  # nothing is open, nothing was written
    prompt.type(CTRL_D)
    assert prompt.end() == 0
    assert not (tmp_path / ".bazanite_history").exists()
