"""Field types: what a value may be, and its fixed-width bytes.  Here the base and Bazoola's types.

Pure.  Every type has a width in bytes.  A value that could read back as something else is refused
before it is stored; bytes that no value gives are a ValueError when read, and the row codec makes
of it an error that names file and offset.

Invariant: ``deserialize(serialize(v)) == v`` for every accepted value, except that trailing spaces
of a CHAR are insignificant and bytes come back as text.
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, NamedTuple, Self, Unpack

from .declared import NOTHING, Declared, Options, Told, declare
from .errors import ValidationError, mismatch, shown_value

DEFAULT_INT_WIDTH = 9
_WIDEST_INT = 640
"""As many digits as Python converts whatever its limit is set to."""
RESTRICT, CASCADE, SET_NULL, KEEP = ON_DELETE = ("restrict", "cascade", "set_null", "keep")
"""What becomes of rows that refer to one that is deleted."""
TEXT_WIDTH = 9
"""Width of a TEXT's offset in the row and of its length in the text file, in every directory."""


class NullNotAllowed(ValueError):
    """The bytes say NULL, the field allows none."""

    def __init__(self) -> None:
        super().__init__("Inconsistent data")


def utf8(value: str | bytes) -> bytes:
    """The value's UTF-8 bytes; ValidationError for anything that is not text in UTF-8."""
    try:
        if isinstance(value, str):
            return value.encode()
        value.decode()
    except UnicodeError as error:
        raise ValidationError(f"The value is not valid UTF-8: `{shown_value(value)}`") from error
    return bytes(value)


def parse_int(data: bytes) -> int:
    """The number in a column: ``-`` if negative, ASCII digits, then spaces; else ValueError.

    ``int`` alone would make a number of damaged bytes such as `` 1``, ``1_0`` or ``+1``.
    """
    digits = data.rstrip(b" ")
    if not digits.removeprefix(b"-").isdigit():
        raise ValueError(f"not a number: {data!r}")
    return int(digits)


class FieldType(ABC):
    """Base of all types; subclass it for your own.

    ``size`` is the width in bytes.  A subclass says what it accepts in ``validate_type`` (raise
    ValidationError), turns a value or None into exactly ``size`` bytes in ``serialize``, and
    reads it back in ``deserialize``, which is given bytes and a start and returns the value and
    the end.  The catalog knows it by its class name, size and null.

    ``check`` is asked about every value but NULL and refuses it by a false result, a ValueError or
    a ValidationError.  ``default`` is for a row that leaves the field out: a value, or a callable
    that gives one for each such row.
    """

    unique = Told("unique")
    index = Told("index")
    default = Told("default")
    check = Told("check")

    def __init__(
        self,
        size: int,
        null: bool = False,
        *,
        unique: bool = False,
        index: bool = False,
        default: Any = NOTHING,
        check: Callable[[Any], Any] | None = None,
    ) -> None:
        if type(size) is not int or size <= 0:
            raise ValidationError("Size of the field should be greater than 0")
        self.size = size
        self.null = bool(null)
        self.params: dict[str, Any] = {}
        declare(self, Declared(unique, index, default, check))

    @abstractmethod
    def serialize(self, val: Any) -> bytes:
        """The bytes of a value that was validated, or of None: exactly ``size`` of them."""

    @abstractmethod
    def deserialize(self, row: bytes, start: int) -> tuple[Any, int]:
        """The value that stands there, and where it ends; ValueError for bytes of no value."""

    @abstractmethod
    def validate_type(self, val: Any) -> None:
        """ValidationError unless such a value, which may be None, can be stored."""

    def validate(self, val: Any) -> None:
        """ValidationError unless the value can be stored in such a field."""
        if val is None and not self.null:
            raise ValidationError("The value can't be None")
        self.validate_type(val)

    def bind_width(self, int_width: int) -> Self:  # noqa: ARG002  the others keep their width
        """This type as it is in a directory whose integers are ``int_width`` bytes wide."""
        return self


class INT(FieldType):
    """A decimal number of at most ``size`` characters; without a size, the directory's width."""

    def __init__(
        self, size: int | None = None, null: bool = False, **options: Unpack[Options]
    ) -> None:
        super().__init__(DEFAULT_INT_WIDTH if size is None else size, null, **options)
        if self.size > _WIDEST_INT:
            raise ValidationError(f"An INT has at most {_WIDEST_INT} characters")
        self.sized = size is not None

    def bind_width(self, int_width: int) -> Self:
        if self.sized:
            return self
        result = copy.copy(self)
        result.size = int_width
        return result

    def serialize(self, val: int | None) -> bytes:
        if val is None:
            return b"#" * self.size
        return b"%d" % val + b" " * (self.size - len(b"%d" % val))

    def deserialize(self, row: bytes, start: int) -> tuple[int | None, int]:
        end = start + self.size
        data = row[start:end]
        if data == b"#" * self.size:
            if not self.null:
                raise NullNotAllowed
            return None, end
        return parse_int(data), end

    def validate_type(self, val: int | None) -> None:
        if val is None:
            return
        if isinstance(val, bool) or not isinstance(val, int):
            raise mismatch(val, "`int`")
        if not -(10 ** (self.size - 1)) < val < 10**self.size:
            most = f"{self.size} character" + "s" * (self.size > 1)
            raise ValidationError(
                f"The value is too big: `{shown_value(val)}` has more than {most}"
            )


