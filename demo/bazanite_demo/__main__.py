"""``python -m bazanite_demo``: serve the task manager."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

try:  # this takes a moment, in which Ctrl-C may come
    from bazanite import DBError

    from .application import is_loopback
    from .server import DEFAULT_PORT, Settings, serve
except KeyboardInterrupt:
    sys.exit(130)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bazanite_demo",
        description=(
            "A task manager whose worker processes share one Bazanite directory. There is no"
            " login: whoever reaches the address may change everything."
        ),
        epilog="python -m bazanite_demo.load --help: put load on it, and kill its workers",
    )
    add = parser.add_argument
    add(
        "--data",
        type=Path,
        default=Path("demo-data"),
        metavar="DIR",
        help="where the tables are, made if it is missing (default %(default)s)",
    )
    add("--host", default="127.0.0.1", help="the address to listen at (default: only this machine)")
    add("--port", type=int, help=f"0: any free one (default {DEFAULT_PORT}, or any if it is taken)")
    add("--workers", type=int, default=4, help="processes (default %(default)s)")
    add("--threads", type=int, default=8, help="in each of them (default %(default)s)")
    add("--no-sample", action="store_true", help="begin with nothing, if there is nothing yet")
    add(
        "--engine-room",
        action="store_true",
        help="also serve /engine: the log and the lock as they are now, and buttons that kill"
        " workers; only to this machine",
    )
    return parser


def main() -> int:
    """Serve until it is told to stop.  Exit status 2: it cannot be started."""
    parser = _parser()
    args = parser.parse_args()
    if args.engine_room and not is_loopback(args.host):
        parser.error("--engine-room kills processes on request: it needs a --host of this machine")
    if not args.host:
        parser.error("--host must not be empty; 0.0.0.0 is every address of this machine")
    if args.workers < 1 or args.threads < 1:
        parser.error("--workers and --threads must be 1 or more")
    if args.port is not None and not 0 <= args.port <= 65_535:
        parser.error("--port must be from 0 to 65535")
    settings = Settings(
        data=args.data,
        host=args.host,
        port=args.port,
        workers=args.workers,
        threads=args.threads,
        sample=not args.no_sample,
        engine_room=args.engine_room,
    )
    try:
        serve(settings)
    except (DBError, OSError) as error:
        print(f"bazanite_demo: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:  # before there is a server that is told to stop
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
