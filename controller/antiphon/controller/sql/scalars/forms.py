"""The expressions that have a grammar of their own: literals, tests, CASE, casts, calls.

Each handler takes the `Scalars` at work and the node. Operators on two sides are in `scalar`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from sqlglot import exp

from antiphon.controller.sql.algebra.expressions import all_of, any_of, negation
from antiphon.controller.sql.algebra.fold import fold
from antiphon.controller.sql.binding.coercion import (
    Typed,
    Unknown,
    cast,
    coerce,
    explicit_cast,
    settle,
)
from antiphon.controller.sql.binding.types import text_length, type_from_sql
from antiphon.controller.sql.parsing.interval_text import read_interval
from antiphon.controller.sql.parsing.source import near_miss
from antiphon.controller.sql.parsing.syntax import (
    WINDOW_NAMES,
    expect_only,
    function_name,
    is_row,
    name_of,
    named_arguments,
)
from antiphon.controller.sql.scalars import temporal
from antiphon.controller.sql.scalars.function_names import BUILDERS, REFUSED
from antiphon.controller.sql.scalars.functions import CLOCKS, Arguments, call
from antiphon.controller.sql.scalars.nested import NESTED_CALLS, NESTED_HANDLERS, is_list, joined
from antiphon.controller.sql.scalars.pattern_forms import PATTERN_HANDLERS, normalized
from antiphon.controller.sql.scalars.time_functions import NAMED, overlap
from antiphon.controller.sql.scalars.whole_rows import spelled_out, values_of_row
from antiphon.protocol.expression import Branch, Case, Expression, Literal
from antiphon.protocol.schema import (
    BOOLEAN,
    BYTEA,
    DECIMAL_PRECISION_MAX,
    FLOAT64,
    INT32,
    INT64,
    INTERVAL,
    TEXT,
    decimal,
)

if TYPE_CHECKING:
    from antiphon.controller.sql.scalars.scalar import Scalars

Handler = Callable[["Scalars", exp.Expr], Typed]


def _literal(scalars: Scalars, node: exp.Expr) -> Typed:
    text = str(node.this)
    if node.args.get("is_string"):
        return Unknown(text)
    if text.isdigit():
        value = int(text)
        for kind, bits in ((INT32, 31), (INT64, 63)):
            if value < 1 << bits:
                return Literal(value=value, type=kind)
    try:
        number = Decimal(text)
    except ArithmeticError:
        raise scalars.source.invalid(node, f"{text} is not a number") from None
    digits, exponent = number.as_tuple().digits, number.as_tuple().exponent
    assert isinstance(exponent, int), f"not finite: {text}"
    scale = max(-exponent, 0)
    precision = max(len(digits) + max(exponent, 0), scale, 1)
    if precision > DECIMAL_PRECISION_MAX:
        approximate = float(text)
        if "e" not in text.lower() or math.isinf(approximate):
            raise scalars.source.invalid(
                node,
                f"{text} has more than {DECIMAL_PRECISION_MAX} digits; write it as a float, with an"
                " exponent up to e308",
            )
        return Literal(value=approximate, type=FLOAT64)
    return Literal(value=number, type=decimal(precision, scale))


def _negative(scalars: Scalars, node: exp.Expr) -> Typed:
    value = scalars.typed(node.this)
    if isinstance(value, Unknown):
        raise scalars.source.mismatch(node, "the type of a negated value is unknown")
    if value.type == INTERVAL:
        return call("negate", [value], INTERVAL)
    if not value.type.is_numeric:
        raise scalars.source.mismatch(node, f"cannot negate {value.type}")
    if isinstance(value, Literal) and value.value == 1 << 31 and value.type == INT64:
        return Literal(value=-(1 << 31), type=INT32)  # the least integer has no positive
    if isinstance(value, Literal) and value.value == 1 << 63:
        return Literal(value=-(1 << 63), type=INT64)
    return call("negate", [value], value.type)


def _logic(function: str) -> Handler:
    def build(scalars: Scalars, node: exp.Expr) -> Expression:
        # Long chains are nested to the left: take them apart without recursion.
        parts = [scalars.predicate(part) for part in node.flatten()]
        return fold(all_of(parts) if function == "and" else any_of(parts))

    return build


def _not(scalars: Scalars, node: exp.Expr) -> Expression:
    return fold(negation(scalars.predicate(node.this)))


def _is(scalars: Scalars, node: exp.Expr) -> Expression:
    expect_only(scalars.source, node, "this", "expression", "negate")
    tested = node.expression
    negated = bool(node.args.get("negate"))
    if isinstance(tested, exp.Null):
        function = "is_not_null" if negated else "is_null"
        values = values_of_row(scalars, node.this)
        if is_row(node.this):
            values = spelled_out(scalars, node.this.expressions)
        if values is not None:
            return fold(all_of([call(function, [scalars.lower(v)], BOOLEAN) for v in values]))
        return call(function, [scalars.lower(node.this)], BOOLEAN)
    if isinstance(tested, exp.Boolean):
        function = "is_true" if tested.this else "is_false"
        result = call(function, [scalars.predicate(node.this)], BOOLEAN)
        return fold(negation(result)) if negated else result
    if isinstance(tested, exp.Column) and tested.sql(dialect="postgres").lower() == "normalized":
        what = "the side of IS NORMALIZED"
        text = coerce(scalars.source, node.this, scalars.typed(node.this), TEXT, what)
        form = Literal(value="NFC", type=TEXT)
        same = call("equal", [call("normalize", [text, form], TEXT), text], BOOLEAN)
        return fold(negation(same)) if negated else same
    raise scalars.source.unsupported(node, f"IS {tested.sql(dialect='postgres')}")


def _in(scalars: Scalars, node: exp.Expr) -> Expression:
    expect_only(scalars.source, node, "this", "expressions")
    tests = [
        scalars.compare_rows(node, "equal", "IN", node.this, item)
        if is_row(node.this) and is_row(item)
        else scalars.compare("equal", "IN", node.this, item)
        for item in node.expressions
    ]
    return fold(any_of(tests))


def _between(scalars: Scalars, node: exp.Expr) -> Expression:
    expect_only(scalars.source, node, "this", "low", "high", "negate", "symmetric")

    def inside(low: str, high: str) -> Expression:
        above = scalars.compare("greater_equal", "BETWEEN", node.this, node.args[low])
        below = scalars.compare("less_equal", "BETWEEN", node.this, node.args[high])
        return fold(all_of([above, below]))

    both = inside("low", "high")
    if node.args.get("symmetric"):
        both = fold(any_of([both, inside("high", "low")]))
    return fold(negation(both)) if node.args.get("negate") else both


def _bitwise(function: str) -> Handler:
    """Of integers of one type; a shift's distance may have another."""

    def build(scalars: Scalars, node: exp.Expr) -> Expression:
        expect_only(scalars.source, node, "this", "expression")
        nodes = [part for part in (node.this, node.args.get("expression")) if part is not None]
        values = scalars.members(nodes, "the sides of a bitwise operator")
        if not values[0].type.is_integer:
            raise scalars.source.mismatch(node, f"a bitwise operator of {values[0].type}")
        return call(function, values, values[0].type)

    return build


