"""Following a directory: its committed frames in order, from archive and log, beside its users.

Reads only: it takes no lock, is attached nowhere and keeps nobody waiting.  What it relies on:

- a frame validates in its place, in its generation and behind the frame before it only, so bytes
  that are being overwritten are no frame;
- ``DURABLE`` (with durability "full"; else ``END``) only rises, so a frame below a value that was
  read once, at any time, is durable (committed).  Where nobody of this boot wrote the shared words
  the watermarks of later frames say it;
- a generation is whole in the archive before the next one has a header; so who reads the header,
  and then the archive, finds everything below the header's base there, or it is forgotten.

Invariant: ``position`` moves over a frame only once that was given, and never over one that was
not there to be given: that is a ForgottenError.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from . import shared
from .archive import Place, read_head, read_section
from .archive_format import SECTION_SIZE, Section, segment_name, segments_in
from .archive_survey import first_segment
from .attach import SHARED_NAME
from .datafiles import CATALOG_NAME, DataFiles
from .errors import CorruptionError, DirectoryError, ForgottenError, ValidationError
from .frame import LARGEST_FILE, Frame, initial_chain
from .header import FRAMES_START, Header
from .io import read_up_to
from .log import LOG_NAME, Log
from .posix import POSIX
from .scan import scan_log, walk
from .system import File, System

_TRIES = 100
_PAUSE_SECONDS = 0.01
READ_ANEW = (
    "read the tables anew (`db.read_lsn` tells of which position they are) and follow from there;"
    " `bazanite wal archive DIR` shows and sets how much is kept"
)


class Beginning(NamedTuple):
    """The log position from which frames are given, and the catalog's bytes there.

    They are None if nobody can tell: then the first frame that writes the catalog tells.
    """

    lsn: int
    catalog: bytes | None


class _Look(NamedTuple):
    """The log as it was found: its newest header, and what the shared words said just before."""

    log: Log
    header: Header
    generation: int
    limit: int | None


class _Cursor(NamedTuple):
    """How far the log was read: the generation, a position in it, the checksum before that."""

    header: Header
    lsn: int
    chain: str


class LogReader:
    """Gives the frames of one directory, each once.  For one thread.

    ``start`` is a log position behind which the caller wants to know everything; None is as far
    back as everything is there.  What comes first may be older: see ``beginning``.
    ``to_the_end``: for who restores.  If nobody of this boot says how far frames count, all that
    are whole do, as for recovery; and where there is no log, the archive alone is read.

    DirectoryError if there is no such directory or log; ValidationError for a position that the log
    never had; ForgottenError if not everything behind it is there.
    """

    def __init__(
        self,
        path: str,
        start: int | None = None,
        system: System | None = None,
        *,
        to_the_end: bool = False,
    ) -> None:
        self._to_the_end = to_the_end
        self._system = system or POSIX
        self._token = shared.boot_token(self._system.boot_id())
        self._cursor: _Cursor | None = None
        self._damage: CorruptionError | None = None
        self._place: Place | None = None
        try:
            self._directory = self._system.directory(path, create=False)
            self.path = self._directory.path
            self._alone = to_the_end and not self._directory.exists(LOG_NAME)
            self.beginning = self._begin_at(start)
        except OSError as error:
            raise self._unreadable(path, error) from error
        self.position = self.beginning.lsn

    def close(self) -> None:
        """Let go of the directory."""
        self._directory.close()

    def frames(self) -> Iterator[Frame]:
        """All frames from ``position`` on that are there now; ``position`` moves with each.

        ForgottenError, CorruptionError or DirectoryError; what was given stays given.
        """
        try:
            yield from self._frames()
        except OSError as error:
            raise self._unreadable(self.path, error) from error

    def _frames(self) -> Iterator[Frame]:
        tries = 0
        if self._alone:
            yield from self._archived(LARGEST_FILE)
        while not self._alone:
            look = self._look()
            try:
                if self.position < look.header.base:
                    yield from self._archived(look.header.base)
                    continue
                found = self._logged(look)
            finally:
                look.log.close()
            if found is not None:
                for frame in found:
                    if frame.end > self.position:
                        self.position = frame.end
                        yield frame
                if self._damage is not None:
                    raise self._damage
                return
            tries += 1
            if tries == _TRIES:
                offset = look.header.file_offset(max(look.header.base, self.position))
                expected = f"frames up to LSN {look.limit}"
                raise CorruptionError(look.log.path, offset, expected, "none that is whole")
            self._system.sleep(_PAUSE_SECONDS)

    # ---- the log

    def _look(self) -> _Look:
        generation, limit = self._words()
        log = Log.open(self._directory, write=False)
        try:
            return _Look(log, log.read_header(), generation, limit)
        except BaseException:
            log.close()
            raise

    def _words(self) -> tuple[int, int | None]:
        """The generation in use, and up to where frames count; None if nobody of this boot says."""
        try:
            mapping = self._directory.open_words(
                SHARED_NAME, shared.WORD_COUNT, create=False, write=False
            )
        except OSError:
            return 0, None  # none were made yet, or they were removed
        try:
            words = mapping.words
            if words[shared.WITNESS] != self._token:
                return 0, None
            level = words[shared.DURABILITY]
            limit = words[shared.DURABLE if level == 1 else shared.END]
            generation = words[shared.GENERATION]
            # A first opener clears them first thing, and sets the witness last.
            return (generation, limit) if words[shared.WITNESS] == self._token else (0, None)
        finally:
            mapping.close()

    def _logged(self, look: _Look) -> list[Frame] | None:
        """The frames of the log that count, from where it was read up to.

        None if they are not all there: somebody is just writing there, or the log is damaged.
        """
        header, limit = look.header, look.limit
        cursor = self._cursor
        if cursor is None or cursor.header != header or cursor.lsn > self.position:
            cursor = _Cursor(header, header.base, initial_chain(header.salt))
        end = limit
        if end is None:
            end = header.base + max(0, look.log.size() - FRAMES_START)
        area = look.log.read(header, cursor.lsn, end) if end > cursor.lsn else b""
        walked = walk(area, header, cursor.lsn, cursor.chain)
        frames = walked.frames
        if limit is None and self._to_the_end:
            self._damage = self._damaged_end(look, end)
        elif limit is None:
            limit = max((frame.watermark for frame in frames), default=0)
            frames = [frame for frame in frames if frame.end <= limit]
        elif walked.end < limit and look.generation >= header.generation:
            return None
        if frames:
            cursor = _Cursor(header, frames[-1].end, frames[-1].checksum)
        self._cursor = cursor
        return frames

    def _damaged_end(self, look: _Look, end: int) -> CorruptionError | None:
        """What is to be raised behind the log's frames if it had more of them once."""
        header = look.header
        scan = scan_log(look.log.read(header, header.base - FRAMES_START, end))
        if scan is None or scan.tail != "corrupt":
            return None
        advice = f"What was committed up to LSN {scan.end} is whole"
        return CorruptionError(look.log.path, scan.bad_offset, "a whole frame", scan.detail, advice)

    # ---- the archive

    def _archived(self, base: int) -> Iterator[Frame]:
        """The frames of the archive below the log's base; ForgottenError if some are missing.

        With the archive alone its end is no gap, if it ends behind a generation.
        """
        while self.position < base:
            before = self.position
            firsts = segments_in(self._directory.list())
            older = [first for first in firsts if first <= before]
            if older:
                yield from self._from_segment(older[-1], base)
            if self.position == before:
                later = [first for first in firsts if before < first < base]
                if self._alone and not later:
                    self._refuse_rest(older)
                    return
                raise self._forgotten(before, min([*later, base]))

    def _from_segment(self, first: int, base: int) -> Iterator[Frame]:
        try:
            file = self._directory.open(segment_name(first), write=False)
        except FileNotFoundError:
            return  # it was removed just now
        try:
            place = self._place
            if place is None or place.first != first:
                place = Place(first, read_head(self._directory, file, first)[0].size, first)
            while place.lsn < base:
                section = read_section(file, place.offset)
                if section is None or section.header.base != place.lsn:
                    return
                frames, damage = self._section_frames(file, place, section)
                for frame in frames:
                    if frame.end > self.position:
                        self.position = frame.end
                        yield frame
                if damage is not None:
                    raise damage
                place = Place(first, place.offset + section.size, section.following)
                self._place = place
                self.position = max(self.position, place.lsn)
        finally:
            file.close()

    def _refuse_rest(self, firsts: list[int]) -> None:
        """CorruptionError if the last of these segments has more than was read of it."""
        place = self._place
        if place is None or place.first != firsts[-1]:
            return
        file = self._directory.open(segment_name(place.first), write=False)
        try:
            size = file.size()
        finally:
            file.close()
        if size > place.offset:
            what = "a generation of the log, or the end"
            raise self._damaged(place.first, place.offset, what, "neither", self.position)

    def _section_frames(
        self, file: File, place: Place, section: Section
    ) -> tuple[list[Frame], CorruptionError | None]:
        """Those that are whole, and what is to be raised behind them."""
        if section.following <= self.position:
            return [], None
        header = section.header
        area = read_up_to(file, section.end - header.base, place.offset + SECTION_SIZE)
        walked = walk(area, header, header.base, initial_chain(header.salt))
        if walked.end == section.end:
            return walked.frames, None
        offset = place.offset + SECTION_SIZE + walked.end - header.base
        what = f"the frame of LSN {walked.end}"
        return walked.frames, self._damaged(place.first, offset, what, walked.detail, walked.end)

    def _damaged(
        self, first: int, offset: int, expected: str, found: str, whole: int
    ) -> CorruptionError:
        advice = f"What was committed up to LSN {whole} is whole"
        if not self._to_the_end:
            advice = f"Everything up to it was given; {READ_ANEW}"
        path = f"{self.path}/{segment_name(first)}"
        return CorruptionError(path, offset, expected, found, advice)

    # ---- where to begin

    def _begin_at(self, start: int | None) -> Beginning:
        for _ in range(_TRIES):
            try:
                return self._begin(start)
            except FileNotFoundError as error:
                if LOG_NAME in str(error.filename or LOG_NAME):
                    raise
                # else a segment that was removed just now
        raise self._forgotten(start or 0, start or 0)

    def _begin(self, start: int | None) -> Beginning:
        if self._alone:
            first = first_segment(self._directory, start, LARGEST_FILE)
            if first is None:
                raise self._forgotten(start or 0, start or 0)
            return Beginning(first, None)
        look = self._look()
        try:
            header, log = look.header, look.log
            room = max(0, log.size() - FRAMES_START)
            if start is not None and not 0 <= start <= header.base + room:
                raise ValidationError(
                    f"{self.path}: its log never had a position {start}: it ends at or before LSN"
                    f" {header.base + room}"
                )
            first = first_segment(self._directory, start, header.base)
            if start is not None and start < header.base and first is None:
                raise self._forgotten(
                    start, first_segment(self._directory, None, header.base) or header.base
                )
            known = self._catalog_in(look) if start is None or start >= header.base else None
            if first is None or (known is not None and start is not None):
                return Beginning(header.base, known)
            file = self._directory.open(segment_name(first), write=False)
            try:
                return Beginning(first, read_head(self._directory, file, first)[1])
            finally:
                file.close()
        finally:
            look.log.close()

    def _catalog_in(self, look: _Look) -> bytes | None:
        """The catalog where the log begins, if that is the one that stands in its file now.

        So it is if no frame of the log writes it.
        """
        files = DataFiles(self._directory, write=False)
        try:
            catalog = files.catalog()
        finally:
            files.close()
        header = look.header
        end = header.base + max(0, look.log.size() - FRAMES_START)
        area = look.log.read(header, header.base, end)
        walked = walk(area, header, header.base, initial_chain(header.salt))
        if any(o.name == CATALOG_NAME for frame in walked.frames for o in frame.operations()):
            return None
        again = self._look()
        again.log.close()
        return catalog if again.header == header else None

    def _forgotten(self, start: int, end: int) -> ForgottenError:
        return ForgottenError(self.path, start, end, READ_ANEW)

    def _unreadable(self, path: str, error: OSError) -> DirectoryError:
        missing = isinstance(error, FileNotFoundError) and error.filename
        what = f"there is no {LOG_NAME}" if missing and LOG_NAME in str(missing) else str(error)
        return DirectoryError(f"{path}: cannot follow the directory: {what}")
