"""Planted bugs in names, sizes and buffers: what a file system does not promise."""

from __future__ import annotations

from .bug import Bug, Patch

_FILES, _LOG = "bazanite_wal.datafiles", "bazanite_wal.log"
_CREATED = "            self._directory.sync()  # else a frame could name"
_RENAMED = "    directory.sync()  # else the name could be lost while"

# An operation that the engine never writes marks the next one as special in these bugs.
_MARKED = '''

def resolved(view, operations, *, difference):
    """Carry out what a mark says of the write behind it."""
    mark = None
    for operation in operations:
        if isinstance(operation, Fill) and not operation.count:
            mark = operation
            continue
        if mark is not None and isinstance(operation, Write):
            __planted__()
            if difference:
                old = view.read(operation.name, operation.offset, len(operation.data))
                old = old.ljust(len(operation.data), bytes(1))
                data = bytes(a ^ b for a, b in zip(old, operation.data))
                operation = Write(operation.name, operation.offset, data)
            elif view.size(operation.name) > operation.offset:
                mark = None
                continue  # the file is that long: the row must be there
        mark = None
        yield operation


class FrameError(ValueError):'''
_FRAME_HELPER = Patch("bazanite_wal.frame", "\n\nclass FrameError(ValueError):", _MARKED)


def _resolving(difference: bool) -> tuple[Patch, Patch]:
    loop = f"        for operation in resolved(self, operations, difference={difference}):\n"
    return (
        Patch(
            _FILES,
            "        for operation in operations:\n            file = self.require",
            "        from .frame import resolved\n" + loop + "            file = self.require",
        ),
        Patch(
            "bazanite_wal.layer",
            "        for operation in operations:\n            if isinstance",
            "        from .frame import resolved\n" + loop + "            if isinstance",
        ),
    )


BUGS = (
    Bug(
        15,
        "directory not synced after creating files",
        "P",
        (Patch(_FILES, _CREATED, "            __planted__()  #"),),
        workloads=("creation",),
    ),
    Bug(
        16,
        "replace by rename without syncing the new file",
        "P",
        (Patch(_LOG, "        file.sync()  # else the rename", "        __planted__()  #"),),
        workloads=("creation",),
    ),
    Bug(
        17,
        "replace by rename without syncing the directory",
        "P",
        (Patch(_LOG, _RENAMED, "    __planted__()  #"),),
        workloads=("short unaligned",),
    ),
    Bug(
        20,
        "row count taken from an unsynced file size",
        "P",
        (
            _FRAME_HELPER,
            *_resolving(difference=False),
            Patch(
                "bazanite_wal.transaction",
                "        super().write(name, offset, data)\n        last = self._last.get(name)\n",
                "        if data and offset >= self.size(name):  # redo looks at the size only\n"
                "            self._last.pop(name, None)\n"
                "            self._log.append(Fill(name, offset, 0, 0))\n"
                "        super().write(name, offset, data)\n        last = self._last.get(name)\n",
            ),
        ),
    ),
    Bug(
        21,
        "fdatasync where the name must persist too",
        "P",
        (
            Patch(
                _FILES,
                _CREATED,
                "            for name in names:\n"
                "                __planted__(self._files[name]).sync_data()  #",
            ),
        ),
        workloads=("creation",),
    ),
    Bug(
        29,
        "user-space buffer not flushed before fsync",
        "KP",
        (
            Patch(
                _LOG,
                "        write_all(self._file, data, header.file_offset(lsn))\n",
                "        self._flush()\n"
                "        self._buffer = __planted__((data, header.file_offset(lsn)))\n"
                "\n"
                "    _buffer = None\n"
                "\n"
                "    def _flush(self):\n"
                "        buffer, self._buffer = self._buffer, None\n"
                "        if buffer is not None:\n"
                "            write_all(self._file, *buffer)\n",
            ),
            Patch(
                _LOG,
                "        return read_up_to(self._file, end - start, header.file_offset(start))",
                "        self._flush()\n"
                "        return read_up_to(self._file, end - start, header.file_offset(start))",
            ),
            Patch(
                _LOG,
                "    def close(self) -> None:\n        self._file.close()",
                "    def close(self) -> None:\n        self._flush()\n        self._file.close()",
            ),
        ),
    ),
    Bug(
        30,
        "redo applies a difference, not an after-image",
        "N",
        (
            _FRAME_HELPER,
            *_resolving(difference=True),
            Patch(
                "bazanite_wal.commit",
                "    payload = encode_operations(operations)\n",
                "    if operations and not hasattr(operations[0], 'size'):\n"
                "        first = operations[0]\n"
                "        if hasattr(first, 'data'):\n"
                "            old = core.overlay.read(first.name, first.offset, len(first.data))\n"
                "            old = old.ljust(len(first.data), bytes(1))\n"
                "            data = bytes(a ^ b for a, b in zip(old, first.data))\n"
                "            from .frame import Fill, Write\n"
                "            mark = Fill(first.name, first.offset, 0, 0)\n"
                "            changed = Write(first.name, first.offset, data)\n"
                "            operations = [mark, changed, *operations[1:]]\n"
                "    payload = encode_operations(operations)\n",
            ),
        ),
    ),
)
