"""The field type for exact decimal numbers, such as amounts of money.

Pure.  Digits are moved as text, never calculated with, so no decimal context rounds them.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any, Unpack

from .declared import Options
from .errors import ValidationError, mismatch, shown_value
from .fields import FieldType, NullNotAllowed

MOST_DIGITS = 640
"""As many as an INT may have."""


def decimal_width(digits: int, places: int) -> int:
    """How many bytes such a number takes: a sign, a digit before the point at least, and all."""
    return 1 + max(digits - places, 1) + (1 + places if places else 0)


class DECIMAL(FieldType):
    """A number of at most ``digits`` digits, of which ``places`` stand behind the point.

    Takes a ``Decimal`` or an ``int`` and gives a ``Decimal`` with exactly so many places.  Nothing
    is ever rounded: a value that needs more places is refused.
    """

    def __init__(
        self, digits: int, places: int = 0, null: bool = False, **options: Unpack[Options]
    ) -> None:
        if type(digits) is not int or not 0 < digits <= MOST_DIGITS:
            raise ValidationError(f"A DECIMAL has from 1 to {MOST_DIGITS} digits")
        if type(places) is not int or not 0 <= places <= digits:
            raise ValidationError(f"A DECIMAL of {digits} digits has from 0 to {digits} places")
        super().__init__(decimal_width(digits, places), null, **options)
        self.params |= {"digits": digits, "places": places}
        self._digits = digits
        self._places = places
        before = max(digits - places, 1)
        behind = rf"\.[0-9]{{{places}}}" if places else ""
        self._text = re.compile(rf"(-?(0|[1-9][0-9]{{0,{before - 1}}}){behind}) *\Z".encode())

    def serialize(self, val: Decimal | int | None) -> bytes:
        if val is None:
            return b"#" * self.size
        return self._write(val).ljust(self.size)

    def deserialize(self, row: bytes, start: int) -> tuple[Decimal | None, int]:
        end = start + self.size
        data = row[start:end]
        if data == b"#" * self.size:
            if not self.null:
                raise NullNotAllowed
            return None, end
        match = self._text.match(data)
        if match is None:
            raise ValueError(f"not a decimal number: {data!r}")
        value = Decimal(match[1].decode())
        try:
            written = self._write(value)
        except ValidationError as error:  # a digit before the point where none may be
            raise ValueError(error.message) from error
        if written != match[1]:  # -0
            raise ValueError(f"not as it would be written: {data!r}")
        return value, end

    def validate_type(self, val: Decimal | int | None) -> None:
        if val is not None:
            self._write(val)

    def quick(self, val: Any) -> tuple[bytes, Decimal] | None:
        """A plain value's bytes and what will be read; None for any other, which may be fine."""
        if type(val) is not Decimal and type(val) is not int:
            return None
        try:
            data = self._write(val)
        except ValidationError:
            return None
        return data, Decimal(data.decode())

    def scaled(self, val: Decimal | int) -> str:
        """The digits of the value times ``10**places``, with ``-`` if negative."""
        if isinstance(val, float):
            raise ValidationError(
                f"Type mismatch: `{shown_value(val)}` is a `float`, which is seldom the exact "
                f"number that is meant: give `Decimal({str(val)!r})`"
            )
        if isinstance(val, bool) or not isinstance(val, (int, Decimal)):
            raise mismatch(val, "`Decimal` or `int`")
        if isinstance(val, int) and not -(10**self._digits) < val < 10**self._digits:
            raise self._too_big(val)
        sign, figures, exponent = Decimal(val).as_tuple()
        if not isinstance(exponent, int):
            raise ValidationError(f"The value is not a number: `{shown_value(val)}`")
        if not any(figures):
            return "0"
        digits = "".join(map(str, figures)).lstrip("0")
        shift = exponent + self._places
        if len(digits) + shift > self._digits:
            raise self._too_big(val)
        if shift >= 0:
            digits += "0" * shift
        elif digits[shift:].strip("0"):
            raise ValidationError(
                f"The value has more than {self._places} decimal places: `{shown_value(val)}`"
            )
        else:
            digits = digits[:shift]
        return f"-{digits}" if sign else digits

    def _too_big(self, val: Decimal | int) -> ValidationError:
        return ValidationError(
            f"The value is too big: `{shown_value(val)}` has more than "
            f"{self._digits - self._places} digits before the point"
        )

    def _write(self, val: Decimal | int) -> bytes:
        text = self.scaled(val)
        digits = text.removeprefix("-").rjust(self._places + 1, "0")
        if self._places:
            digits = f"{digits[: -self._places]}.{digits[-self._places :]}"
        return (f"-{digits}" if text[0] == "-" else digits).encode()