def _concatenate(scalars: Scalars, node: exp.Expr) -> Expression:
    expect_only(scalars.source, node, "this", "expression", "safe")
    nodes = list(node.flatten())
    typed = [scalars.typed(part) for part in nodes]
    if any(is_list(value) for value in typed):
        return joined(scalars, nodes, typed)
    kinds = {None if isinstance(t, Unknown) else t.type for t in typed}
    if BYTEA in kinds and kinds <= {BYTEA, None}:
        bytes_ = [
            coerce(scalars.source, n, t, BYTEA, "||") for n, t in zip(nodes, typed, strict=True)
        ]
        return call("concat", bytes_, BYTEA)
    if not any(isinstance(t, Unknown) or t.type == TEXT for t in typed):
        raise scalars.source.mismatch(node, "|| needs text on one side; cast one")
    if any(not isinstance(t, Unknown) and t.type == BYTEA for t in typed):
        raise scalars.source.unsupported(node, "|| of bytea and text", "; cast one of them")
    parts = [cast(settle(scalars.source, n, t), TEXT) for n, t in zip(nodes, typed, strict=True)]
    return call("concat", parts, TEXT)


def _case(scalars: Scalars, node: exp.Expr) -> Expression:
    expect_only(scalars.source, node, "this", "ifs", "default")
    subject = node.args.get("this")
    conditions: list[Expression] = []
    values: list[exp.Expr] = []
    for arm in node.args["ifs"]:
        if subject is None:
            conditions.append(scalars.predicate(arm.this))
        else:
            conditions.append(scalars.compare("equal", "CASE", subject, arm.this))
        values.append(arm.args["true"])
    default = node.args.get("default") or exp.Null()
    unified = scalars.members([*values, default], "the results of CASE")
    branches = tuple(
        Branch(condition=condition, value=value)
        for condition, value in zip(conditions, unified[:-1], strict=True)
    )
    return fold(Case(branches=branches, otherwise=unified[-1], type=unified[-1].type))


