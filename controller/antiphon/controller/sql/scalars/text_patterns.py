"""What becomes other expressions: to_char's formats, concat_ws."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from antiphon.controller.sql.binding.coercion import Unknown
from antiphon.controller.sql.scalars.functions import Arguments, Builder, as_output, call
from antiphon.controller.sql.scalars.number_formats import number_text, read_number
from antiphon.controller.sql.scalars.time_texts import moment_text
from antiphon.protocol.expression import Expression, Literal
from antiphon.protocol.schema import DATE, INT32, INTERVAL, TEXT, TIMESTAMP, TIMESTAMPTZ

_MOMENTS: Final = (DATE, TIMESTAMP, TIMESTAMPTZ, INTERVAL)


def to_number(arguments: Arguments) -> Expression:
    """The number that a text is in a format that is a literal. Unlike in PostgreSQL, which guesses,
    a text that does not follow its format is an error."""
    if len(arguments.values) != 2:
        raise arguments.wrong()
    wanted = arguments.values[1]
    form = wanted.value if isinstance(wanted, Unknown | Literal) else None
    if not isinstance(form, str):
        raise arguments.source.unsupported(
            arguments.call, "to_number with a format that is not a literal"
        )
    return read_number(arguments, arguments.as_type(0, TEXT), form)


def concat_ws(arguments: Arguments) -> Expression:
    """The values that are not null, with a separator between them; null if that is null."""
    if len(arguments.values) < 2:
        raise arguments.wrong()
    separator = arguments.as_type(0, TEXT)
    nothing = Literal(value="", type=TEXT)
    parts = [
        call("coalesce", [call("concat", [separator, value], TEXT), nothing], TEXT)
        for value in (
            as_output(arguments.settled(place)) for place in range(1, len(arguments.values))
        )
    ]
    # Each value that is there has a separator before it: the first is cut off.
    one = Literal(value=1, type=INT32)
    start = call("add", [call("length", [separator], INT32), one], INT32)
    whole = parts[0] if len(parts) == 1 else call("concat", parts, TEXT)
    return call("substring", [whole, start], TEXT)


def to_char(arguments: Arguments) -> Expression:
    """A number, date, timestamp or interval in a format that is a literal."""
    if len(arguments.values) != 2:
        raise arguments.wrong()
    wanted = arguments.values[1]
    form = wanted.value if isinstance(wanted, Unknown | Literal) else None
    value = arguments.settled(0, TIMESTAMP)
    if not (value.type.is_numeric or value.type in _MOMENTS):
        raise arguments.source.unsupported(arguments.call, f"to_char of {value.type}")
    if not isinstance(form, str):
        raise arguments.source.unsupported(
            arguments.call, "to_char with a format that is not a literal"
        )
    made = number_text if value.type.is_numeric else moment_text
    return made(arguments, value, form)


FORMATTED: Final[Mapping[str, Builder]] = MappingProxyType(
    {"concat_ws": concat_ws, "to_char": to_char, "to_number": to_number}
)
