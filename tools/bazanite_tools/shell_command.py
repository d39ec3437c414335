"""``bazanite shell DIR``: a prompt for the commands about one directory, without naming it.

Between two commands nothing is open and nothing locked: each is what it would be by itself, so a
prompt that somebody left open disturbs nobody.  Without a terminal it runs the lines it is given.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from .completing import proposals
from .info_command import catalog_of
from .looking import looking_at
from .output import FINE, USAGE, CommandError

HISTORY = "~/.bazanite_history"
_LINES_KEPT = 1000
_HELP = """\
{commands}
Leave out DIR, which is {directory}: find person 'age>=18'. `help find` tells more.
Ctrl-C cancels a line, Ctrl-D or exit ends. Tab completes commands, tables, columns."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.add_argument("directory", metavar="DIR", help="the database directory")
    parser.add_argument(
        "--no-history", action="store_true", help=f"do not keep the lines in {HISTORY}"
    )
    parser.epilog = (
        "examples:\n"
        "  bazanite shell data\n"
        "  echo \"find person 'age>=18'\" | bazanite shell data\n\n"
        "Lines are split as a shell does, without variables and wildcards; # begins a comment.\n"
        "From a pipe the exit status is that of the last command that did not end with 0."
    )


def run(args: argparse.Namespace) -> int:
    """Run line after line until there is none, or one says exit."""
    asks = sys.stdin.isatty() and sys.stdout.isatty()
    shell = _Shell(args.directory, asks=asks)
    if not asks:
        return shell.run_all(iter(sys.stdin.readline, ""))
    with _line_editing(shell, keep=not args.no_history):
        print(f"bazanite: {args.directory}. `help` lists the commands, Ctrl-D ends.")
        shell.run_all(_asked(f"{os.path.basename(os.path.abspath(args.directory))}> "))
    return FINE


class _Shell:
    """The commands of one directory, which is there."""

    def __init__(self, directory: str, *, asks: bool) -> None:
        from .cli import GROUPS, run_line

        self._directory = directory
        self._asks = asks
        self._run_line = run_line
        self._columns: dict[str, list[str]] | None = None
        self.commands = [n for n in (*GROUPS["data"], *GROUPS["care"]) if n != "shell"]
        self.columns()  # CommandError unless there is such a directory

    def columns(self) -> dict[str, list[str]]:
        """The columns of each table, as far as they can be read; looked at once for each line."""
        if self._columns is not None:
            return self._columns
        look = argparse.Namespace(directory=self._directory, lock_timeout=0.0)
        with looking_at(look, must_lock=False) as offline:
            catalog, _ = catalog_of(offline)
        tables = catalog.tables if catalog is not None else {}
        self._columns = {name: [f.name for f in spec.fields] for name, spec in tables.items()}
        return self._columns

    def run_all(self, lines: Iterator[str]) -> int:
        """Run all these lines; the status of the last command that was not fine."""
        status = FINE
        for line in lines:
            self._columns = None  # the line before, or another program, may have changed them
            try:
                words = shlex.split(line, comments=True)
            except ValueError as error:
                print(f"cannot be split into words: {error}", file=sys.stderr)
                status = USAGE
                continue
            if words in (["exit"], ["quit"]):
                break
            if words:
                status = self._run(words) or status
                sys.stdout.flush()
        return status

    def _run(self, words: list[str]) -> int:
        command, *rest = words
        if command == "help":
            return self._help(rest)
        if command not in self.commands:
            print(f"no command {command!r}; `help` lists them", file=sys.stderr)
            return USAGE
        line = words
        if not {"-h", "--help"} & set(rest):
            place = 2 if command == "wal" and rest else 1  # behind the action
            line = [*words[:place], self._directory, *words[place:]]
        try:
            return self._run_line(line, prog="")
        except KeyboardInterrupt:
            if not self._asks:
                raise
            print("\ninterrupted", file=sys.stderr)
            return FINE

    def _help(self, words: list[str]) -> int:
        if words and words[0] in self.commands:
            return self._run_line([words[0], "--help"], prog="")
        from .cli import summary

        lines = [f"  {name:<10}  {summary(name)}" for name in self.commands]
        print(_HELP.format(commands="\n".join(lines), directory=self._directory))
        return FINE


def _asked(prompt: str) -> Iterator[str]:
    """The lines that a person writes; Ctrl-C gives up the one that is being written."""
    while True:
        try:
            yield input(prompt)
        except KeyboardInterrupt:
            print()
        except EOFError:
            print()
            return


@contextlib.contextmanager
def _line_editing(shell: _Shell, *, keep: bool) -> Iterator[None]:
    """Completion and a history, where Python has readline."""
    try:
        import readline
    except ImportError:
        yield
        return
    readline.set_completer(Completer(shell, readline).complete)
    readline.set_completer_delims(" \t\n")
    libedit = "libedit" in (readline.__doc__ or "")  # stands in for it in some Pythons
    readline.parse_and_bind("bind ^I rl_complete" if libedit else "tab: complete")
    path = Path(HISTORY).expanduser()
    if keep:
        with contextlib.suppress(OSError):
            readline.read_history_file(path)
    try:
        yield
    finally:
        readline.set_completer(None)
        if keep:
            save_history(readline, path)


def save_history(readline: ModuleType | Any, path: Path) -> None:
    """Keep the newest lines, for nobody else to read; without a place for them, not."""
    with contextlib.suppress(OSError):
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
        readline.set_history_length(_LINES_KEPT)
        readline.write_history_file(path)


class Completer:
    """Answers readline's questions by what stands in the line."""

    def __init__(self, shell: _Shell, readline: ModuleType | Any) -> None:
        self._shell = shell
        self._readline = readline
        self._found: list[str] = []

    def complete(self, text: str, state: int) -> str | None:
        """The proposal of this number, None behind the last."""
        if state == 0:
            before = self._readline.get_line_buffer()[: self._readline.get_begidx()]
            try:
                columns = self._shell.columns()
            except CommandError:
                columns = {}
            commands = [*self._shell.commands, "help", "exit"]
            self._found = proposals(commands, columns, before.split(), text)
        return self._found[state] if state < len(self._found) else None
