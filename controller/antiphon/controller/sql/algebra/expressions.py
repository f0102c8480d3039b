"""Taking typed expressions apart and putting them together again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final, assert_never

from antiphon.protocol.expression import (
    Branch,
    Call,
    Case,
    Cast,
    ColumnReference,
    Expression,
    Literal,
)
from antiphon.protocol.schema import BOOLEAN, FLOATS, Type, TypeKind

TRUE: Final = Literal(value=True, type=BOOLEAN)
FALSE: Final = Literal(value=False, type=BOOLEAN)

# Calls that fail on some ordinary input. Overflow is left out: it would pin half of all arithmetic
# in place, and a value near the edge of its type is an error wherever it is computed.
_RISKY_CALLS: Final = frozenset(
    {
        "divide", "modulo", "sqrt", "power", "ln", "log10", "exp", "make_date", "repeat",
        "regexp_match", "regexp_replace", "split_part", "to_timestamp", "only_row",
        "timezone_of",
    }
)  # fmt: skip
_WIDENING: Final = {
    TypeKind.INT16: 1, TypeKind.INT32: 2, TypeKind.INT64: 3, TypeKind.DECIMAL: 4,
    TypeKind.FLOAT32: 5, TypeKind.FLOAT64: 6,
}  # fmt: skip


def inputs_of(expression: Expression) -> tuple[Expression, ...]:
    """The direct parts, in the order in which they are written."""
    match expression:
        case ColumnReference() | Literal():
            return ()
        case Call():
            return expression.arguments
        case Cast():
            return (expression.input,)
        case Case():
            parts = [p for branch in expression.branches for p in (branch.condition, branch.value)]
            return (*parts, expression.otherwise)
        case _:
            assert_never(expression)


def with_inputs(expression: Expression, parts: Sequence[Expression]) -> Expression:
    """The same node over other parts, given as `inputs_of` gives them."""
    match expression:
        case ColumnReference() | Literal():
            return expression
        case Call():
            return Call(function=expression.function, arguments=tuple(parts), type=expression.type)
        case Cast():
            return Cast(input=parts[0], type=expression.type)
        case Case():
            branches = tuple(
                Branch(condition=parts[i], value=parts[i + 1]) for i in range(0, len(parts) - 1, 2)
            )
            return Case(branches=branches, otherwise=parts[-1], type=expression.type)
        case _:
            assert_never(expression)


def rewrite(
    expression: Expression, replace: Callable[[Expression], Expression | None]
) -> Expression:
    """From the root down: where `replace` gives something, that; otherwise the same node over
    rewritten parts."""
    found = replace(expression)
    if found is not None:
        return found
    parts = inputs_of(expression)
    if not parts:
        return expression
    changed = [rewrite(part, replace) for part in parts]
    if all(new is old for new, old in zip(changed, parts, strict=True)):
        return expression
    return with_inputs(expression, changed)


def walk(expression: Expression) -> Iterator[Expression]:
    """The expression and everything in it."""
    stack = [expression]
    while stack:
        current = stack.pop()
        yield current
        stack.extend(inputs_of(current))


def columns_of(expression: Expression) -> frozenset[int]:
    """The input columns that it reads."""
    return frozenset(e.index for e in walk(expression) if isinstance(e, ColumnReference))


def columns_of_all(expressions: Iterable[Expression]) -> frozenset[int]:
    return frozenset(index for e in expressions for index in columns_of(e))


def substitute(expression: Expression, values: Sequence[Expression]) -> Expression:
    """Column i becomes `values[i]`."""
    return rewrite(
        expression, lambda e: values[e.index] if isinstance(e, ColumnReference) else None
    )


def substitute_columns(expression: Expression, values: Mapping[int, Expression]) -> Expression:
    """Column i becomes `values[i]`, where there is one."""
    return rewrite(
        expression, lambda e: values.get(e.index) if isinstance(e, ColumnReference) else None
    )


def remap(expression: Expression, columns: Mapping[int, int]) -> Expression:
    """Column i becomes column `columns[i]`."""

    def replace(part: Expression) -> Expression | None:
        if isinstance(part, ColumnReference):
            return ColumnReference(index=columns[part.index], type=part.type)
        return None

    return rewrite(expression, replace)


def shift(expression: Expression, by: int) -> Expression:
    def replace(part: Expression) -> Expression | None:
        if isinstance(part, ColumnReference):
            return ColumnReference(index=part.index + by, type=part.type)
        return None

    return expression if by == 0 else rewrite(expression, replace)


def conjuncts(expression: Expression) -> list[Expression]:
    """Parts that must all be true, without TRUE itself. What every branch of an OR asks for is one
    of them: `(a AND b) OR (a AND c)` asks for `a`, and for `b OR c`."""
    if isinstance(expression, Call) and expression.function == "and":
        return [part for argument in expression.arguments for part in conjuncts(argument)]
    if isinstance(expression, Call) and expression.function == "or":
        return _factored(expression)
    return [] if expression == TRUE else [expression]


def _factored(disjunction: Call) -> list[Expression]:
    branches = [conjuncts(part) for part in disjuncts(disjunction)]
    common = [
        part
        for part in branches[0]
        if all(part in others for others in branches[1:]) and not is_risky(part)
    ]
    if not common:
        return [_null_safe(branches) or disjunction]
    rest = [all_of([part for part in branch if part not in common]) for branch in branches]
    return common if TRUE in rest else [*common, any_of(rest)]


def _null_safe(branches: list[list[Expression]]) -> Expression | None:
    """`a = b OR (a IS NULL AND b IS NULL)` is true where `a IS NOT DISTINCT FROM b` is."""
    match sorted(branches, key=len):
        case [[Call(function="equal", arguments=(a, b))], nulls]:
            wanted = [Call(function="is_null", arguments=(e,), type=BOOLEAN) for e in (a, b)]
            if nulls in (wanted, wanted[::-1]):
                return Call(function="is_not_distinct_from", arguments=(a, b), type=BOOLEAN)
    return None


def disjuncts(expression: Expression) -> list[Expression]:
    """Parts of which one must be true."""
    if isinstance(expression, Call) and expression.function == "or":
        return [part for argument in expression.arguments for part in disjuncts(argument)]
    return [expression]


def all_of(expressions: Sequence[Expression]) -> Expression:
    """Their conjunction; TRUE for none."""
    if not expressions:
        return TRUE
    if len(expressions) == 1:
        return expressions[0]
    return Call(function="and", arguments=tuple(expressions), type=BOOLEAN)


def any_of(expressions: Sequence[Expression]) -> Expression:
    """Their disjunction; FALSE for none."""
    if not expressions:
        return FALSE
    if len(expressions) == 1:
        return expressions[0]
    return Call(function="or", arguments=tuple(expressions), type=BOOLEAN)


def negation(expression: Expression) -> Expression:
    return Call(function="not", arguments=(expression,), type=BOOLEAN)


def equal(left: Expression, right: Expression) -> Expression:
    return Call(function="equal", arguments=(left, right), type=BOOLEAN)


def null(kind: Type) -> Literal:
    return Literal(value=None, type=kind)


def is_risky(expression: Expression) -> bool:
    """Whether it may fail on ordinary rows, so that it must not see rows that a filter or a join
    would have removed before."""
    for part in walk(expression):
        if isinstance(part, Call) and part.function in _RISKY_CALLS:
            return True
        if isinstance(part, Cast) and _narrows(part.input.type, part.type):
            return True
    return False


def _narrows(given: Type, wanted: Type) -> bool:
    if given.element is not None and wanted.element is not None:
        return _narrows(given.element, wanted.element)
    if given.fields and wanted.fields:
        pairs = zip(given.fields, wanted.fields, strict=True)
        return any(_narrows(one.type, other.type) for one, other in pairs)
    if given.is_numeric and wanted.is_numeric:
        if wanted.kind in FLOATS:
            return False
        if _WIDENING[given.kind] > _WIDENING[wanted.kind]:
            return True
        both_decimal = given.kind is wanted.kind is TypeKind.DECIMAL
        return both_decimal and (given.precision - given.scale > wanted.precision - wanted.scale)
    # Anything may be written as text; text may be read as little.
    return given.kind is TypeKind.TEXT and wanted.kind is not TypeKind.TEXT
