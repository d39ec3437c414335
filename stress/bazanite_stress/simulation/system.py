"""One simulated process: the engine's ``System`` over a simulated machine.

``watch`` sees each call that reaches the machine before it happens, and may raise in its place (an
error, an interrupt, a death) or shorten a write.  A dead process does nothing any more: each of its
calls raises ``Killed``, and its locks are free.
"""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Callable, Sequence
from typing import cast

from bazanite_wal.frame import LARGEST_FILE

from .disk import Folder
from .inode import Heard, Inode
from .machine import FOLDER, PATH, SHELF, Machine
from .shelf import Shelf, shelved
from .words import SimulatedWords

Watch = Callable[[str, str, int], int | None]
"""Called with operation, file name and number of bytes; a number returned shortens a write."""


class Killed(BaseException):
    """This simulated process is dead."""


class Stuck(AssertionError):
    """A simulated process waits for what nobody can give: a deadlock."""


class SimulatedSystem:
    """See the module's text.  ``seed`` gives the process its random bytes."""

    def __init__(self, machine: Machine, seed: str = "", command: str = "simulated") -> None:
        self.machine = machine
        self.watch: Watch | None = None
        self.alive = True
        self.pid = machine.new_pid(command)
        self._seed = f"{seed}/{self.pid}/{machine.boot}"
        self._random = 0
        self.places: dict[object, object] = {}
        self.open_locks: list[SimulatedLockFile] = []

    def call(self, operation: str, name: str, size: int = 0) -> int:
        """One call is about to happen; how many of its bytes it may transfer."""
        if not self.alive:
            raise Killed
        self.machine.now += 1e-6
        if self.watch is not None:
            allowed = self.watch(operation, name, size)
            if allowed is not None:
                return allowed
        return size

    def about_to_store(self, words: Sequence[int], index: int, value: int) -> None:
        """One of these shared words is about to change."""

    def kill(self) -> None:
        """SIGKILL: locks go, nothing else happens."""
        self.die()
        for file in list(self.open_locks):
            file.drop()

    def die(self) -> None:
        """SIGKILL, up to the moment at which the kernel closes its files: locks are still held."""
        self.alive = False
        self.machine.commands.pop(self.pid, None)
        self.places.clear()  # its memory goes

    def directory(self, path: str, *, create: bool) -> SimulatedDirectory:
        self.call("directory", path)
        if path.startswith(SHELF):
            return SimulatedDirectory(
                cast("SimulatedSystem", Shelf(self)), shelved(self.machine, path, create), path, 1
            )
        if path != PATH:
            raise FileNotFoundError(errno.ENOENT, "this machine has one directory only", path)
        folder = self.machine.folder
        if folder is None:
            if not create:
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
            disk = self.machine.disk
            folder = disk.create_folder(disk.folders[0], FOLDER)
        return SimulatedDirectory(self, folder)

    def thread_lock(self) -> SimulatedThreadLock:
        return SimulatedThreadLock(self)

    def process_id(self) -> int:
        return self.pid

    def incarnation(self) -> int:
        return self.pid

    def process_command(self, pid: int) -> str:
        return self.machine.commands.get(pid, "")

    def boot_id(self) -> str:
        return self.machine.boot_id()

    def ordered_memory(self) -> bool:
        return True

    def monotonic(self) -> float:
        return self.machine.now

    def wall_time(self) -> float:
        return 1_700_000_000.0 + self.machine.now

    def sleep(self, seconds: float) -> None:
        self.call("sleep", "")
        self.machine.now += seconds

    def wait_for(self, file: SimulatedLockFile) -> None:
        """Wait until somebody lets go of this file's lock; alone, a process would wait for ever."""
        raise Stuck(f"{file.name} is held, and nobody runs who could let go of it")

    def random_bytes(self, count: int) -> bytes:
        self._random += 1
        return hashlib.shake_128(f"{self._seed}/{self._random}".encode()).digest(count)


