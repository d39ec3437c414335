"""``bazanite lock DIR``: who holds the lock, who waits for it, who has the directory open."""

from __future__ import annotations

import argparse

from bazanite.errors import DBError
from bazanite_wal.offline import Users, users_of
from bazanite_wal.posix import POSIX

from .looking import as_command_error, refuse_other
from .output import FINE, plural, print_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.add_argument("directory", metavar="DIR", help="the database directory")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.epilog = (
        "example: bazanite lock data\n\n"
        "Waits for nobody, and takes nothing from anybody. The kernel says whether the lock is\n"
        "held; by whom is what the processes say of themselves."
    )


def run(args: argparse.Namespace) -> int:
    """Tell of the lock as it is at this moment."""
    refuse_other(args.directory)
    try:
        users = users_of(args.directory)
    except DBError as error:
        raise as_command_error(error) from error
    holder = users.live.holder
    if args.json:
        print_json(
            {
                "directory": args.directory,
                "locked": users.locked,
                "holder": holder
                and {"pid": holder.pid, "command": holder.command, "since": holder.since},
                "waiting": [
                    {"pid": pid, "command": POSIX.process_command(pid), "seconds": round(s, 3)}
                    for pid, s in users.waiting
                ],
                "attached": [
                    {"pid": pid, "command": POSIX.process_command(pid)}
                    for pid in users.live.attached
                ],
                "durability": users.live.durability if users.live.attached else None,
            }
        )
        return FINE
    _print_text(users)
    return FINE


def _print_text(users: Users) -> None:
    holder = users.live.holder or "a process that does not say who it is"
    print(f"lock:    {f'held by {holder}' if users.locked else 'free'}")
    waiting = [f"{_process(pid)}, for {seconds:.1f} s" for pid, seconds in users.waiting]
    print(f"waiting: {_listed(waiting)}")
    known = users.live.attached and users.live.durability
    level = f' (durability "{known}")' if known else ""
    print(f"open in: {plural(len(users.live.attached), 'process', 'processes')}{level}")
    for pid in users.live.attached:
        print(f"         {_process(pid)}")


def _listed(texts: list[str]) -> str:
    return ("\n" + " " * 9).join(texts) or "nobody"


def _process(pid: int) -> str:
    return f"pid {pid} ({POSIX.process_command(pid)})"
