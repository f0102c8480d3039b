"""to_char of numbers, and to_number: the format is read when the query is planned."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from antiphon.controller.sql.algebra.expressions import negation
from antiphon.controller.sql.algebra.fold import fold
from antiphon.controller.sql.binding.coercion import cast
from antiphon.controller.sql.binding.types import as_decimal
from antiphon.controller.sql.scalars.functions import Arguments, call
from antiphon.protocol.expression import Branch, Case, Expression, Literal
from antiphon.protocol.number_format import (
    NumberFormat,
    Pattern,
    UnservedPattern,
    read_number_format,
)
from antiphon.protocol.schema import (
    BOOLEAN,
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


_DIGIT: Final = "[0-9]?"
# Of each pattern the text that it takes. How many digits stand before a comma tells nothing.
_TAKEN: Final[Mapping[Pattern, str]] = MappingProxyType(
    {
        Pattern.DIGIT: _DIGIT, Pattern.ZERO: _DIGIT, Pattern.POINT: r"\.?", Pattern.COMMA: ",?",
        Pattern.SIGN: "[+-]?", Pattern.MINUS: "[- ]?", Pattern.PLUS: "[+ ]?",
        Pattern.PLUS_OR_MINUS: "[+-]?", Pattern.FILL: ""
    }
)  # fmt: skip


def read_number(arguments: Arguments, text: Expression, form_text: str) -> Expression:
    """The number that a text in the format stands for, with the digits that the format has."""
    form = format_of(arguments, form_text)
    served = (*_TAKEN, Pattern.TEXT, Pattern.BRACKETS)
    strange = [p.text for p in form.places if p.pattern not in served]
    strange += [
        p.text for p in form.places if p.pattern is Pattern.TEXT and p.text in "0123456789.<-"
    ]
    digits = form.before + form.behind
    if strange or not 1 <= digits <= DECIMAL_PRECISION_MAX:
        what = f'"{strange[0]}"' if strange else f"{digits} digits"
        raise arguments.source.unsupported(
            arguments.spots[1], f"{what} in a format of {arguments.name}"
        )
    kind = decimal(digits, form.behind)
    plain = call("regexp_replace", [text, _text("[^0-9.]"), _text(""), _text("g")], TEXT)
    number = cast(plain, kind)
    # No number has a quotation mark: the cast fails, and its message shows the text.
    stray = cast(call("concat", [_text("'"), text, _text("'")], TEXT), kind)
    follows = call("regexp_match", [text, _text(_expression(form))], BOOLEAN)
    negative = call("regexp_match", [text, _text("[-<]")], BOOLEAN)
    branches = (
        Branch(condition=fold(negation(follows)), value=stray),
        Branch(condition=negative, value=call("negate", [number], kind)),
    )
    return Case(branches=branches, otherwise=number, type=kind)


def _expression(form: NumberFormat) -> str:
    """A regular expression of the texts that follow the format."""
    parts = [
        re.escape(place.text) if place.pattern is Pattern.TEXT else _TAKEN[place.pattern]
        for place in form.places
        if place.pattern is not Pattern.BRACKETS
    ]
    signed = form.has_sign or form.plus or form.minus
    inner = "".join(parts)
    if form.brackets:
        inner = f"(?:< *{inner} *>|{inner})"
    return f"^ *{'' if signed else '-?'} *{inner} *$"


def _text(value: str) -> Literal:
    return Literal(value=value, type=TEXT)


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