class SimulatedFile:
    """An open file; it stays usable when its name is gone.

    Of a write-back that failed since it was opened its next sync tells, once, whoever makes that
    sync: as Linux does (errseq_t).  What failed before it was opened it never tells, unless that is
    ``untold``.
    """

    def __init__(self, system: SimulatedSystem, inode: Inode, name: str, *, write: bool) -> None:
        self._system = system
        self._disk = system.machine.disk
        self.inode = inode
        self._name = name
        self._write = write
        self._heard = Heard(inode.failures)

    def read_at(self, size: int, offset: int) -> bytes:
        size = self._system.call("read_at", self._name, size)
        return bytes(self.inode.data[offset : offset + size])

    def write_at(self, data: bytes | memoryview, offset: int) -> int:
        self._writable()
        self._system.machine.writing = (self.inode.number, bytes(data), offset)
        size = self._system.call("write_at", self._name, len(data))
        self._disk.write(self.inode, data[:size], offset)
        return size

    def truncate(self, size: int) -> None:
        self._writable()
        self._system.call("truncate", self._name)
        self._disk.truncate(self.inode, size)

    def size(self) -> int:
        self._system.call("size", self._name)
        return len(self.inode.data)

    def next_data(self, offset: int) -> int | None:
        self._system.call("next_data", self._name)
        return offset if offset < len(self.inode.data) else None

    def largest_size(self) -> int:
        return LARGEST_FILE

    def identity(self) -> int:
        return self.inode.number

    def sync_data(self) -> None:
        self._system.machine.writing = (self.inode.number, b"", 0)
        self._system.call("sync_data", self._name)
        self._disk.sync_data(self.inode)
        self._report()

    def sync(self) -> None:
        self._system.machine.writing = (self.inode.number, b"", 0)
        self._system.call("sync", self._name)
        self._disk.sync(self.inode)
        self._report()

    def close(self) -> None:
        pass

    def _report(self) -> None:
        inode = self.inode
        failed = inode.untold or self._heard.count < inode.failures
        self._heard.count, inode.untold = inode.failures, False
        if failed:
            raise OSError(errno.EIO, os.strerror(errno.EIO), self._name)

    def _writable(self) -> None:
        if not self._write:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF), self._name)


class OpenFile:
    """What an flock belongs to: an open file, which descriptors of several processes may share.

    ``descriptors`` is how many there are; with the last one the lock goes.
    """

    def __init__(self) -> None:
        self.descriptors = 1


class SimulatedLockFile:
    """A descriptor of an open file that can be locked; a fork makes another one (``opened``)."""

    def __init__(
        self, system: SimulatedSystem, inode: Inode, name: str, opened: OpenFile | None = None
    ) -> None:
        self.system = system
        self.inode = inode
        self.name = name
        self.opened = opened or OpenFile()
        system.open_locks.append(self)

    def try_lock(self, *, shared: bool = False) -> bool:
        self.system.call("try_lock", self.name)
        return self.system.machine.flock(self.inode.number).take(self.opened, shared=shared)

    def lock(self) -> None:
        while not self.try_lock():
            self.system.wait_for(self)

    def unlock(self) -> None:
        self.system.call("unlock", self.name)
        self.system.machine.flock(self.inode.number).free(self.opened)

    def identity(self) -> int:
        return self.inode.number

    def read_text(self) -> str:
        self.system.call("read_text", self.name)
        return self.inode.data.decode("utf-8", "replace").rstrip("\0 \n")

    def write_text(self, text: str) -> None:
        self.system.call("write_text", self.name)
        self.inode.data[:] = text.encode()  # advice: on no disk that a power cut leaves
        self.inode.durable, self.inode.durable_size = bytes(self.inode.data), len(text.encode())

    def close(self) -> None:
        if self.system.alive:
            self.drop()

    def drop(self) -> None:
        """The descriptor goes; with the last one of its open file, the lock."""
        if self in self.system.open_locks:
            self.system.open_locks.remove(self)
            self.opened.descriptors -= 1
            if not self.opened.descriptors:
                self.system.machine.flock(self.inode.number).free(self.opened)


