"""The scenes: who may have the lock, in every case in which somebody has it or leaves it.

No two owners, no lost lock, whatever happens to the holder.  A rival's timeout is 0: what it gets,
it gets at once.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from .stage import (
    DEADLINE,
    LEFT_OPEN,
    LOST_CHANGE,
    LOST_LOCK,
    STUCK,
    TWO_OWNERS,
    Scene,
    Stage,
)

CYCLES = 1000
_ENDS = ("returns", "daemon", "raises")
_HOLDER = "bazanite_stress.locks.holder"


def threads(stage: Stage) -> None:
    """One of several threads of a process has it."""
    one, waiting = stage.puppet(), stage.puppet(None)
    stage.takes(one)
    stage.refused(one.ask("beside", "a"), one.pid)
    stage.leaves(one)
    stage.expect(LOST_LOCK, ["held"], one.ask("beside", "a"))
    place = str(stage.path / "held")
    stage.expect(TWO_OWNERS, [], waiting.ask("contend", "a", 4, 25, place))


def processes(stage: Stage) -> None:
    """One of several processes has it, others ask or wait for it."""
    first, rival = stage.puppet(), stage.puppet()
    kernel, polling = stage.puppet(None), stage.puppet(20.0)
    stage.takes(first)
    stage.shut_out(rival, first.pid)
    stage.waits(kernel)
    stage.leaves(first)
    stage.expect(LOST_LOCK, ["held"], kernel.hear())
    stage.shut_out(first, kernel.pid)
    stage.waits(polling)
    stage.leaves(kernel)
    stage.expect(LOST_LOCK, ["held"], polling.hear())
    stage.leaves(polling)
    place = str(stage.path / "held")
    for actor in (kernel, polling):
        actor.wire.tell(["contend", "a", 1, 50, place])
    stage.expect(TWO_OWNERS, [[], []], [kernel.hear(), polling.hear()])


def forked_child(stage: Stage) -> None:
    """The holder forks: the child has nothing, frees nothing, and keeps nothing of a dead one."""
    holder, rival = stage.puppet(), stage.puppet()
    stage.takes(holder)
    stage.refused(holder.ask("child", "a"), holder.pid)
    stage.shut_out(rival, holder.pid)
    stage.expect(LOST_CHANGE, ["done"], holder.ask("put", "a", "of the parent"))
    stage.leaves(holder)
    stage.expect(LOST_LOCK, ["held"], rival.ask("beside", "a"))
    stage.takes(holder)
    stage.other(holder.ask("fork", "a")[0])
    stage.shut_out(rival, holder.pid)
    holder.kill()
    stage.takes(rival)
    stage.expect(LOST_CHANGE, ["of the parent"], rival.ask("get", "a"))


def quiet_child(stage: Stage) -> None:
    """The same without Python's hooks, as a library in C does it: the child keeps descriptors."""
    holder, rival = stage.puppet(), stage.puppet()
    stage.takes(holder)
    child = stage.other(holder.ask("fork_quietly", "a")[0])
    stage.shut_out(rival, holder.pid)
    stage.leaves(holder)
    stage.takes_and_leaves(rival)  # though the child lives, and has the file open
    stage.takes(holder)
    os.kill(child, signal.SIGKILL)
    stage.shut_out(rival, holder.pid)
    stage.leaves(holder)
    stage.takes(rival)


def other_descriptor(stage: Stage) -> None:
    """Some part of the holder's program opens the lock file, and closes it."""
    holder, rival = stage.puppet(), stage.puppet()
    stage.takes(holder)
    for name in (".lock", ".attached", ".sync"):
        stage.expect(STUCK, ["touched"], holder.ask("touch", f"{stage.data}/{name}"))
    stage.shut_out(rival, holder.pid)
    stage.refused(stage.actor().ask("open", "a", stage.data, 0), holder.pid)
    stage.leaves(holder)
    stage.takes(rival)


def removed_file(stage: Stage) -> None:
    """The lock file is removed under its holder, and another one put in its place."""
    holder, rival = stage.puppet(), stage.puppet()
    lock = Path(stage.data, ".lock")
    stage.expect(LOST_CHANGE, ["done"], holder.ask("put", "a", "old"))
    stage.takes(holder)
    for replace in (False, True):
        lock.unlink(missing_ok=True)
        if replace:
            lock.touch()
        stage.shut_out(rival, holder.pid)
        newcomer = stage.actor()
        stage.expect(TWO_OWNERS, "DirectoryError", newcomer.ask("open", "a", stage.data, 0)[0])
    stage.expect(LOST_CHANGE, ["done"], holder.ask("put", "a", "new"))
    stage.leaves(holder)
    stage.takes_and_leaves(rival)
    for actor in (holder, rival):
        stage.expect(LOST_LOCK, ["closed"], actor.ask("close", "a"))
    stage.expect(LOST_CHANGE, ["new"], stage.puppet().ask("get", "a"))


