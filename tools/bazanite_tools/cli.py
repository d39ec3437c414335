"""The ``bazanite`` command: parses, imports the one sub-command that is wanted, and sorts its exit.

Exit status: 0 fine, 1 findings, 2 usage, 75 lock busy, 130 Ctrl-C, 141 nobody reads any more.  With
``--json`` one document goes to stdout, of an error too; everything else goes to stderr.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from typing import NoReturn, Protocol, cast

from .output import CLOSED_PIPE, INTERRUPTED, USAGE, CommandError, print_json

_COMMANDS = {
    "check": ("check_command", "judge a directory: the log, each table, how they agree"),
    "info": ("info_command", "tables, sizes, state of the log, who is at work"),
    "wal": ("wal_command", "show or verify the write-ahead log"),
    "checkpoint": ("checkpoint_command", "recover if necessary, empty the log into the tables"),
    "torture": ("torture", "kill writers at random moments, recover, judge"),
    "explore": ("explore_command", "cut the power at every point, open every legal disk, judge"),
    "simulate": ("simulate_command", "interleave processes in many ways, check their history"),
    "replay": ("replay_command", "repeat a failure that an exploration stored"),
    "merge": ("merge_command", "add up the parts of an exploration that was spread"),
    "bench": ("bench_command", "measure Bazanite beside its peers"),
    "mutants": ("mutants_command", "plant bugs in the engine; the harness must see each"),
}

_DESCRIPTION = """\
Look after Bazanite directories (tables in files, made crash-safe by a log),
and crash the engine in every way to see what comes back."""
_EXAMPLES = """\
examples:
  bazanite check data            is anything damaged?
  bazanite wal show data | less  the log, frame by frame
  bazanite explore               what do power cuts leave?
  bazanite explore --help        all options of a command

Exit status: 0 fine, 1 findings, 2 usage, 75 lock busy. --json: one document.
"""


class _Formatter(argparse.RawDescriptionHelpFormatter):
    """Aligns the list of commands, whose indentation argparse forgets when it measures."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=18)
        self._action_max_length = 2 * self._indent_increment + max(map(len, _COMMANDS))

    def _format_action(self, action: argparse.Action) -> str:
        """Without a line for the list of commands itself: its heading says what it is."""
        text = super()._format_action(action)
        return text.partition("\n")[2] if action.nargs == argparse.PARSER else text


class _UsageError(Exception):
    """The command line is wrong; says how the parser that found out is used."""

    def __init__(self, parser: argparse.ArgumentParser, message: str) -> None:
        super().__init__(message)
        self.text = f"{parser.format_usage()}{parser.prog}: error: {message}"


class _Parser(argparse.ArgumentParser):
    """Leaves it to the caller to tell of an error: with --json, stdout has to carry it too."""

    def error(self, message: str) -> NoReturn:
        raise _UsageError(self, message)


class _Command(Protocol):
    """What the module of a sub-command offers."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None: ...
    def run(self, args: argparse.Namespace) -> int: ...


class _Version(argparse.Action):
    """Prints the version; looks it up only when asked."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import version

        print(f"bazanite {version('bazanite')}")
        parser.exit()


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line; returns the exit status."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        code = _run(arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read has seen enough.  Python would complain once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return CLOSED_PIPE
    except KeyboardInterrupt:
        print("\nbazanite: interrupted", file=sys.stderr)
        return INTERRUPTED
    return code


def _run(arguments: list[str]) -> int:
    parser = _Parser(
        prog="bazanite",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        formatter_class=_Formatter,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    command: _Command | None = None
    for name, (module, summary) in _COMMANDS.items():
        # No option of the parser takes a value, so the first plain word is the command.
        wanted = next((word for word in arguments if not word.startswith("-")), None) == name
        sub = commands.add_parser(name, help=summary, description=summary.capitalize() + ".")
        if wanted:
            command = cast("_Command", importlib.import_module(f".{module}", __package__))
            command.add_arguments(sub)
    try:
        args = parser.parse_args(arguments)
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else USAGE
    except _UsageError as error:
        if _wants_json(arguments):
            print_json({"error": str(error), "exit_code": USAGE})
        print(error.text, file=sys.stderr)
        return USAGE
    if command is None:
        parser.print_help(sys.stderr)
        return USAGE
    try:
        return command.run(args)
    except CommandError as error:
        if getattr(args, "json", False):
            print_json({"error": str(error), "exit_code": error.code})
        words = ["bazanite", args.command, *filter(None, [getattr(args, "action", None)])]
        print(f"{' '.join(words)}: {error}", file=sys.stderr)
        return error.code


def _wants_json(arguments: list[str]) -> bool:
    """Whether --json was asked for, in a command line that argparse refused."""
    return any(len(word) > 2 and "--json".startswith(word) for word in arguments)
