"""The ``bazanite`` command: parses, imports the one sub-command that is wanted, and sorts its exit.

Exit status: 0 fine, 1 findings, 2 usage, 74 perhaps stored, 75 lock busy, 130 Ctrl-C, 141 nobody
reads any more.  With ``--json`` one document goes to stdout, of an error too; everything else goes
to stderr.
"""

from __future__ import annotations

import argparse
import importlib
import io
import os
import sys
from collections.abc import Sequence
from typing import NoReturn, Protocol, cast

from .output import CLOSED_PIPE, INTERRUPTED, USAGE, CommandError, print_json

_COMMANDS = {
    "tables": ("tables_command", "which tables there are, how large"),
    "schema": ("schema_command", "columns, types, indexes; or as Python classes"),
    "rows": ("rows_command", "the rows of a table"),
    "get": ("get_command", "one row by its id"),
    "find": ("find_command", "the rows for which conditions hold"),
    "insert": ("insert_command", "store a row, or rows from standard input"),
    "upsert": ("upsert_command", "change the row with these values, or store one"),
    "update": ("update_command", "change a row, or all for which conditions hold"),
    "delete": ("delete_command", "delete rows"),
    "migrate": ("migrate_command", "change the schema; which migrations were made"),
    "shell": ("shell_command", "a prompt for these commands, with completion"),
    "info": ("info_command", "tables, sizes, state of the log, who is at work"),
    "stats": ("stats_command", "counters, and where the bytes are"),
    "lock": ("lock_command", "who holds the lock, and who waits for it"),
    "check": ("check_command", "judge a directory: the log, each table, how they agree"),
    "repair": ("repair_command", "save what is whole of a damaged directory, in a new one"),
    "wal": ("wal_command", "show, verify, follow or archive the write-ahead log"),
    "checkpoint": ("checkpoint_command", "recover if necessary, empty the log into the tables"),
    "backup": ("backup_command", "copy one state, while others write; checked"),
    "restore": ("restore_command", "make a directory of a backup, also as of a later position"),
    "vacuum": ("vacuum_command", "give back the room of deleted rows and long values"),
    "import": ("import_command", "take rows from CSV, JSON lines or an SQLite file"),
    "export": ("export_command", "write CSV, JSON lines, an SQLite file, SQL for PostgreSQL"),
    "dump": ("dump_command", "write schema and rows as one portable text"),
    "load": ("load_command", "make a directory from such a text"),
    "torture": ("torture", "kill writers at random moments, recover, judge"),
    "explore": ("explore_command", "cut the power at every point, open every legal disk, judge"),
    "simulate": ("simulate_command", "interleave processes in many ways, check their history"),
    "upkeep": ("upkeep_command", "migrate, vacuum, back up, restore while writers are killed"),
    "replay": ("replay_command", "repeat a failure that an exploration stored"),
    "merge": ("merge_command", "add up the parts of an exploration that was spread"),
    "bench": ("bench_command", "measure Bazanite beside its peers"),
    "mutants": ("mutants_command", "plant bugs in the engine; the harness must see each"),
}
GROUPS = {
    "data": ["tables", "schema", "rows", "get", "find", "insert", "upsert", "update", "delete",
             "migrate", "shell"],
    "exchange": ["import", "export", "dump", "load"],
    "care": ["info", "stats", "lock", "check", "repair", "wal", "checkpoint", "backup",
             "restore", "vacuum"],
    "proof": ["torture", "explore", "simulate", "upkeep", "replay", "merge", "bench", "mutants"],
}  # fmt: skip
"""What the commands are about, as ``--help`` lists them."""

_TOGETHER = {
    "dump": ("load", "write schema and rows as one text; make a directory of one"),
    "backup": ("restore", "copy one state while others write; have any state since"),
    "replay": ("merge", "repeat a stored failure; add up parts of an exploration"),
}
"""Commands that share a line of that list, and what it says."""
_DESCRIPTION = "Bazanite directories: tables in files, made crash-safe by a log."
_EXAMPLES = """\
examples:
  bazanite find data person 'age>=18'   and all about it: bazanite find --help
Exit status: 0 fine, 1 findings, 2 usage, 75 lock busy. --json: one document."""
_NO_MEMORY = "there is not enough memory for this; nothing is changed"
_SIGNED = "--order-by"
"""The option whose value may begin with a ``-``."""


