"""Reading values of every type from text, and writing some back: PostgreSQL's input formats.

Used for literals without a type (`'2026-01-01'` beside a date), casts of literals, and `INSERT`.
Raises `ValueError` with a message for people; callers add the place.
"""

from __future__ import annotations

import math
import re
import struct
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Context, Decimal, InvalidOperation
from types import MappingProxyType
from typing import Final

from antiphon.controller.sql.parsing.interval_text import read_interval
from antiphon.controller.sql.parsing.nested_text import read_nested
from antiphon.protocol.expression import Value
from antiphon.protocol.schema import INTEGERS, Type, TypeKind

INTEGER_BITS: Final = MappingProxyType({TypeKind.INT16: 16, TypeKind.INT32: 32, TypeKind.INT64: 64})
MICROSECONDS: Final = 1_000_000
DAY_MICROSECONDS: Final = 86_400 * MICROSECONDS
_EPOCH: Final = date(1970, 1, 1)
_EPOCH_TIME: Final = datetime(1970, 1, 1)
_WIDE: Final = Context(prec=80)
_ZONE_HOURS_MAX: Final = 15

_TRUE: Final = frozenset({"t", "tr", "tru", "true", "y", "ye", "yes", "on", "1"})
_FALSE: Final = frozenset({"f", "fa", "fal", "fals", "false", "n", "no", "of", "off", "0"})
_INTEGER: Final = re.compile(r"[+-]?\d+", re.ASCII)
_NUMBER: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_DATE: Final = re.compile(r"(\d{4,6})-(\d{1,2})-(\d{1,2})", re.ASCII)
_TIMESTAMP: Final = re.compile(
    r"(\d{4,6}-\d{1,2}-\d{1,2})"
    r"(?:[ T]+(\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:\.(\d+))?)?)?"
    r"\s*(Z|z|UTC|utc|[+-]\d{1,2}(?::?\d{2})?)?",
    re.ASCII,
)
_PAIRS: Final = r"[0-9a-fA-F]{4}(?:-?[0-9a-fA-F]{4}){7}"
_UUID: Final = re.compile(rf"{_PAIRS}|\{{{_PAIRS}\}}")
_WITH_BLANKS: Final = (TypeKind.BYTEA, TypeKind.UUID)  # which are no part of other values
_FLOAT_NAMES: Final = MappingProxyType(
    {
        "nan": math.nan, "infinity": math.inf, "inf": math.inf, "+infinity": math.inf,
        "-infinity": -math.inf, "-inf": -math.inf,
    }
)  # fmt: skip


def read_value(text: str, kind: Type) -> Value:
    """`text` as a value of `kind`.

    Raises:
        ValueError: it is none, or does not fit.
    """
    if kind.is_nested:
        return read_nested(text, kind, read_value)
    reader = _READERS.get(kind.kind)
    if reader is None:
        raise ValueError(f"a literal cannot be read as {kind}")
    if kind.kind is TypeKind.TEXT:
        return text
    try:
        return reader(text if kind.kind in _WITH_BLANKS else text.strip(), kind)
    except (ArithmeticError, OverflowError) as error:
        raise ValueError(f'"{text}" is out of range for {kind}') from error


def narrow(value: float) -> float:
    """The float of 32 bits that is nearest.

    Raises:
        OverflowError: there is none.
    """
    nearest: float = struct.unpack("f", struct.pack("f", value))[0]
    if math.isinf(nearest) and not math.isinf(value):
        raise OverflowError(f"{value} is too large for a float of 32 bits")
    return nearest


def fit_text(text: str, length: int) -> str:
    """A text as it is written where there is room for so many characters.

    Raises:
        ValueError: it is longer, and not only by blanks at its end.
    """
    if len(text) <= length:
        return text
    if text[length:].strip(" "):
        raise ValueError(f"value too long for type character varying({length})")
    return text[:length]


def fit_integer(value: int, kind: Type) -> int:
    half = 1 << (INTEGER_BITS[kind.kind] - 1)
    if not -half <= value < half:
        raise ValueError(f"{value} is out of range for {kind}")
    return value


def fit_decimal(value: Decimal, kind: Type) -> Decimal:
    """Rounded half away from zero to the type's scale.

    Raises:
        ValueError: more digits before the point than the type has.
    """
    if not value.is_finite():
        raise ValueError(f"{value} is not a value of {kind}")
    rounded = value.quantize(Decimal(1).scaleb(-kind.scale), ROUND_HALF_UP, _WIDE)
    if len(rounded.as_tuple().digits) > kind.precision and rounded:
        raise ValueError(f"{value} is out of range for {kind}")
    # Without a negative zero; every other operator would round to the context's 28 digits.
    return _WIDE.plus(rounded)


def write_value(value: Value, kind: Type) -> str | None:
    """`value` as its cast to text gives it, or None where the replica alone knows how."""
    match kind.kind:
        case TypeKind.BOOLEAN:
            return "true" if value else "false"
        case TypeKind.TEXT:
            return str(value)
        case TypeKind.DECIMAL:
            assert isinstance(value, Decimal), f"not a decimal: {value!r}"
            return f"{value:f}"
        case TypeKind.DATE:
            assert isinstance(value, int), f"not a date: {value!r}"
            return (_EPOCH + timedelta(days=value)).isoformat()
        case _ if kind.kind in INTEGERS:
            return str(value)
        case _:
            return None


def _boolean(text: str, kind: Type) -> Value:
    folded = text.lower()
    if folded in _TRUE:
        return True
    if folded in _FALSE:
        return False
    raise _not(text, kind)