def _cast(scalars: Scalars, node: exp.Expr) -> Expression:
    expect_only(scalars.source, node, "this", "to")
    length = text_length(scalars.source, node.args["to"])
    if length is not None:
        # As in PostgreSQL a cast that is written out cuts what is longer.
        whole = explicit_cast(scalars.source, node, scalars.typed(node.this), TEXT)
        count = Literal(value=length, type=INT32)
        return call("left", [whole, count], TEXT)
    wanted = type_from_sql(scalars.source, node.args["to"], node)
    return explicit_cast(scalars.source, node, scalars.typed(node.this), wanted)


_BY_BYTES: Final = frozenset({"C", "POSIX", "ucs_basic"})


def _collate(scalars: Scalars, node: exp.Expr) -> Typed:
    """Text is ordered by its bytes, which is what "C" and its like mean."""
    expect_only(scalars.source, node, "this", "expression")
    name = node.expression
    name = name.this if isinstance(name, exp.Column) else name
    if not isinstance(name, exp.Identifier) or name_of(name) not in _BY_BYTES:
        hint = '; text is ordered by its bytes: COLLATE "C"'
        raise scalars.source.unsupported(node, f"COLLATE {node.expression.sql()}", hint)
    value = scalars.typed(node.this)
    if not isinstance(value, Unknown) and value.type != TEXT:
        raise scalars.source.mismatch(node, f"COLLATE needs text, not {value.type}")
    return value


def _interval(scalars: Scalars, node: exp.Expr) -> Expression:
    unit = node.args.get("unit")
    if unit is not None and " TO " in unit.name:
        raise scalars.source.unsupported(node, f"an interval with the fields {unit.name}")
    try:
        value = read_interval(node.this.name, None if unit is None else unit.name)
    except ValueError as error:
        raise scalars.source.mismatch(node, str(error)) from None
    return Literal(value=value, type=INTERVAL)


def _at_time_zone(scalars: Scalars, node: exp.Expr) -> Expression:
    expect_only(scalars.source, node, "this", "zone")
    zone, value = scalars.lower(node.args["zone"]), scalars.lower(node.this)
    return temporal.at_zone(scalars.source, node, zone, value)


def _clock(scalars: Scalars, node: exp.Expr) -> Expression:
    expect_only(scalars.source, node)
    if scalars.now_us is None:
        what = f"the current time in {scalars.statement}"
        raise scalars.source.unsupported(node, what, temporal.CLOCK_HINT)
    return temporal.clock(node, scalars.now_us)


def _function(scalars: Scalars, node: exp.Expr) -> Typed:
    expect_only(scalars.source, node, "this", "expressions")
    assert isinstance(node, exp.Anonymous), f"not a call: {node!r}"
    name = function_name(node)
    if name in NESTED_CALLS:
        return NESTED_CALLS[name](scalars, node)
    if name == "normalize":
        return normalized(scalars, node)
    if name == "age" and len(node.expressions) == 1:
        return _age_today(scalars, node)
    if name in CLOCKS and not node.expressions:
        return _clock(scalars, exp.CurrentTimestamp().update_positions(node))
    nodes = named_arguments(scalars.source, node, NAMED[name]) if name in NAMED else None
    for argument in nodes or node.expressions:
        if isinstance(argument, exp.Distinct | exp.Order | exp.Star | exp.Kwarg | exp.Alias):
            raise scalars.source.invalid(node, f"{name} is not an aggregate function")
    return _call(scalars, node, name, node.expressions if nodes is None else nodes)


def _age_today(scalars: Scalars, node: exp.Anonymous) -> Expression:
    """age(moment): from then to this day's midnight."""
    today = exp.CurrentDate().update_positions(node)
    return _call(scalars, node, "age", [today, node.expressions[0]])


def _named(name: str) -> Handler:
    """An operator that is a function under another name."""

    def build(scalars: Scalars, node: exp.Expr) -> Expression:
        nodes = [part for part in (node.this, node.args.get("expression")) if part is not None]
        return _call(scalars, node, name, nodes)

    return build


def _call(scalars: Scalars, node: exp.Expr, name: str, nodes: Sequence[exp.Expr]) -> Expression:
    build = BUILDERS.get(name)
    if build is None:
        if name in WINDOW_NAMES:
            raise scalars.source.invalid(node, f"{name} needs OVER (...)")
        hint = REFUSED.get(name) or near_miss(name, BUILDERS)
        raise scalars.source.unsupported(node, f"the function {name}", hint)
    values = tuple(scalars.typed(argument) for argument in nodes)
    return build(
        Arguments(source=scalars.source, call=node, name=name, values=values, spots=tuple(nodes))
    )


