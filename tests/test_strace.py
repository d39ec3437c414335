"""What really reaches the kernel, and in which order, seen from outside by strace."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import os, sys
from bazanite_wal.options import StoreOptions
from bazanite_wal.store import open_store
store = open_store(sys.argv[1], StoreOptions())
with store.transaction() as tx:
    store.create_files(["a.dat", "b.dat"])
    tx.write("a.dat", 0, b"old")
def step(name):
    os.write(2, b"")
    os.access("/step/" + name, 0)
step("commit")
with store.transaction() as tx:
    tx.write("a.dat", 0, b"new")
    tx.write("b.dat", 0, b"new")
step("checkpoint")
store.checkpoint()
step("read")
store.quick_read(lambda view: view.read("a.dat", 0, 3))
step("end")
told, tell = os.pipe()
if not os.fork():  # another process has it open, so it may want the lock
    other = open_store(sys.argv[1], StoreOptions())
    os.write(tell, b"x")
    os.read(0, 1)
    os._exit(0)
os.read(told, 1)
step("shared")
with store.transaction() as tx:
    tx.write("a.dat", 0, b"new")
step("over")
"""


def can_trace() -> bool:
    if shutil.which("strace") is None:
        return False
    tried = subprocess.run(["strace", "-o", "/dev/null", "true"], capture_output=True, check=False)
    return tried.returncode == 0


@pytest.fixture(scope="module")
def traced(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[tuple[str, str]]]:
    """(system call, file name) of each step of SCRIPT."""
    if not can_trace():
        pytest.skip("strace is missing, or the system does not let it trace")
    path = tmp_path_factory.mktemp("traced")
    out = path / "trace"
    calls = "pwrite64,pread64,write,fsync,fdatasync,ftruncate,msync,flock"
    calls += ",/^(access|faccessat2?|rename(at2?)?)$"
    subprocess.run(
        ["strace", "-f", "-y", "-o", str(out), "-e", f"trace={calls}",
         sys.executable, "-c", SCRIPT, str(path / "data")],
        check=True,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    found: dict[str, list[tuple[str, str]]] = {}
    step = "start"
    for line in out.read_text().splitlines():
        if mark := re.search(r'access\w*\(.*"/step/(\w+)"', line):
            step = mark[1]
        elif call := re.search(r"(\w+)\(\d+<([^>]*)>", line):
            name = Path(call[2]).name if "/data" in call[2] else ""
            if name:
                found.setdefault(step, []).append((call[1], name))
    return found


Trace = dict[str, list[tuple[str, str]]]


def test_the_kernel_sees_log_write_log_sync_then_data_writes_and_no_data_sync(
    traced: Trace,
) -> None:
    changes = [call for call in traced["commit"] if call[0] not in ("flock", "pread64")]
    assert changes == [
        ("pwrite64", "wal.log"), ("fdatasync", "wal.log"),
        ("pwrite64", "a.dat"), ("pwrite64", "b.dat"),
    ]  # fmt: skip


def test_the_kernel_sees_one_lock_around_a_commit_of_who_is_alone(traced: Trace) -> None:
    locks = [call for call in traced["commit"] if call[0] == "flock"]
    assert locks == [("flock", name) for name in (".lock", ".sync", ".sync", ".lock")]


def test_the_kernel_sees_the_lock_freed_before_the_log_is_synced(traced: Trace) -> None:
    calls = traced["shared"]
    sync = calls.index(("fdatasync", "wal.log"))
    assert calls[:sync].count(("flock", ".lock")) == 2
    assert calls[sync:].count(("flock", ".lock")) == 2


def test_the_kernel_sees_data_syncs_then_the_header_then_its_sync(traced: Trace) -> None:
    changes = [call for call in traced["checkpoint"] if call[0] not in ("flock", "pread64")]
    assert changes[-4:] == [
        ("fsync", "a.dat"), ("fsync", "b.dat"), ("pwrite64", "wal.log"), ("fdatasync", "wal.log"),
    ]  # fmt: skip


def test_the_kernel_sees_one_positional_read_and_no_lock_of_a_quick_read(traced: Trace) -> None:
    assert traced["read"] == [("pread64", "a.dat")]
