"""Giving expressions the types that their place asks for.

A literal without a type of its own (`'x'`, `NULL`) is `Unknown` until its place decides. Casts are
explicit in plans, so every implicit one is written down here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from antiphon.controller.sql.algebra.fold import cast_value, fold
from antiphon.controller.sql.binding.types import (
    assignable,
    castable,
    check_depth,
    common_type,
    is_nameless,
    parts_of_type,
    widens,
)
from antiphon.controller.sql.parsing.literal_text import read_value
from antiphon.controller.sql.parsing.source import Source, Spot
from antiphon.protocol.expression import Call, Cast, Expression, Literal
from antiphon.protocol.schema import (
    INTEGERS,
    TEXT,
    Column,
    Type,
    TypeKind,
    decimal,
    list_of,
    struct_of,
)


@dataclass(frozen=True, slots=True)
class Unknown:
    """A quoted string or NULL whose type its place decides."""

    value: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsettled(Unknown):
    """A list or a struct that is spelled out, with parts whose types its place decides; a list has
    no `names`."""

    value: None = None
    parts: tuple[Typed, ...]
    spots: tuple[Spot, ...]
    names: tuple[str, ...] = ()

    @property
    def is_list(self) -> bool:
        return not self.names


Typed = Expression | Unknown


def cast(expression: Expression, wanted: Type) -> Expression:
    """`expression` as `wanted`, folded if it is constant."""
    if expression.type == wanted:
        return expression
    if isinstance(expression, Call) and expression.function in ("list", "struct"):
        kinds = parts_of_type(wanted, len(expression.arguments))
        pairs = zip(expression.arguments, kinds, strict=True) if kinds else ()
        parts = tuple(cast(part, kind) for part, kind in pairs)
        if parts:
            return fold(Call(function=expression.function, arguments=parts, type=wanted))
    return fold(Cast(input=expression, type=wanted))


def settle(source: Source, spot: Spot, typed: Typed, wanted: Type = TEXT) -> Expression:
    """`typed` with its own type; an unknown one becomes `wanted`.

    Raises:
        TypeMismatch: the text is no value of `wanted`.
    """
    if not isinstance(typed, Unknown):
        return typed
    if isinstance(typed, Unsettled):
        return _settle_parts(source, spot, typed, wanted)
    if typed.value is None:
        return Literal(value=None, type=wanted)
    try:
        return Literal(value=read_value(typed.value, wanted), type=wanted)
    except ValueError as error:
        raise source.mismatch(spot, str(error)) from None


def _settle_parts(source: Source, spot: Spot, typed: Unsettled, wanted: Type) -> Expression:
    """The parts without a type as what `wanted` has in their place, the others as they are."""
    if typed.is_list:
        return _settle_list(source, spot, typed, wanted.element)
    names, kinds = typed.names, parts_of_type(wanted, len(typed.names))
    if wanted.fields and kinds and is_nameless(names):
        names = tuple(field.name for field in wanted.fields)
    if not wanted.fields or not kinds:
        kinds = [TEXT] * len(names)
    parts = [
        settle(source, where, part, kind)
        for where, part, kind in zip(typed.spots, typed.parts, kinds, strict=True)
    ]
    whole = struct_of(*(Column(name=n, type=p.type) for n, p in zip(names, parts, strict=True)))
    check_depth(source, spot, whole)
    return fold(Call(function="struct", arguments=tuple(parts), type=whole))


def _settle_list(source: Source, spot: Spot, typed: Unsettled, wanted: Type | None) -> Expression:
    """As `_settle_parts`; `wanted`: the type of elements, if the place says it."""
    what = "the elements of an array"
    if not typed.parts:
        if wanted is None:
            raise source.mismatch(spot, "the type of an empty array is unknown; cast it: []::int[]")
        return Literal(value=(), type=list_of(wanted))
    parts: Sequence[Typed] = typed.parts
    if wanted is not None:
        pairs = zip(typed.spots, parts, strict=True)
        parts = [settle(source, where, part, wanted) for where, part in pairs]
    values, element = unify(source, typed.spots, parts, what)
    check_depth(source, spot, list_of(element))
    return fold(Call(function="list", arguments=values, type=list_of(element)))


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
    if not isinstance(expression, Literal) and _reads_nested(expression.type, wanted):
        raise source.unsupported(spot, f"a cast to {wanted} of text that is no literal")
    return _checked_cast(source, spot, expression, wanted)


def _reads_nested(given: Type, wanted: Type) -> bool:
    """Whether a cast reads out of text what the replica does not: structs, and lists of lists."""
    if given.element is not None and wanted.element is not None:
        return _reads_nested(given.element, wanted.element)
    if given == TEXT:
        return bool(wanted.fields) or (wanted.element is not None and wanted.element.is_nested)
    pairs = zip(given.fields, wanted.fields, strict=False)
    return any(_reads_nested(one.type, other.type) for one, other in pairs)


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
    common = _common(source, spots, typed, what)
    wanted = TEXT if common is None else common
    unified = tuple(
        cast(settle(source, spot, item, wanted), wanted)
        for spot, item in zip(spots, typed, strict=True)
    )
    return unified, wanted


def _common(
    source: Source, spots: Sequence[Spot], typed: Sequence[Typed], what: str
) -> Type | None:
    """The type they have in common; None if none of them has one.

    Raises:
        TypeMismatch
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
    unsettled = [(s, i) for s, i in zip(spots, typed, strict=True) if isinstance(i, Unsettled)]
    return _common_nested(source, unsettled, common, what) if unsettled else common


def _common_nested(
    source: Source, unsettled: list[tuple[Spot, Unsettled]], common: Type | None, what: str
) -> Type | None:
    """As `_common`, of lists, or structs, with parts that have no type, and the type of those that
    have one."""
    spot, first = unsettled[0]
    alike = all(
        i.is_list == first.is_list and len(i.names) == len(first.names) for _, i in unsettled
    )
    kinds = () if common is None else parts_of_type(common, len(first.names) or 1)
    if not alike or (
        common is not None and (not kinds or first.is_list != (common.element is not None))
    ):
        raise source.mismatch(spot, f"{what} have no type in common")
    places = range(1 if first.is_list else len(first.names))
    found: list[Type] = []
    for place in places:
        members: list[tuple[Spot, Typed]] = []
        if kinds:
            members.append((spot, Literal(value=None, type=kinds[place])))
        for _, item in unsettled:
            inside = list(zip(item.spots, item.parts, strict=True))
            members += inside if item.is_list else inside[place : place + 1]
        kind = _common(source, [s for s, _ in members], [t for _, t in members], what)
        if kind is None and not members:
            return None  # empty lists alone
        found.append(TEXT if kind is None else kind)
    if first.is_list:
        return list_of(found[0])
    named = [i.names for _, i in unsettled if not is_nameless(i.names)]
    if common is not None and common.fields and not is_nameless([f.name for f in common.fields]):
        named.append(tuple(field.name for field in common.fields))
    if any(names != named[0] for names in named):
        raise source.mismatch(spot, f"{what} cannot have structs with different fields")
    names = named[0] if named else first.names
    return struct_of(*(Column(name=n, type=k) for n, k in zip(names, found, strict=True)))


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
