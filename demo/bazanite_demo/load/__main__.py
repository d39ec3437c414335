"""``python -m bazanite_demo.load``: put load on the demo, kill its workers, judge what is left."""

from __future__ import annotations

import argparse
import math
import secrets
import sys
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

try:  # this takes a moment, in which Ctrl-C may come
    from bazanite import DBError

    from ..application import is_loopback
    from .killer import PROCESSES
    from .report import Progress, as_json, as_table
    from .run import run
    from .scene import Settings
    from .served import NotServed
except KeyboardInterrupt:
    sys.exit(130)

MOST_CLIENTS = 200

_DESCRIPTION = """\
Clients work in the task manager as people do: they read, and fill in its forms. Each second
a worker process is killed, preferably one that is saving a form; after each kill the data is
checked and held against what was acknowledged until then, and in the end all of it is.
"""
_EPILOG = """\
what is measured: latencies are what a client waits for an answer, of requests that had one.
All clients are threads of this one process and, with the workers, share the machine; each
look at the data holds the lock meanwhile. So they are of this machine under this load, and
not what the database alone would take.

exit status: 0 nothing was lost, 1 something was, or a request failed that no kill excuses,
or nothing was measured, 2 usage, 130 interrupted and nothing lost until then
"""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bazanite_demo.load",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--seconds", type=_positive, default=100.0, help="at least (default %(default)g)")
    add("--clients", type=int, default=16, metavar="N", help="default %(default)s")
    add(
        "--kills-every",
        type=_seconds,
        metavar="SECONDS",
        help="how often a worker is killed, 0: never (default 1, with --url 0)",
    )
    add("--workers", type=int, default=4, metavar="N", help="of the server (default %(default)s)")
    add("--seed", type=int, help="repeat an earlier run's plan (default: random)")
    add("--json", action="store_true", help="one JSON document on stdout")
    add(
        "--dir",
        type=Path,
        metavar="PARENT",
        help="make the data directory in this existing one (default: the system's temporary one);"
        " it is kept if something was wrong",
    )
    add(
        "--url",
        help="put the load on a server that runs already, on this machine; nobody is killed, and"
        " what the clients made is deleted in the end",
    )
    add(
        "--killed",
        type=Path,
        metavar="FILE",
        help="with --url: where others tell whom of its workers they kill, before they do: a line"
        " with pid and monotonic time; those excuse broken requests as kills of ours would",
    )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run, tell, and return the exit status."""
    parser = _parser()
    args = parser.parse_args(argv)
    if not 1 <= args.clients <= MOST_CLIENTS:
        parser.error(f"--clients must be from 1 to {MOST_CLIENTS}")
    if args.workers < 1:
        parser.error("--workers must be 1 or more")
    if args.dir is not None and not args.dir.is_dir():
        parser.error(f"--dir: {args.dir} is no directory")
    if args.url is not None:
        _check_url(parser, args)
    elif args.killed is not None:
        parser.error("--killed: workers of a server of our own are killed by us")
    kills_every = (0.0 if args.url else 1.0) if args.kills_every is None else args.kills_every
    settings = Settings(
        seconds=args.seconds,
        clients=args.clients,
        kills_every=kills_every,
        seed=secrets.randbelow(1 << 32) if args.seed is None else args.seed,
        workers=args.workers,
        parent=args.dir,
        url=args.url,
        killed=args.killed,
    )
    if kills_every and not PROCESSES.is_dir():
        parser.error(f"--kills-every: without {PROCESSES} no workers are found; 0 kills none")
    if kills_every and not settings.kills:
        parser.error("--kills-every is longer than --seconds: nobody would be killed")
    progress = Progress(kills=settings.kills > 0)
    try:
        result = run(settings, progress)
    except (NotServed, DBError, OSError) as error:
        progress.tell(f"bazanite_demo.load: {error}")
        return 1
    except KeyboardInterrupt:
        progress.tell("bazanite_demo.load: interrupted twice; nothing was compared")
        return 130
    progress.tell("")
    print(as_json(result) if args.json else as_table(result))
    return result.status


def _check_url(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    try:
        parts = urlsplit(args.url)
        host, _port = parts.hostname or "", parts.port
    except ValueError as error:
        parser.error(f"--url: {error}")
    if parts.scheme != "http" or parts.path not in ("", "/") or parts.query or parts.fragment:
        parser.error("--url must be as http://127.0.0.1:8000")
    if not is_loopback(host):
        parser.error(f"--url: {host} is not this machine; load is put on loopback addresses only")
    if args.kills_every:
        parser.error("--kills-every: workers of a server that others started are not killed")
    if args.dir is not None:
        parser.error("--dir: with --url there is no data directory to make")


def _positive(text: str) -> float:
    value = _seconds(text)
    if not value:
        raise argparse.ArgumentTypeError("must be above 0")
    return value


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no number") from None
    if not 0 <= value < math.inf:
        raise argparse.ArgumentTypeError("must be 0 or more")
    return value


if __name__ == "__main__":
    sys.exit(main())