class _UsageError(Exception):
    """The command line is wrong; says how the parser that found out is used."""

    def __init__(self, parser: argparse.ArgumentParser, message: str) -> None:
        super().__init__(message)
        self.text = f"{parser.format_usage()}{parser.prog}: error: {message}"


class _Parser(argparse.ArgumentParser):
    """Leaves it to the caller to tell of an error: with --json, stdout has to carry it too."""

    def error(self, message: str) -> NoReturn:
        raise _UsageError(self, message)


class _Formatter(argparse.HelpFormatter):
    """Fills a text's paragraphs, but leaves those as they are that have indented lines."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        paragraphs = [
            part if "\n  " in part else super(_Formatter, self)._fill_text(part, width, indent)
            for part in text.split("\n\n")
        ]
        return "\n\n".join(paragraphs)


class _Commands(_Parser):
    """The parser of all commands, whose help lists them by what they are about."""

    def format_help(self) -> str:
        lines = [self.format_usage(), _DESCRIPTION]
        for title, names in GROUPS.items():
            lines.append(f"{title}:")
            for name in names:
                other, both = _TOGETHER.get(name, ("", _COMMANDS[name][1]))
                if name not in dict(_TOGETHER.values()):
                    lines.append(f"  {', '.join(filter(None, (name, other))):<15}  {both}")
        return "\n".join([*lines, _EXAMPLES, ""])


class _Command(Protocol):
    """What the module of a sub-command offers.

    One with a true ``INTERMIXED`` has words that may stand before and behind its options.
    """

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
    if isinstance(sys.stdout, io.TextIOWrapper):  # what a terminal cannot show is told by number
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        code = run_line(arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read has seen enough.  Python would complain once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return CLOSED_PIPE
    except OSError as error:  # of the standard output, such as a file on a full disk
        print(f"bazanite: {error}", file=sys.stderr)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return USAGE
    except KeyboardInterrupt:
        print("\nbazanite: interrupted", file=sys.stderr)
        return INTERRUPTED
    return code


def summary(command: str) -> str:
    """What a command does, in a few words."""
    return _COMMANDS[command][1]


def run_line(arguments: list[str], prog: str = "bazanite") -> int:
    """Run these words of a command line; returns the exit status, all errors but Ctrl-C told."""
    parser = _Commands(prog=prog)
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version")
    commands = parser.add_subparsers(
        dest="command", metavar="COMMAND", required=False, parser_class=_Parser
    )
    command: _Command | None = None
    # No option of the parser takes a value, so the first plain word is the command.
    place = next((i for i, word in enumerate(arguments) if not word.startswith("-")), None)
    wanted = None if place is None else arguments[place]
    for name, (module, summary) in _COMMANDS.items():
        sub = commands.add_parser(
            name,
            prog=f"{prog} {name}".strip(),
            description=f"{summary[0].upper()}{summary[1:]}.",
            formatter_class=_Formatter,
        )
        if name == wanted:
            command = cast("_Command", importlib.import_module(f".{module}", __package__))
            command.add_arguments(sub)
            chosen = sub
    try:
        if command is not None and place == 0 and getattr(command, "INTERMIXED", False):
            args = chosen.parse_intermixed_args(_signed(arguments[1:]))
            args.command = wanted
        else:
            args, others = parser.parse_known_args(_signed(arguments))
            if others:  # told with the usage of the command, not of all
                wrong = parser if command is None else chosen
                wrong.error(f"unrecognized arguments: {' '.join(others)}")
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
        return _told(args, prog, error)
    except MemoryError:
        return _told(args, prog, CommandError(_NO_MEMORY))


def _told(args: argparse.Namespace, prog: str, error: CommandError) -> int:
    if getattr(args, "json", False):
        print_json({"error": str(error), "exit_code": error.code})
    words = [prog, args.command, *filter(None, [getattr(args, "action", None)])]
    print(f"{' '.join(words).lstrip()}: {error}", file=sys.stderr)
    return error.code


def _signed(arguments: list[str]) -> list[str]:
    """The same, where argparse would take the value of an option for an option."""
    result: list[str] = []
    for word in arguments:
        if result and result[-1] == _SIGNED:
            result[-1] += f"={word}"
        else:
            result.append(word)
    return result


def _wants_json(arguments: list[str]) -> bool:
    """Whether --json was asked for, in a command line that argparse refused."""
    return any(len(word) > 2 and "--json".startswith(word) for word in arguments)
