"""Field types for true and false, days, and moments.

Pure.  All have one way to be written, ISO 8601 as ``isoformat`` gives it, so that they read well
and sort as text.  What is not written exactly so is no value.
"""

from __future__ import annotations

from abc import abstractmethod
from datetime import UTC, date, datetime
from typing import Any, Unpack

from .declared import Options
from .errors import ValidationError, mismatch, shown_value
from .fields import FieldType, NullNotAllowed

_DATE_WIDTH = len("2026-11-26")
_DATETIME_WIDTH = len("2026-11-26 15:33:10.123456")


class _Fixed(FieldType):
    """A type all of whose values are equally wide; NULL is ``#`` in every byte."""

    def serialize(self, val: Any) -> bytes:
        return b"#" * self.size if val is None else self._write(val)

    def deserialize(self, row: bytes, start: int) -> tuple[Any, int]:
        end = start + self.size
        data = row[start:end]
        if data == b"#" * self.size:
            if not self.null:
                raise NullNotAllowed
            return None, end
        try:
            value = self._read(data)
            written = self._write(value)
        except ValidationError as error:
            raise ValueError(error.message) from error
        if written != data:
            raise ValueError(f"not as it would be written: {data!r}")
        return value, end

    @abstractmethod
    def _write(self, val: Any) -> bytes: ...

    @abstractmethod
    def _read(self, data: bytes) -> Any: ...


class BOOL(_Fixed):
    """True or False: ``T`` or ``F``."""

    def __init__(self, null: bool = False, **options: Unpack[Options]) -> None:
        super().__init__(1, null, **options)

    def validate_type(self, val: bool | None) -> None:
        if val is not None and not isinstance(val, bool):
            raise mismatch(val, "`bool`")

    def _write(self, val: bool) -> bytes:
        return b"T" if val else b"F"

    def _read(self, data: bytes) -> bool:
        return data == b"T"


class DATE(_Fixed):
    """A day of the years 1 to 9999, a ``datetime.date``: ``2026-11-26``."""

    def __init__(self, null: bool = False, **options: Unpack[Options]) -> None:
        super().__init__(_DATE_WIDTH, null, **options)

    def validate_type(self, val: date | None) -> None:
        if val is None:
            return
        if isinstance(val, datetime):
            shown = shown_value(val)
            raise ValidationError(f"Type mismatch: `{shown}` has a time: give its `.date()`")
        if not isinstance(val, date):
            raise mismatch(val, "`date`")

    def _write(self, val: date) -> bytes:
        return date(val.year, val.month, val.day).isoformat().encode()

    def _read(self, data: bytes) -> date:
        return date.fromisoformat(data.decode("ascii"))


class DATETIME(_Fixed):
    """A day and time to the microsecond: ``2026-11-26 15:33:10.123456``.

    Without ``utc`` it takes a datetime without a time zone, and gives it back as it is.  With
    ``utc=True`` it takes one with a time zone, stores that moment in UTC, with ``Z`` behind it, and
    gives it back in UTC.  Neither takes the other's, as the same digits mean different moments.
    """

    def __init__(
        self, null: bool = False, *, utc: bool = False, **options: Unpack[Options]
    ) -> None:
        if type(utc) is not bool:
            raise ValidationError(f"utc={shown_value(utc)}: must be True or False")
        super().__init__(_DATETIME_WIDTH + utc, null, **options)
        self.params["utc"] = utc
        self._utc = utc

    def validate_type(self, val: datetime | None) -> None:
        if val is not None:
            self.stored(val)

    def stored(self, val: datetime) -> datetime:
        """What will be read; ValidationError if it cannot be stored."""
        if not isinstance(val, datetime):
            raise mismatch(val, "`datetime`")
        zoned = val.utcoffset() is not None
        if self._utc and not zoned:
            raise ValidationError(
                f"Type mismatch: `{shown_value(val)}` has no time zone, but DATETIME(utc=True) "
                "stores moments: give one with a time zone, such as `datetime.now(UTC)`"
            )
        if zoned and not self._utc:
            raise ValidationError(
                f"Type mismatch: `{shown_value(val)}` has a time zone, and DATETIME() has none: "
                "declare DATETIME(utc=True), or give `.replace(tzinfo=None)`"
            )
        if type(val) is not datetime and getattr(val, "nanosecond", False):
            raise ValidationError(f"The value is finer than a microsecond: `{shown_value(val)}`")
        try:
            moment = val.astimezone(UTC) if self._utc else val
        except OverflowError as error:
            raise ValidationError(
                f"The value is outside the years 1 to 9999 in UTC: `{shown_value(val)}`"
            ) from error
        day = moment.year, moment.month, moment.day
        time = moment.hour, moment.minute, moment.second, moment.microsecond
        return datetime(*day, *time, tzinfo=UTC if self._utc else None)

    def quick(self, val: Any) -> tuple[bytes, datetime] | None:
        """A plain value's bytes and what will be read; None for any other, which may be fine."""
        if type(val) is not datetime or val.fold:
            return None
        if self._utc:
            if val.tzinfo is not UTC:
                return None
        elif val.tzinfo is not None:
            return None
        return self._write(val), val

    def _write(self, val: datetime) -> bytes:
        plain = type(val) is datetime and val.tzinfo is (UTC if self._utc else None)
        moment = val if plain else self.stored(val)
        text = moment.isoformat(" ", "microseconds")[:_DATETIME_WIDTH]
        return f"{text}Z".encode() if self._utc else text.encode()

    def _read(self, data: bytes) -> datetime:
        text = data.decode("ascii")
        value = datetime.fromisoformat(text)
        return value.replace(tzinfo=UTC) if self._utc else value
