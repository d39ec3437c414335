"""How many of a log's frames the data files have already, told by the files alone.

Pure over a View.  Frames reach the files in their order, so those that did are a prefix.  What a
frame wrote and no later one wrote over stands in the files, or the frame is not in them; if all of
it was written over, then what was there before it, or something newer, is there.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator

from .frame import LARGEST_FILE, Fill, Frame, Truncate
from .layer import PageLayer, View

_MOST_COMPARED = 1 << 20
_MOST_UNSEEN = 32
_Part = tuple[str, int, bytes]
"""File, offset, and the bytes that a frame wrote there."""


class _Ranges:
    """A set of bytes of one file, as ranges that do not touch."""

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []

    def take(self, start: int, end: int) -> list[tuple[int, int]]:
        """Put a range in; returns what of it was not there."""
        first = bisect_left(self._ends, start)
        last = bisect_right(self._starts, end)
        missing: list[tuple[int, int]] = []
        position = start
        for begin, stop in zip(self._starts[first:last], self._ends[first:last], strict=True):
            if begin > position:
                missing.append((position, begin))
            position = max(position, stop)
        if position < end:
            missing.append((position, end))
        if first < last:
            start, end = min(start, self._starts[first]), max(end, self._ends[last - 1])
        self._starts[first:last] = [start]
        self._ends[first:last] = [end]
        return missing

    def has(self, start: int, end: int) -> bool:
        """Whether all of a range is in."""
        place = bisect_right(self._starts, start) - 1
        return place >= 0 and self._ends[place] >= end


def applied_of(frames: tuple[Frame, ...], files: View, *, sure: bool) -> tuple[int, bool]:
    """How many of the frames the files have, and whether they have something newer than all.

    With a whole log (``sure``) these are the frames up to the last one of which all that should be
    in the files is; redoing the others is right unless the files show that they went on.  Where
    frames are lost one part is enough, and where nothing tells, the files are left as they are.
    """
    later: dict[str, _Ranges] = {}
    rest: list[list[_Part]] = []
    shown = 0
    for number in range(len(frames), 0, -1):
        parts = list(_parts(frames[number - 1], files, later))
        seen = [files.read(name, start, len(wanted)) == wanted for name, start, wanted in parts]
        if any(seen) and (all(seen) or not sure):
            shown = number
            break
        rest.append(parts)
    rest.reverse()
    applied, missing, newer = shown, len(frames), False
    states = _States(frames, shown, rest, files)
    for number, parts in enumerate(rest, shown):
        unseen = [part for part in parts if files.read(part[0], part[1], len(part[2])) != part[2]]
        other, same = states.compare(unseen)
        if other > same:
            applied, missing = number + 1, len(frames)
            newer = newer or len(unseen) == len(parts)
        elif same > other:
            missing = min(missing, number)
        states.before.redo(frames[number])
    return (applied if sure else missing), newer


class _States:
    """What the files may have been before frames of which nothing is in them.

    That is as behind the frame before, or behind any of those of which nothing can be seen as all
    they wrote was written over.
    """

    def __init__(
        self, frames: tuple[Frame, ...], shown: int, rest: list[list[_Part]], files: View
    ) -> None:
        self._files = files
        self.before = _Replayed(files, frames[:shown])
        first = next((place for place, parts in enumerate(rest) if parts), len(rest))
        lengths = range(shown + max(0, first - _MOST_UNSEEN), shown + first + 1)
        self._bases = [_Replayed(files, frames[:length]) for length in lengths]

    def compare(self, parts: list[_Part]) -> tuple[int, int]:
        """How many of these parts are another thing in the files, and how many what was before."""
        other = same = 0
        for name, start, wanted in parts:
            end = start + len(wanted)
            found = self._files.read(name, start, len(wanted))
            states = (*self._bases, self.before)
            if any(s.tells_of(name, start, found, len(wanted)) for s in states):
                same += 1
            elif len(found) < len(wanted):
                continue  # it has not grown so far, or has shrunk since, or was cut
            elif all(state.knows(name, start, end) for state in self._bases):
                other += 1
        return other, same


class _Replayed:
    """The files with frames made once more, and which bytes these frames tell."""

    def __init__(self, files: View, frames: Iterable[Frame]) -> None:
        self._layer = PageLayer(files)
        self._files = files
        self._known: dict[str, _Ranges] = {}
        for frame in frames:
            self.redo(frame)

    def redo(self, frame: Frame) -> None:
        """Make one more."""
        self._layer.apply(frame.operations())
        for _ in _parts(frame, self._files, self._known):
            pass

    def knows(self, name: str, start: int, end: int) -> bool:
        """Whether the frames say what all these bytes are."""
        return name in self._known and self._known[name].has(start, end)

    def tells_of(self, name: str, start: int, data: bytes, size: int) -> bool:
        """Whether the frames say that of so many bytes these stand there, perhaps up to the end."""
        known = bool(data) and self.knows(name, start, start + len(data))
        return known and self._layer.read(name, start, size) == data


def _parts(frame: Frame, files: View, later: dict[str, _Ranges]) -> Iterator[_Part]:
    """(file, offset, bytes) of what a frame wrote and none of those later did, the last first.

    A fill counts only where it is seen: what was erased may be so for many reasons.  ``later`` has
    these, too, when all are taken.
    """
    for operation in reversed(frame.operations()):
        name, ranges = operation.name, later.setdefault(operation.name, _Ranges())
        if isinstance(operation, Truncate):
            ranges.take(operation.size, LARGEST_FILE + 1)
            continue
        is_fill = isinstance(operation, Fill)
        count = operation.count if isinstance(operation, Fill) else len(operation.data)
        for start, stop in ranges.take(operation.offset, operation.offset + count):
            end = min(stop, start + _MOST_COMPARED)
            if isinstance(operation, Fill):
                wanted = bytes((operation.byte,)) * (end - start)
            else:
                wanted = operation.data[start - operation.offset : end - operation.offset]
            if not is_fill or files.read(name, start, end - start) == wanted:
                yield name, start, wanted