class PK(INT):
    """The row's id: a positive number, unique in its table, given out in order if left out."""

    def __init__(self, **options: Unpack[Options]) -> None:
        super().__init__(**options)


class FK(INT):
    """The id of a row of another table, which must exist when it is stored.

    ``on_delete``, when that row is to be deleted: "restrict" refuses, "cascade" deletes this one
    too, "set_null" stores NULL here, and "keep" leaves it dangling, as Bazoola does.  None is what
    the directory has; for a new table "restrict".
    """

    on_delete: str | None

    def __init__(
        self,
        rel_name: str,
        null: bool = False,
        *,
        on_delete: str | None = None,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(null=null, **options)
        if on_delete is not None and on_delete not in ON_DELETE:
            expected = ", ".join(f'"{action}"' for action in ON_DELETE)
            raise ValidationError(f"on_delete={shown_value(on_delete)}: must be one of {expected}")
        if on_delete == SET_NULL and not null:
            raise ValidationError('on_delete="set_null" needs null=True')
        self.params["rel_name"] = rel_name
        self.on_delete = on_delete


class CHAR(FieldType):
    """Text of at most ``size`` bytes in UTF-8; trailing spaces are insignificant, as in SQL."""

    def serialize(self, val: str | bytes | None) -> bytes:
        if val is None:
            return b"\0" * self.size
        return utf8(val).ljust(self.size)

    def deserialize(self, row: bytes, start: int) -> tuple[str | None, int]:
        end = start + self.size
        data = row[start:end]
        if data[:1] == b"\0":
            if data != b"\0" * self.size:
                raise ValueError("neither text nor NULL")
            if not self.null:
                raise NullNotAllowed
            return None, end
        return data.rstrip(b" ").decode(), end

    def validate_type(self, val: str | bytes | None) -> None:
        if val is None:
            return
        if not isinstance(val, (str, bytes)):
            raise mismatch(val, "`str` or UTF-8 as `bytes`")
        data = utf8(val)
        if len(data) > self.size:
            raise ValidationError(
                f"The value is too long: `{shown_value(val)}` has {len(data)} bytes in UTF-8, and "
                f"at most {self.size} fit"
            )
        if data[:1] == b"\0":
            raise ValidationError("The value can't begin with a NUL character")


class LongType(FieldType):
    """Base of the types whose values stand in the table's text file, the offset there in the row.

    ``validate_type`` takes the value; ``serialize`` and ``deserialize`` take and give the offset.
    """

    def __init__(self, null: bool = False, **options: Unpack[Options]) -> None:
        super().__init__(TEXT_WIDTH, null, **options)

    @abstractmethod
    def to_text(self, val: Any) -> bytes:
        """A value's bytes in the text file, UTF-8; ValidationError if it cannot be stored."""

    @abstractmethod
    def from_text(self, data: bytes) -> Any:
        """The value of these bytes; ValueError if no value gives them."""

    def quick(self, val: Any) -> tuple[bytes, Any] | None:
        """A plain value's bytes and what will be read; None for any other, which may be fine."""
        try:
            data = self.to_text(val)
        except ValidationError:
            return None
        return (data, self.from_text(data)) if len(data) < 10**TEXT_WIDTH else None

    def validate_type(self, val: Any) -> None:
        size = 0 if val is None else len(self.to_text(val))
        if size >= 10**TEXT_WIDTH:
            raise ValidationError(
                f"The value is too long: it takes {size} bytes, at most {10**TEXT_WIDTH - 1} fit"
            )

    def serialize(self, val: int | None) -> bytes:
        return b"#" * TEXT_WIDTH if val is None else (b"%d" % val).ljust(TEXT_WIDTH)

    def deserialize(self, row: bytes, start: int) -> tuple[int | None, int]:
        end = start + TEXT_WIDTH
        data = row[start:end]
        if data == b"#" * TEXT_WIDTH:
            if not self.null:
                raise NullNotAllowed
            return None, end
        offset = parse_int(data)
        if offset < 0:
            raise ValueError("negative offset")
        return offset, end


class TEXT(LongType):
    """Text of any length."""

    def to_text(self, val: str | bytes) -> bytes:
        if not isinstance(val, (str, bytes)):
            raise mismatch(val, "`str` or UTF-8 as `bytes`")
        return utf8(val)

    def from_text(self, data: bytes) -> str:
        return data.decode()


class Field(NamedTuple):
    """A named column."""

    name: str
    type: FieldType

    def validate(self, val: Any) -> None:
        """ValidationError, naming the field, unless the value can be stored in it."""
        try:
            self.type.validate(val)
        except ValidationError as error:
            raise ValidationError(f"'{self.name}': {error.message}") from error
