"""Giving expressions the types that their place asks for.

A literal without a type of its own (`'x'`, `NULL`) is `Unknown` until its place decides. Casts are
explicit in plans, so every implicit one is written down here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from antiphon.controller.sql.fold import cast_value, fold
from antiphon.controller.sql.literal_text import read_value
from antiphon.controller.sql.source import Source, Spot
from antiphon.controller.sql.types import assignable, castable, common_type, widens
from antiphon.protocol.expression import Cast, Expression, Literal
from antiphon.protocol.schema import INTEGERS, TEXT, Type, TypeKind, decimal


@dataclass(frozen=True, slots=True)
class Unknown:
    """A quoted string or NULL whose type its place decides."""

    value: str | None


Typed = Expression | Unknown


def cast(expression: Expression, wanted: Type) -> Expression:
    """`expression` as `wanted`, folded if it is constant."""
    if expression.type == wanted:
        return expression
    return fold(Cast(input=expression, type=wanted))


def settle(source: Source, spot: Spot, typed: Typed, wanted: Type = TEXT) -> Expression:
    """`typed` with its own type; an unknown one becomes `wanted`.

    Raises:
        TypeMismatch: the text is no value of `wanted`.
    """
    if not isinstance(typed, Unknown):
        return typed
    if typed.value is None:
        return Literal(value=None, type=wanted)
    try:
        return Literal(value=read_value(typed.value, wanted), type=wanted)
    except ValueError as error:
        raise source.mismatch(spot, str(error)) from None


def coerce(source: Source, spot: Spot, typed: Typed, wanted: Type, what: str) -> Expression:
    """`typed` where `wanted` is asked for, by the casts that SQL makes without being asked.

    Raises:
        TypeMismatch: `what` has another type.
    """
    expression = settle(source, spot, typed, wanted)
    if expression.type == wanted:
        return expression
    if not widens(expression.type, wanted):
        raise source.mismatch(
            spot, f"{what} has the type {expression.type}, and {wanted} is needed; cast it"
        )
    return cast(expression, wanted)


def assign(source: Source, spot: Spot, typed: Typed, wanted: Type, column: str) -> Expression:
    """`typed` as the new value of a column.

    Raises:
        TypeMismatch
    """
    expression = settle(source, spot, typed, wanted)
    if not assignable(expression.type, wanted):
        raise source.mismatch(
            spot, f'column "{column}" is {wanted}, and the value is {expression.type}; cast it'
        )
    return _checked_cast(source, spot, expression, wanted)


def explicit_cast(source: Source, spot: Spot, typed: Typed, wanted: Type) -> Expression:
    """CAST(typed AS wanted).

    Raises:
        TypeMismatch: there is no such cast, or the literal does not have such a value.
    """
    expression = settle(source, spot, typed, wanted)
    if not castable(expression.type, wanted):
        raise source.mismatch(spot, f"cannot cast {expression.type} to {wanted}")
    return _checked_cast(source, spot, expression, wanted)


def _checked_cast(source: Source, spot: Spot, expression: Expression, wanted: Type) -> Expression:
    """A literal that cannot be cast is an error now, with its place, and not a data error later."""
    if isinstance(expression, Literal) and expression.type != wanted:
        try:
            value = cast_value(expression.value, expression.type, wanted)
        except NotImplementedError:
            return Cast(input=expression, type=wanted)
        except (ValueError, ArithmeticError) as error:
            raise source.mismatch(spot, str(error)) from None
        return Literal(value=value, type=wanted)
    return cast(expression, wanted)


def unify(
    source: Source, spots: Sequence[Spot], typed: Sequence[Typed], what: str
) -> tuple[tuple[Expression, ...], Type]:
    """All of them with the one type they have in common; text if none has a type.

    Raises:
        TypeMismatch: they have none in common.
    """
    common: Type | None = None
    for spot, item in zip(spots, typed, strict=True):
        if isinstance(item, Unknown):
            continue
        joined = item.type if common is None else common_type(common, item.type)
        if joined is None:
            raise source.mismatch(
                spot, f"{what} cannot have both the types {common} and {item.type}"
            )
        common = joined
    wanted = TEXT if common is None else common
    unified = tuple(
        cast(settle(source, spot, item, wanted), wanted)
        for spot, item in zip(spots, typed, strict=True)
    )
    return unified, wanted


def unify_compared(
    source: Source, spots: tuple[Spot, Spot], left: Typed, right: Typed, operator: str
) -> tuple[Expression, Expression]:
    """Two sides of a comparison with one type. A literal adopts the other side's type where it has
    exactly that value: the column then needs no cast, and an index on it can be used.

    Raises:
        TypeMismatch
    """
    if not isinstance(left, Unknown) and not isinstance(right, Unknown):
        right = _adopt(right, left.type)
        left = _adopt(left, right.type)
        if common_type(left.type, right.type) is None:
            raise source.mismatch(
                spots[1],
                f"cannot compare {left.type} {operator} {right.type}; cast one of them",
            )
    unified, _ = unify(source, spots, (left, right), f'the sides of "{operator}"')
    return unified[0], unified[1]


def _adopt(expression: Expression, wanted: Type) -> Expression:
    """A numeric literal in an integer or decimal type, if it has exactly that value there."""
    exact = wanted.kind in INTEGERS or wanted.kind is TypeKind.DECIMAL
    if (
        not isinstance(expression, Literal)
        or expression.value is None
        or expression.type == wanted
        or not exact
        or not (expression.type.is_integer or expression.type.kind is TypeKind.DECIMAL)
    ):
        return expression
    try:
        value = cast_value(expression.value, expression.type, wanted)
    except (ValueError, NotImplementedError):
        return expression
    assert isinstance(value, int | Decimal), f"not a number: {value!r}"
    assert isinstance(expression.value, int | Decimal), f"not a number: {expression.value!r}"
    return Literal(value=value, type=wanted) if value == expression.value else expression


def snug(typed: Typed, beside: Typed) -> Typed:
    """An integer literal beside a decimal, as a decimal of no more digits than it has: the result
    then has no more either, and the other side often needs no cast."""
    if (
        isinstance(typed, Literal)
        and isinstance(typed.value, int)
        and typed.type.is_integer
        and not isinstance(beside, Unknown)
        and beside.type.kind is TypeKind.DECIMAL
    ):
        digits = len(str(abs(typed.value)))
        return Literal(value=Decimal(typed.value), type=decimal(digits, 0))
    return typed
