"""The code blocks of the pages, and what a page would show if it were typed in now.

In a page whose blocks are run, a block with a name in its first line, such as ``# bank/bank.py``,
is a file that the reader saves; other Python is a program that is run; a ``console`` block is a
terminal, ``$`` before each command and its output below.  All of a page is one session of one shell
in one directory.  Two marks, which no reader sees, stand in the line above a block:

- ``<!-- not run: REASON -->``: only read.  ``tests/test_pages.py`` has the list of them.
- ``<!-- figures vary -->``: every number in the output may be another one, and columns may move.

``python tests/docs_support.py docs/tutorial.md`` writes into a page what its commands print.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, NamedTuple, Self

ROOT = Path(__file__).resolve().parent.parent
FENCED = re.compile(
    r"^(?:<!-- (?P<mark>not run|figures vary)(?:: (?P<why>.*?))? -->\n)?"
    r"^```(?P<language>\w*)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
INDENTED = re.compile(r"(?<=\n\n)(?: {4}\S.*\n(?:(?: {4}.*)?\n)*)", re.MULTILINE)
_NAME = re.compile(r"# ([\w./-]+\.\w+)\n")
_END = "--- end of command ---"
_SHELL = f"""\
while IFS= read -r -d '' -u 9 command; do
    eval "$command" </dev/null 9<&-
    printf '\\n%s\\n' '{_END}'
done"""


class Block(NamedTuple):
    """A code block of a page; ``mark`` is "", "not run" or "figures vary"."""

    language: str
    text: str
    mark: str
    why: str


def pages() -> list[Path]:
    """README.md and every page of docs/."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def named(page: Path) -> str:
    """A page's name within the project."""
    return page.relative_to(ROOT).as_posix()


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page, in order."""
    return [_block(found) for found in FENCED.finditer(page.read_text("utf-8"))]


def indented(page: Path) -> list[str]:
    """The indented blocks of a page, without their indentation."""
    text = FENCED.sub("", page.read_text("utf-8"))
    return [re.sub(r"^ {4}", "", found[0], flags=re.MULTILINE) for found in INDENTED.finditer(text)]


def _block(found: re.Match[str]) -> Block:
    return Block(found["language"], found["text"], found["mark"] or "", found["why"] or "")


def replayed(page: Path, directory: Path, settings: Mapping[str, str] | None = None) -> str:
    """The page as it would be if every output were what its command prints now.

    An output that differs in nothing but what may differ (process ids, the time, the directory)
    stays as it is.  ``settings`` are variables of the shell's environment.
    """
    with Session(directory, settings or {}) as session:

        def again(found: re.Match[str]) -> str:
            block = _block(found)
            if block.mark == "not run":
                return found[0]
            name = _NAME.match(block.text)
            if name:
                (directory / name[1]).write_text(block.text, "utf-8")
            elif block.language == "python":
                session.program(block.text)
            elif block.language == "console":
                lines = [_shown(session, *turn, block.mark) for turn in _turns(block.text)]
                return found[0].replace(block.text, "\n".join(filter(None, lines)) + "\n")
            return found[0]

        return FENCED.sub(again, page.read_text("utf-8"))


def _turns(text: str) -> Iterator[tuple[list[str], list[str]]]:
    """Each command, which may go on in lines with a ``>``, and the output that stands below it."""
    command: list[str] = []
    output: list[str] = []
    for line in text.splitlines():
        if line.startswith("$ "):
            if command:
                yield command, output
            command, output = [line], []
        elif line.startswith("> ") and not output:
            command.append(line)
        else:
            output.append(line)
    if command:
        yield command, output


def _shown(session: Session, command: list[str], output: list[str], mark: str) -> str:
    file = re.fullmatch(r"\$ cat (\w+\.py)", command[0])
    if file and not (session.directory / file[1]).exists():  # so the reader is told to write it
        (session.directory / file[1]).write_text("\n".join(output) + "\n", "utf-8")
    printed = session.run("\n".join(line[2:] for line in command))
    known = "\n".join(line for line in output if line)
    printed = "\n".join(line for line in printed.splitlines() if line)
    vary = mark == "figures vary"
    if normal(printed, session.directory, vary) == normal(known, session.directory, vary):
        return "\n".join(command + output)
    return "\n".join([*command, printed] if printed else command)


def normal(text: str, directory: Path, figures_vary: bool = False) -> str:
    """A text without what is another one each time."""
    text = text.replace(str(directory), "~")
    text = re.sub(r"\bpid \d+", "pid N", text)
    text = re.sub(r"\bsalt [0-9a-f]{16}", "salt S", text)
    text = re.sub(r"^bash: line \d+: +\d+ Killed .*", "Killed", text, flags=re.MULTILINE)
    text = re.sub(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?", "TIME", text)
    if figures_vary:
        text = re.sub(r"\d[\d,.]*(?:us|ms|s)?\b", "N", text)
        text = re.sub(r" +|--+", " ", text)
    return text


class Session:
    """A shell in a directory, with this Python's commands first on the PATH."""

    def __init__(self, directory: Path, settings: Mapping[str, str]) -> None:
        self.directory = directory
        reading, self._writing = os.pipe()
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        own = {"PATH": path, "LC_ALL": "C.UTF-8", "PYTHONUTF8": "1", "COLUMNS": "100"}
        self._shell = subprocess.Popen(
            ["bash", "--norc", "-c", f"exec 9<&{reading} {reading}<&-\n{_SHELL}"],
            cwd=directory,
            env={**os.environ, **own, "HOME": str(directory), **settings},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=[reading],
            start_new_session=True,
            encoding="utf-8",
        )
        os.close(reading)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._writing)
        try:
            os.killpg(self._shell.pid, signal.SIGKILL)  # with all that a page left running
        except ProcessLookupError:
            pass
        self._shell.wait()
        self._output.close()

    @property
    def _output(self) -> IO[str]:
        assert self._shell.stdout is not None
        return self._shell.stdout

    def run(self, command: str) -> str:
        """What the command prints, errors too."""
        os.write(self._writing, command.encode() + b"\0")
        lines: list[str] = []
        for line in self._output:
            if line.rstrip("\n") == _END:
                return "".join(lines)[:-1]  # without the line end before the mark
            lines.append(line)
        raise AssertionError(f"the shell ended: {command}\n{''.join(lines)}")

    def program(self, text: str) -> None:
        """Run Python, which must not print and must not fail."""
        (self.directory / ".program.py").write_text(text, "utf-8")
        printed = self.run("python .program.py; echo $?; rm .program.py")
        assert printed == "0\n", printed


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        with tempfile.TemporaryDirectory() as folder:
            text = replayed(ROOT / argument, Path(folder).resolve())
        (ROOT / argument).write_text(text, "utf-8")
