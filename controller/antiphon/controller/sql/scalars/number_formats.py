"""to_char of numbers: the format is read when the query is planned."""

from __future__ import annotations

from typing import Final

from antiphon.controller.sql.binding.coercion import cast
from antiphon.controller.sql.binding.types import as_decimal
from antiphon.controller.sql.scalars.functions import Arguments, call
from antiphon.protocol.expression import Expression, Literal
from antiphon.protocol.number_format import (
    NumberFormat,
    Pattern,
    UnservedPattern,
    read_number_format,
)
from antiphon.protocol.schema import (
    DECIMAL_PRECISION_MAX,
    FLOAT32,
    FLOAT64,
    INT32,
    TEXT,
    decimal,
)

_BESIDE_ROMAN: Final = frozenset({Pattern.ROMAN, Pattern.FILL})


def format_of(arguments: Arguments, text: str) -> NumberFormat:
    """The format that a literal is.

    Raises:
        InvalidSql, UnsupportedSql
    """
    spot = arguments.spots[1]
    try:
        form = read_number_format(text)
    except UnservedPattern as pattern:
        what = f"{pattern} in a format of {arguments.name}"
        raise arguments.source.unsupported(spot, what) from None
    except ValueError as error:
        raise arguments.source.invalid(spot, str(error)) from None
    if form.is_roman and not {place.pattern for place in form.places} <= _BESIDE_ROMAN:
        raise arguments.source.unsupported(spot, f"RN beside other patterns in {arguments.name}")
    return form


def number_text(arguments: Arguments, value: Expression, text: str) -> Expression:
    """A number in a format."""
    form = format_of(arguments, text)
    if value.type.is_float and not form.is_roman:
        if form.shift:
            if value.type == FLOAT32:
                what = "V in a format of real"
                raise arguments.source.unsupported(arguments.spots[1], what)
            factor = Literal(value=float(10**form.shift), type=FLOAT64)
            value = call("multiply", [value, factor], FLOAT64)
    else:
        value = _rounded(value, 0 if form.is_roman else form.behind + form.shift)
    return call("number_text", [value, Literal(value=text, type=TEXT)], TEXT)


def _rounded(value: Expression, digits: int) -> Expression:
    """As a decimal with so many digits behind the point."""
    if value.type.is_float:
        value = cast(value, decimal(DECIMAL_PRECISION_MAX, 6))
    value = cast(value, as_decimal(value.type))
    kind = value.type
    digits = min(digits, DECIMAL_PRECISION_MAX)
    wanted = decimal(
        min(max(kind.precision - kind.scale + 1 + digits, 1), DECIMAL_PRECISION_MAX), digits
    )
    if digits >= kind.scale:
        return cast(value, wanted)
    return call("round", [value, Literal(value=digits, type=INT32)], wanted)