def _integer(text: str, kind: Type) -> Value:
    if not _INTEGER.fullmatch(text):
        raise _not(text, kind)
    return fit_integer(int(text), kind)


def _decimal(text: str, kind: Type) -> Value:
    if not _NUMBER.fullmatch(text):
        raise _not(text, kind)
    try:
        return fit_decimal(Decimal(text), kind)
    except InvalidOperation:
        raise ValueError(f"{text} is out of range for {kind}") from None


def _float(text: str, kind: Type) -> Value:
    named = _FLOAT_NAMES.get(text.lower())
    if named is not None:
        return named
    if not _NUMBER.fullmatch(text):
        raise _not(text, kind)
    value = float(text)
    if kind.kind is TypeKind.FLOAT32:
        value = narrow(value)
    if math.isinf(value):
        raise ValueError(f"{text} is out of range for {kind}")
    return value


def _date(text: str, kind: Type) -> Value:
    match = _DATE.fullmatch(text)
    if match is None:
        # A timestamp's date is a date too.
        if _TIMESTAMP.fullmatch(text) is None:
            raise _not(text, kind)
        _timestamp(text, kind)
        match = _DATE.match(text)
    assert match is not None, f"no date: {text}"
    year, month, day = (int(part) for part in match.groups())
    return _days(year, month, day, text)


def _days(year: int, month: int, day: int, text: str) -> int:
    try:
        return (date(year, month, day) - _EPOCH).days
    except ValueError:
        raise ValueError(f'date out of range: "{text}"') from None


def _timestamp(text: str, kind: Type) -> Value:
    match = _TIMESTAMP.fullmatch(text)
    if match is None:
        raise _not(text, kind)
    day, hour, minute, second, fraction, zone = match.groups()
    year, month, day_of_month = (int(part) for part in day.split("-"))
    days = _days(year, month, day_of_month, text)
    hours, minutes, seconds = int(hour or 0), int(minute or 0), int(second or 0)
    clock = ((hours * 60 + minutes) * 60 + seconds) * MICROSECONDS
    clock += int((Decimal(f"0.{fraction or 0}") * MICROSECONDS).quantize(1, ROUND_HALF_EVEN, _WIDE))
    # 24:00:00 is the next day's beginning, and a 60th second the next minute's.
    if minutes > 59 or seconds > 60 or hours > 24 or (hours == 24 and clock > DAY_MICROSECONDS):
        raise ValueError(f'time out of range: "{text}"')
    micros = days * DAY_MICROSECONDS + clock
    if zone is not None and kind.kind is TypeKind.TIMESTAMPTZ:
        micros -= _zone_seconds(zone) * MICROSECONDS
    return micros


def _zone_seconds(zone: str) -> int:
    if zone.lower() in ("z", "utc"):
        return 0
    digits = zone[1:].replace(":", "")
    hours, minutes = (digits, "0") if len(digits) < 3 else (digits[:-2], digits[-2:])
    if int(hours) > _ZONE_HOURS_MAX or int(minutes) > 59:
        raise ValueError(f'time zone displacement out of range: "{zone}"')
    seconds = int(hours) * 3600 + int(minutes) * 60
    return -seconds if zone[0] == "-" else seconds


def _uuid(text: str, kind: Type) -> Value:
    if _UUID.fullmatch(text) is None:
        raise _not(text, kind)
    return uuid.UUID(text).bytes


def _bytea(text: str, kind: Type) -> Value:
    if text.startswith("\\x"):
        try:
            return bytes.fromhex(text[2:])
        except ValueError:
            raise _not(text, kind) from None
    if _ESCAPED.fullmatch(text) is None:
        raise _not(text, kind)
    # A backslash is two, and other bytes are three octal digits.
    found, place = bytearray(), 0
    for escape in _ESCAPE.finditer(text):
        found += text[place : escape.start()].encode()
        found.append(int(escape[1], 8) if escape[1] else ord("\\"))
        place = escape.end()
    return bytes(found + text[place:].encode())


_ESCAPE: Final = re.compile(r"\\(?:([0-3][0-7]{2})|\\)")
_ESCAPED: Final = re.compile(r"(?:[^\\]|\\\\|\\[0-3][0-7]{2})*", re.DOTALL)


def _interval(text: str, kind: Type) -> Value:
    return read_interval(text)


def to_datetime(micros: int) -> datetime:
    """A naive time of a timestamp, for calendar arithmetic.

    Raises:
        OverflowError: outside the years 1 to 9999.
    """
    return _EPOCH_TIME + timedelta(microseconds=micros)


def from_datetime(moment: datetime) -> int:
    if moment.tzinfo is not None:
        moment = moment.astimezone(UTC).replace(tzinfo=None)
    return (moment - _EPOCH_TIME) // timedelta(microseconds=1)


def _not(text: str, kind: Type) -> ValueError:
    return ValueError(f'"{text}" is not a value of type {kind}')


_READERS: Final[Mapping[TypeKind, Callable[[str, Type], Value]]] = MappingProxyType(
    {
        TypeKind.BOOLEAN: _boolean,
        TypeKind.INT16: _integer,
        TypeKind.INT32: _integer,
        TypeKind.INT64: _integer,
        TypeKind.FLOAT32: _float,
        TypeKind.FLOAT64: _float,
        TypeKind.DECIMAL: _decimal,
        TypeKind.TEXT: lambda text, kind: text,
        TypeKind.BYTEA: _bytea,
        TypeKind.DATE: _date,
        TypeKind.TIMESTAMP: _timestamp,
        TypeKind.TIMESTAMPTZ: _timestamp,
        TypeKind.INTERVAL: _interval,
        TypeKind.UUID: _uuid,
    }
)
