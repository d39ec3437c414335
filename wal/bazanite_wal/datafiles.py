"""The data files of a directory, all of them kept open.

Every attached process opens every data file when it attaches: the kernel tells a failed write-back
once to each open file, and a process without one would hear nothing and checkpoint over the loss.
"""

from __future__ import annotations

from collections.abc import Iterable

from .errors import CorruptionError, DirectoryError, ValidationError
from .frame import LARGEST_FILE, Operation, Truncate, Write, is_data_file_name
from .io import read_up_to, write_all
from .system import Directory, File

CATALOG_NAME = "schema.json"
"""The data file that says what the others hold; here it is bytes like all of them."""
LARGEST_CATALOG = 64 << 20
"""In bytes; some hundred thousand columns."""
_FILL_CHUNK = 1 << 20
_FEW = 48


class DataFiles:
    """A View of the files as they are, and the means to change and sync them.

    ``joined`` turns true when a file is opened later than the rest: its errors from before are
    unknown.  Reads are thread-safe; changes need the global lock.
    """

    def __init__(self, directory: Directory, *, write: bool = True) -> None:
        self._directory = directory
        self._write = write
        self._files: dict[str, File] = {}
        self._durable_names: set[str] = set()
        self.joined = False

    def open_all(self) -> None:
        """Open every data file that is in the directory."""
        for name in self._directory.list():
            if is_data_file_name(name) and name not in self._files:
                self._open(name)

    def names(self) -> list[str]:
        """The names of the open files, sorted."""
        return sorted(self._files)

    def read(self, name: str, offset: int, size: int) -> bytes:
        try:
            file = self._files.get(name) or self._open(name)
            return b"" if file is None or offset > LARGEST_FILE else read_up_to(file, size, offset)
        except OSError as error:
            raise self._unreadable(name, error) from error

    def size(self, name: str) -> int:
        try:
            file = self._files.get(name) or self._open(name)
            return 0 if file is None else file.size()
        except OSError as error:
            raise self._unreadable(name, error) from error

    def catalog(self) -> bytes:
        """The catalog's bytes, none if there is none."""
        size = self.size(CATALOG_NAME)
        if size > LARGEST_CATALOG:
            path = f"{self._directory.path}/{CATALOG_NAME}"
            raise CorruptionError(path, 0, f"at most {LARGEST_CATALOG} bytes", f"{size} bytes")
        return self.read(CATALOG_NAME, 0, size)

    def are_current(self) -> bool:
        """Whether each open file is the one that has its name in the directory now."""
        return all(
            self._directory.identity_of(name) == file.identity()
            for name, file in list(self._files.items())
        )

    def next_data(self, name: str, offset: int) -> int | None:
        try:
            file = self._files.get(name) or self._open(name)
            return None if file is None or offset > LARGEST_FILE else file.next_data(offset)
        except OSError as error:
            raise self._unreadable(name, error) from error

    def largest_size(self, name: str) -> int:
        """How many bytes this process could make the file have."""
        file = self._files.get(name) or self._open(name)
        return LARGEST_FILE if file is None else file.largest_size()

    def create(self, names: Iterable[str]) -> None:
        """Make the missing files, empty; all these names are durable on return.

        DirectoryError if one cannot be made; an OSError is the failed sync of the directory.
        """
        names = list(names)
        for name in names:
            if not is_data_file_name(name):
                raise ValidationError(f"not a data file's name: {name!r}")
        try:
            for name in names:
                if name not in self._files and self._open(name) is None:
                    self._keep(name, self._directory.create(name))
        except OSError as error:
            raise DirectoryError(f"{self._directory.path}: cannot make a file: {error}") from error
        # Also for a file that is there already: who made it may have died before this sync.
        if not self.are_durable(names):
            self._directory.sync()  # else a frame could name a file that a power cut took away
            self._durable_names.update(names)

    def are_durable(self, names: list[str]) -> bool:
        """Whether this process synced all these names."""
        return self._durable_names.issuperset(names)

    def require(self, name: str) -> File:
        """The open file; DirectoryError if the log has changes for a file that is not there."""
        file = self._files.get(name) or self._open(name)
        if file is None:
            raise DirectoryError(
                f"{self._directory.path}/{name} is missing, but the log has changes for it. Put the"
                " file back or restore the directory from a backup; nothing was deleted"
            )
        return file

    def apply(self, operations: Iterable[Operation]) -> None:
        """Make these changes in place, in order; each is absolute, so any repetition is right."""
        for operation in operations:
            file = self.require(operation.name)
            try:
                _change(file, operation)
            except OSError as error:  # which may become an error about "an earlier transaction"
                error.filename = error.filename or f"{self._directory.path}/{operation.name}"
                raise

    def sync_all(self) -> None:
        """Make every open file's bytes and size durable (a smaller size too, hence not only data).

        The caller has opened all first: others may have made files and applied frames to them.
        """
        for file in list(self._files.values()):
            file.sync()

    def close(self) -> None:
        for file in self._files.values():
            file.close()
        self._files.clear()

    def _unreadable(self, name: str, error: OSError) -> DirectoryError:
        return DirectoryError(f"{self._directory.path}/{name}: cannot read: {error}")

    def _open(self, name: str) -> File | None:
        try:
            file = self._directory.open(name, write=self._write)
        except FileNotFoundError:
            return None
        winner = self._keep(name, file)
        if winner is not file:  # another thread was faster
            file.close()
        else:
            self.joined = True
        return winner

    def _keep(self, name: str, file: File) -> File:
        """Have it open under this name, or the one that is already."""
        return self._files.setdefault(name, file)


class FewFiles(DataFiles):
    """The same for a directory that nobody is attached to, with some of the files open at a time.

    So looking at it, or making it, takes no descriptor for each of them, of which a process that
    has another directory open may have too few.  For one thread.
    """

    def __init__(self, directory: Directory, *, write: bool = True) -> None:
        super().__init__(directory, write=write)
        self._known: set[str] = set()
        self._changed: set[str] = set()
        """Open ones that are not synced since."""

    def names(self) -> list[str]:
        """The names of all files that were opened or made, sorted."""
        return sorted(self._known)

    def create(self, names: Iterable[str]) -> None:
        names = list(names)
        self._changed.update(names)
        super().create(names)

    def apply(self, operations: Iterable[Operation]) -> None:
        for operation in operations:
            self._changed.add(operation.name)
            super().apply([operation])

    def sync_all(self) -> None:
        """Make the bytes and sizes of all that were changed through this durable."""
        for name in sorted(self._changed & self._files.keys()):
            self._files[name].sync()
        self._changed.clear()

    def _keep(self, name: str, file: File) -> File:
        while len(self._files) >= _FEW:
            oldest = next(iter(self._files))
            if oldest in self._changed:
                self._files[oldest].sync()
                self._changed.discard(oldest)
            self._files.pop(oldest).close()
        self._known.add(name)
        return super()._keep(name, file)


def _change(file: File, operation: Operation) -> None:
    if isinstance(operation, Write):
        write_all(file, operation.data, operation.offset)
    elif isinstance(operation, Truncate):
        file.truncate(operation.size)
    else:
        end = operation.offset + operation.count
        for offset in range(operation.offset, end, _FILL_CHUNK):
            count = min(_FILL_CHUNK, end - offset)
            write_all(file, bytes((operation.byte,)) * count, offset)