class SimulatedDirectory:
    """The one directory of a machine, or one of those on its other disk."""

    def __init__(
        self, system: SimulatedSystem, folder: Folder, path: str = PATH, device: int = 0
    ) -> None:
        self._system = system
        self._disk = system.machine.disk
        self._folder = folder
        self.path = path
        self.identity = (device, folder.number)

    def file_system(self) -> str:
        return "simulated"

    def open(self, name: str, *, write: bool = True) -> SimulatedFile:
        self._system.call("open", name)
        return SimulatedFile(self._system, self._inode(name), name, write=write)

    def create(self, name: str, *, new: bool = False) -> SimulatedFile:
        self._system.call("create", name)
        if new and name in self._folder.names:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), name)
        return SimulatedFile(self._system, self._made(name), name, write=True)

    def create_successor(self, name: str, of: str) -> SimulatedFile:
        self._inode(of)
        return self.create(name)

    def open_lock(self, name: str, *, create: bool = True) -> SimulatedLockFile:
        self._system.call("open_lock", name)
        inode = self._volatile(name) if create else self._inode(name)
        return SimulatedLockFile(self._system, inode, name)

    def open_words(
        self, name: str, count: int, *, create: bool, write: bool = True
    ) -> SimulatedWords:
        self._system.call("open_words", name)
        del write  # a simulated process may always write
        inode = self._volatile(name) if create else self._inode(name)
        values = self._system.machine.words.get(inode.number)
        if values is None or len(values) < count:
            if not create:
                raise OSError(errno.EINVAL, "shared words are incomplete", name)
            values = self._system.machine.words.setdefault(inode.number, [])
            values.extend([0] * (count - len(values)))
        return SimulatedWords(self._system, values)

    def exists(self, name: str) -> bool:
        self._system.call("exists", name)
        return name in self._folder.names

    def identity_of(self, name: str) -> int | None:
        self._system.call("identity_of", name)
        return self._folder.names.get(name)

    def list(self) -> list[str]:
        self._system.call("list", "")
        return sorted(self._folder.names)

    def rename(self, old: str, new: str) -> None:
        self._system.call("rename", new)
        self._inode(old)
        self._disk.rename(self._folder, old, new)

    def remove(self, name: str) -> None:
        self._system.call("remove", name)
        self._inode(name)
        self._disk.remove(self._folder, name)

    def sync(self) -> None:
        self._system.machine.writing = (self._folder.number, b"", 0)
        self._system.call("sync_names", "")
        self._disk.sync_folder(self._folder)

    def sync_name(self) -> None:
        self._system.call("sync_own_name", "")
        self._disk.sync_folder(self._disk.folders[0])

    def close(self) -> None:
        pass

    def _inode(self, name: str) -> Inode:
        number = self._folder.names.get(name)
        if number is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name)
        return self._disk.files[number]

    def _made(self, name: str) -> Inode:
        if name in self._folder.names:
            return self._inode(name)
        return self._disk.create(self._folder, name)

    def _volatile(self, name: str) -> Inode:
        """Locks and shared words: their names are no part of any disk that is judged."""
        if name not in self._folder.names:
            inode = self._disk.create(self._folder, name)
            self._folder.changes.pop()
            self._folder.durable[name] = inode.number
        return self._inode(name)


class SimulatedThreadLock:
    """A lock among the threads of a process; here each process has one thread."""

    def __init__(self, system: SimulatedSystem) -> None:
        self._system = system
        self._held = False

    def acquire(self, timeout: float | None) -> bool:
        self._system.call("acquire", "")
        if not self._held:
            self._held = True
            return True
        if timeout is None:
            raise Stuck("a thread lock is held, and nobody runs who could let go of it")
        self._system.machine.now += timeout
        return False

    def release(self) -> None:
        self._held = False

    def owned(self) -> bool:
        return self._held