def passed_on(stage: Stage) -> None:
    """The lock is taken and let go many times; whoever opens the directory then has the same."""
    first = stage.puppet()
    for _ in range(3):
        stage.takes_and_leaves(first)
    second = stage.puppet()
    stage.takes(second)
    stage.shut_out(first, second.pid)
    stage.refused(stage.actor().ask("open", "a", stage.data, 0), second.pid)
    stage.leaves(second)
    stage.takes(first)
    stage.shut_out(second, first.pid)


def stopped(stage: Stage) -> None:
    """The holder is stopped: it still has the lock.  A stopped waiter keeps nobody out."""
    holder, rival, waiter = stage.puppet(), stage.puppet(), stage.puppet(None)
    stage.takes(holder)
    holder.signal(signal.SIGSTOP)
    stage.shut_out(rival, holder.pid)
    stage.refused(stage.actor().ask("open", "a", stage.data, 0), holder.pid)
    holder.signal(signal.SIGCONT)
    stage.expect(LOST_CHANGE, ["done"], holder.ask("put", "a", "kept"))
    stage.waits(waiter)
    waiter.signal(signal.SIGSTOP)
    stage.leaves(holder)
    stage.takes(rival)
    waiter.signal(signal.SIGCONT)
    stage.leaves(rival)
    stage.expect(LOST_LOCK, ["held"], waiter.hear())
    stage.shut_out(rival, waiter.pid)
    stage.expect(LOST_CHANGE, ["kept"], waiter.ask("get", "a"))


def killed(stage: Stage) -> None:
    """The holder is killed: one of those who wait gets the lock, then the other."""
    holder, rival = stage.puppet(), stage.puppet()
    kernel, polling = stage.puppet(None), stage.puppet(20.0)
    stage.expect(LOST_CHANGE, ["done"], holder.ask("put", "a", "acknowledged"))
    stage.takes(holder)
    stage.waits(kernel)
    holder.kill()
    stage.expect(LOST_LOCK, ["held"], kernel.hear())
    stage.shut_out(rival, kernel.pid)
    stage.waits(polling)
    kernel.kill()
    stage.expect(LOST_LOCK, ["held"], polling.hear())
    stage.shut_out(rival, polling.pid)
    stage.expect(LOST_CHANGE, ["acknowledged"], polling.ask("get", "a"))
    polling.kill()
    stage.expect(LOST_CHANGE, ["acknowledged"], rival.ask("get", "a"))


def two_directories(stage: Stage) -> None:
    """Two directories at once: each has a lock of its own."""
    one, two, other = stage.puppet(), stage.puppet(), str(stage.path / "other")
    for actor in (one, two):
        stage.expect(LOST_LOCK, ["open"], actor.ask("open", "b", other, 0))
    stage.takes(one, "a")
    stage.takes(two, "b")
    stage.shut_out(two, one.pid, "a")
    stage.shut_out(one, two.pid, "b")
    stage.leaves(one, "a")
    stage.leaves(two, "b")
    stage.takes(two, "a")
    stage.takes(two, "b")
    stage.expect(LOST_CHANGE, ["done"], two.ask("put", "b", "of the other"))
    for name in ("a", "b"):
        stage.shut_out(one, two.pid, name)
        stage.leaves(two, name)
    stage.expect(LOST_CHANGE, [""], one.ask("get", "a"))
    stage.expect(LOST_CHANGE, ["of the other"], one.ask("get", "b"))


def two_paths(stage: Stage) -> None:
    """One directory through several paths is one: in one process, and in several."""
    holder, link = stage.puppet(), stage.path / "link"
    link.symlink_to(stage.data)
    linked = stage.puppet(path=str(link))
    relative, bound = stage.actor(), stage.actor()
    relative.ask("go_to", str(stage.path))
    stage.expect(LOST_LOCK, ["open"], relative.ask("open", "a", "data", 0))
    rivals = [linked, relative]
    place = stage.path / "bound"
    place.mkdir()
    answer = bound.ask("bind", stage.data, str(place))
    if answer == ["mounted"]:
        stage.expect(LOST_LOCK, ["open"], bound.ask("open", "a", str(place), 0))
        rivals.append(bound)
    else:
        stage.not_done.append(f"a bind mount: {answer[1]}")
    stage.expect(LOST_LOCK, ["open"], holder.ask("open", "b", str(link), 0))
    stage.takes(holder)
    stage.takes(holder, "b")  # it is the same thread's
    for rival in rivals:
        stage.shut_out(rival, holder.pid)
    stage.refused(holder.ask("beside", "b"), holder.pid)
    stage.leaves(holder, "b")
    stage.leaves(holder)
    for rival in rivals:
        stage.takes(rival)
        stage.shut_out(holder, rival.pid, "b")
        stage.leaves(rival)


