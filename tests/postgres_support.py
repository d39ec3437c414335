"""A PostgreSQL server of the tests' own, in a directory of its own, reached by a socket there."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


def programs() -> Path | None:
    """Where the newest server's programs are, as Debian puts them, or on the PATH."""
    found = sorted(
        (path for path in Path("/usr/lib/postgresql").glob("*/bin") if (path / "initdb").exists()),
        key=lambda path: int(path.parent.name) if path.parent.name.isdigit() else 0,
    )
    if found:
        return found[-1]
    initdb = shutil.which("initdb")
    return Path(initdb).parent if initdb else None


def _as_user() -> list[str] | None:
    """What to put before a command so that root does not run it: the server refuses root."""
    if os.geteuid() != 0:
        return []
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        return None
    for name in ("postgres", "nobody"):
        try:
            user = pwd.getpwnam(name)
        except KeyError:
            continue
        return [setpriv, f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
    return None


class Postgres:
    """A running server; a database of its own for each test."""

    def __init__(self, directory: Path, bin_path: Path, user: list[str]) -> None:
        self._directory, self._bin, self._user = directory, bin_path, user
        self.count = 0

    def run(self, program: str, *arguments: str, text: str | None = None) -> str:
        """What a program prints; its errors fail the test."""
        done = subprocess.run(
            [*self._user, str(self._bin / program), *arguments],
            input=text,
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=False,
            cwd=self._directory,
            env={"PATH": os.environ["PATH"], "PGHOST": str(self._directory), "LC_ALL": "C",
                 "PGCLIENTENCODING": "UTF8", "PGUSER": "tests", "PGTZ": "Asia/Kathmandu"},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    def load(self, sql: Path) -> str:
        """Load a file into a new database, whose name is returned."""
        self.count += 1
        name = f"d{self.count}"
        self.run("createdb", "--template=template0", "--encoding=UTF8", name)
        # the server's user may not read the test's directories
        self.run("psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", name, "-f", "-",
                 text=sql.read_bytes().decode())  # fmt: skip
        return name

    def ask(self, database: str, sql: str) -> str:
        """What psql prints of a query, without headings."""
        return self.run("psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", database,
                        "-c", sql)  # fmt: skip

    def drop(self, database: str) -> None:
        self.run("dropdb", database)


@contextmanager
def running(directory: Path) -> Iterator[Postgres]:
    """Start a server in this new directory, whose path is short, as a socket's must be."""
    bin_path = programs()
    user = _as_user()
    if bin_path is None:
        pytest.skip("PostgreSQL is not installed (on Debian: apt-get install postgresql)")
    if user is None:
        pytest.skip("PostgreSQL does not run as root, and there is no setpriv to be somebody else")
    if user:
        owner = pwd.getpwuid(int(user[1].partition("=")[2]))
        os.chown(directory, owner.pw_uid, owner.pw_gid)
    server = Postgres(directory, bin_path, user)
    data = str(directory / "data")
    server.run("initdb", "-D", data, "-U", "tests", "-A", "trust", "-E", "UTF8", "--no-sync",
               "--locale=C")  # fmt: skip
    options = f"-k {directory} -c listen_addresses= -c fsync=off -c shared_buffers=16MB"
    log = str(directory / "log")
    server.run("pg_ctl", "-D", data, "-o", options, "-l", log, "-w", "start")
    try:
        yield server
    finally:
        server.run("pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")