def _extract(scalars: Scalars, node: exp.Expr) -> Expression:
    expect_only(scalars.source, node, "this", "expression")
    field = exp.Literal.string(node.this.name)
    return _call(scalars, node, "extract", (field, node.expression))


def _position(scalars: Scalars, node: exp.Expr) -> Expression:
    expect_only(scalars.source, node, "this", "substr")
    return _call(scalars, node, "strpos", (node.this, node.args["substr"]))


def _substring(scalars: Scalars, node: exp.Expr) -> Expression:
    expect_only(scalars.source, node, "this", "start", "length")
    start = node.args.get("start") or exp.Literal.number(1)
    nodes = [node.this, start, node.args.get("length")]
    return _call(scalars, node, "substring", [part for part in nodes if part is not None])


def _trim(scalars: Scalars, node: exp.Expr) -> Expression:
    expect_only(scalars.source, node, "this", "expression", "position")
    side = str(node.args.get("position") or "BOTH").upper()
    name = {"BOTH": "trim", "LEADING": "ltrim", "TRAILING": "rtrim"}[side]
    nodes = [node.this, node.args.get("expression")]
    return _call(scalars, node, name, [part for part in nodes if part is not None])


def _overlaps(scalars: Scalars, node: exp.Expr) -> Expression:
    expect_only(scalars.source, node, "this", "expression")
    rows = node.this, node.expression
    if any(not is_row(row) or len(row.expressions) != 2 for row in rows):
        raise scalars.source.invalid(node, "OVERLAPS takes two rows of two values")
    first, second = ([scalars.typed(part) for part in row.expressions] for row in rows)
    return fold(overlap(scalars.source, node, first, second))


def _overlay(scalars: Scalars, node: exp.Expr) -> Expression:
    expect_only(scalars.source, node, "this", "expression", "from_", "for_")
    nodes = [node.args.get(part) for part in ("this", "expression", "from_", "for_")]
    return _call(scalars, node, "overlay", [part for part in nodes if part is not None])


def _power(scalars: Scalars, node: exp.Expr) -> Expression:
    return _call(scalars, node, "power", (node.this, node.expression))


HANDLERS: Final[Mapping[type[exp.Expr], Handler]] = MappingProxyType(
    {
        **PATTERN_HANDLERS,
        exp.Column: lambda scalars, node: scalars.column(node),
        exp.Literal: _literal,
        exp.ByteString: lambda scalars, node: Unknown(str(node.this)),
        exp.RawString: lambda scalars, node: Unknown(str(node.this)),
        exp.Boolean: lambda scalars, node: Literal(value=bool(node.this), type=BOOLEAN),
        exp.Null: lambda scalars, node: Unknown(None),
        exp.Paren: lambda scalars, node: scalars.typed(node.this),
        exp.Neg: _negative,
        exp.And: _logic("and"),
        exp.Or: _logic("or"),
        exp.Not: _not,
        exp.Is: _is,
        exp.In: _in,
        exp.Between: _between,
        exp.Abs: _named("abs"),
        exp.Sqrt: _named("sqrt"),
        exp.Cbrt: _named("cbrt"),
        exp.StartsWith: _named("starts_with"),
        exp.DPipe: _concatenate,
        exp.Case: _case,
        exp.Cast: _cast,
        exp.Collate: _collate,
        exp.Interval: _interval,
        exp.AtTimeZone: _at_time_zone,
        exp.CurrentTimestamp: _clock,
        exp.CurrentDate: _clock,
        exp.Localtimestamp: _clock,
        exp.Anonymous: _function,
        exp.Extract: _extract,
        exp.StrPosition: _position,
        exp.Substring: _substring,
        exp.Trim: _trim,
        exp.Overlay: _overlay,
        exp.Overlaps: _overlaps,
        exp.Pow: _power,
        exp.BitwiseAnd: _bitwise("bitwise_and"),
        exp.BitwiseOr: _bitwise("bitwise_or"),
        exp.BitwiseXor: _bitwise("bitwise_xor"),
        exp.BitwiseNot: _bitwise("bitwise_not"),
        exp.BitwiseLeftShift: _bitwise("shift_left"),
        exp.BitwiseRightShift: _bitwise("shift_right"),
        **NESTED_HANDLERS,
    }
)