def cycles(stage: Stage) -> None:
    """A thousand times opened and closed: alone, then while somebody else has it open."""
    actor = stage.actor()
    for count in (CYCLES // 20, CYCLES - CYCLES // 20):
        answer = actor.ask("cycle", stage.data, count, seconds=30.0)
        stage.expect(LEFT_OPEN, [0, 0], answer)
        watcher = stage.actor()
        stage.expect(LOST_LOCK, ["open"], watcher.ask("open", "a", stage.data, 0))
        stage.takes_and_leaves(watcher)


def interpreter_exit(stage: Stage) -> None:
    """An interpreter ends with the lock held: by its main thread, by a daemon, by an error."""
    rival = stage.actor()
    for how in _ENDS:
        stage.expect(LOST_LOCK, ["open"], rival.ask("open", how, f"{stage.data}-{how}", 0))
    program = [sys.executable, "-m", _HOLDER]
    if stage.bugs:
        numbers = ",".join(map(str, stage.bugs))
        program = [sys.executable, "-m", "bazanite_stress.mutants.with_bugs", numbers, _HOLDER]
    started = [
        subprocess.Popen(
            [*program, f"{stage.data}-{how}", how],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        for how in _ENDS
    ]
    try:
        for how, holder in zip(_ENDS, started, strict=True):
            assert holder.stdout is not None
            stage.expect(LOST_LOCK, b"held\n", holder.stdout.readline())
            stage.shut_out(rival, holder.pid, how)
            holder.communicate(b"end\n")
            stage.takes(rival, how)
    finally:
        for holder in started:
            holder.kill()
            holder.communicate()


def named(stage: Stage) -> None:
    """Who waits in vain is told by whom, and never that it is somebody dead."""
    holder, rival = stage.puppet(), stage.puppet()
    stage.takes(holder)
    stage.shut_out(rival, holder.pid)
    stage.refused(stage.actor().ask("open", "a", stage.data, 0), holder.pid)
    holder.kill()
    # somebody who holds the file's lock, as `flock` does it, while the words name the dead one
    with open(f"{stage.data}/.lock", "rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        stage.shut_out(rival, None)
        stage.refused(stage.actor().ask("open", "a", stage.data, 0), None)
        fcntl.flock(file, fcntl.LOCK_UN)  # closing would not do: that actor has a copy
    stage.takes(rival)


def first_opener_killed(stage: Stage) -> None:
    """The first opener is killed at each of its syncs: others are kept out, then recover."""
    writer = stage.puppet()
    for text in ("acknowledged 1", "acknowledged 2"):
        stage.expect(LOST_CHANGE, ["done"], writer.ask("put", "a", text))
    writer.kill()
    for number in range(100):
        data = f"{stage.data}{number}"
        shutil.copytree(stage.data, data)
        opener, rival = stage.actor(), stage.actor()
        answer = opener.ask("open_until", "a", data, number)
        if answer != ["in the middle"]:
            stage.expect(LOST_LOCK, ["open"], answer)
            break
        stage.expect(TWO_OWNERS, "LockTimeout", rival.ask("open", "a", data, 0)[0])
        opener.kill()
        if stage.expect(LOST_LOCK, ["open"], rival.ask("open", "a", data, 0)):
            stage.expect(LOST_CHANGE, ["acknowledged 2"], rival.ask("get", "a"))
    stage.expect(STUCK, True, number > 3)


def turned_clock(stage: Stage) -> None:
    """The wall clock is set while somebody waits: the timeout neither ends nor begins anew."""
    holder = stage.puppet()
    for seconds, timeout in ((3600.0, 20.0), (-3600.0, 0.05)):
        waiter = stage.puppet(timeout)
        stage.takes(holder)
        waiter.wire.tell(["hold_while_the_clock_turns", "a", seconds])
        if not stage.expect(DEADLINE, ["turned"], waiter.hear()):
            return
        if seconds < 0:
            stage.expect(DEADLINE, ["LockTimeout", holder.pid], waiter.hear(5.0))
        stage.leaves(holder)
        if seconds > 0:
            stage.expect(DEADLINE, ["held"], waiter.hear())
            stage.leaves(waiter)


SCENES: dict[str, Scene] = {
    scene.__name__: scene
    for scene in (
        threads,
        processes,
        forked_child,
        quiet_child,
        other_descriptor,
        removed_file,
        passed_on,
        stopped,
        killed,
        two_directories,
        two_paths,
        cycles,
        interpreter_exit,
        named,
        first_opener_killed,
        turned_clock,
    )
}
