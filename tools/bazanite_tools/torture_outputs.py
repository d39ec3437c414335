"""Where `bazanite torture` tells of a run: files that are opened before it starts, so that no run
is in vain, a stream of lines, and what a person sees meanwhile.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from importlib import import_module
from typing import IO, Any, TextIO

from bazanite_stress.torture.chronicle import Chronicle
from bazanite_stress.torture.report import Progress, Tally, as_document
from bazanite_stress.torture.report_html import as_html
from bazanite_stress.torture.report_junit import as_junit

from .grid import rich_in
from .output import USAGE, CommandError

STDOUT = "-"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options that say where to tell of the run."""
    add = parser.add_argument
    add("--report", metavar="FILE.html", help="a page with charts, for a browser, offline")
    add("--junit", metavar="FILE.xml", help="JUnit XML, for a build server")
    add(
        "--jsonl",
        metavar="FILE",
        help="one JSON object a line while it runs; -: to stdout, instead of the table",
    )


class Outputs:
    """The files of one run. CommandError if one cannot be written."""

    def __init__(self, args: argparse.Namespace) -> None:
        wanted = {name: getattr(args, name) for name in ("report", "junit", "jsonl")}
        self._paths = {name: path for name, path in wanted.items() if path is not None}
        if self._paths.get("jsonl") == STDOUT and args.json:
            raise CommandError("--jsonl - and --json exclude each other", USAGE)
        files = [os.path.realpath(path) for path in self._paths.values() if path != STDOUT]
        if len(files) != len(set(files)):
            raise CommandError("--report, --junit and --jsonl need a file each", USAGE)
        self._files: dict[str, IO[str]] = {}
        self.chronicle = Chronicle()

    @property
    def takes_stdout(self) -> bool:
        """Whether stdout belongs to the lines."""
        return self._paths.get("jsonl") == STDOUT

    @contextmanager
    def open(self) -> Iterator[None]:
        """Open the files, and close them afterwards.

        A page and an XML document stay as they are, or are not there, until there is another one;
        but a run of an hour must not find out at its end that it cannot write them.
        """
        with ExitStack() as stack:
            for name, path in self._paths.items():
                if path == STDOUT and name == "jsonl":
                    self._files[name] = sys.stdout
                    continue
                with self._told(name):
                    if not os.path.exists(path):
                        stack.callback(_remove_if_empty, path)
                    mode = "w" if name == "jsonl" else "a"
                    self._files[name] = stack.enter_context(open(path, mode, encoding="utf-8"))
            if "jsonl" in self._files:
                self.chronicle.listen = self._line
            yield

    def write(self, tally: Tally) -> None:
        """The run is over."""
        self.chronicle.ended(as_document(tally))
        for name, make in _MAKERS.items():
            if name in self._files:
                with self._told(name):
                    file = self._files[name]
                    if file.seekable():
                        file.truncate(0)
                    file.write(make(tally, self.chronicle))
                    file.flush()

    def _line(self, told: dict[str, Any]) -> None:
        with self._told("jsonl"):
            # Flushed, or a forked child would have the rest of the buffer too.
            print(json.dumps(told), file=self._files["jsonl"], flush=True)

    @contextmanager
    def _told(self, name: str) -> Iterator[None]:
        try:
            yield
        except BrokenPipeError:
            raise
        except OSError as error:
            message = f"--{name} {self._paths[name]}: {error.strerror}"
            raise CommandError(message, USAGE) from error


_MAKERS: dict[str, Callable[[Tally, Chronicle], str]] = {"report": as_html, "junit": as_junit}


def _remove_if_empty(path: str) -> None:
    if os.path.isfile(path) and not os.path.getsize(path):
        os.remove(path)


def progress_on(stream: TextIO) -> Progress:
    """A live table if this is a terminal that can show one and rich is installed, else lines."""
    if stream.isatty() and rich_in(os.environ.get("TERM")):
        live = import_module("bazanite_tools.torture_live")
        shown: Progress = live.LiveProgress(stream)
        return shown
    return Progress(stream)
