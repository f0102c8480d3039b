"""A plan's result from scratch, row by row over plain counters: slow, and obviously right.

Rows are tuples of Python values: None, bool, int, float, str, Decimal; dates and timestamps are
integers. What differs only in representation (0.0 and -0.0, every NaN) is one value.
"""

import math
from collections import Counter
from decimal import ROUND_HALF_UP, Decimal
from functools import cmp_to_key

from antiphon.protocol.expression import Call, Case, Cast, ColumnReference, Literal
from antiphon.protocol.plan import (
    AggregateFunction,
    Constant,
    Distinct,
    Get,
    Join,
    JoinKind,
    Let,
    LocalGet,
    MapFilterProject,
    Negate,
    Recursion,
    Reduce,
    Threshold,
    TopK,
    Union,
    Window,
    schema_of,
)
from antiphon.protocol.schema import TypeKind
from tests.reference import windows
from tests.reference.gathered import gathered
from tests.reference.row_hash import row as hash_row

RANGES = {TypeKind.INT16: 2**15, TypeKind.INT32: 2**31, TypeKind.INT64: 2**63}


class RowError(Exception):
    """An expression failed for a row: a code."""


def result_of(plan, inputs):
    """(rows, errors by code) of the plan over `inputs`: counters by collection id."""
    errors = Counter()
    rows = run(plan, inputs, {}, errors)
    return clean(rows), clean(errors)


def clean(counter):
    return Counter({key: count for key, count in counter.items() if count})


def canonical(value):
    if isinstance(value, list | tuple):
        return tuple(canonical(item) for item in value)
    if isinstance(value, float):
        return "NaN" if math.isnan(value) else value + 0.0
    return value


def canonical_row(row):
    return tuple(canonical(value) for value in row)


def run(plan, inputs, bindings, errors):
    match plan:
        case Get():
            return Counter(inputs[plan.collection])
        case LocalGet():
            return Counter(bindings[plan.binding])
        case Let():
            value = run(plan.value, inputs, bindings, errors)
            return run(plan.body, inputs, {**bindings, plan.binding: value}, errors)
        case Recursion():
            known = Counter()
            while True:
                mine = Counter()
                found = run(plan.value, inputs, {**bindings, plan.binding: known}, mine)
                if clean(found) == clean(known):
                    break
                known = found
            for code, count in mine.items():
                errors[code] += count
            return run(plan.body, inputs, {**bindings, plan.binding: known}, errors)
        case Constant():
            found = Counter()
            for row, diff in plan.rows:
                found[canonical_row(row)] += diff
            return found
        case Union():
            found = Counter()
            for part in plan.inputs:
                for row, count in run(part, inputs, bindings, errors).items():
                    found[row] += count
            return found
        case Join():
            left = run(plan.left, inputs, bindings, errors)
            return join(plan, left, run(plan.right, inputs, bindings, errors), errors)
    rows = run(plan.input, inputs, bindings, errors)
    match plan:
        case MapFilterProject():
            return map_filter_project(plan, rows, errors)
        case Negate():
            return Counter({row: -count for row, count in rows.items()})
        case Distinct():
            return Counter({row: 1 for row, count in rows.items() if count > 0})
        case Threshold():
            return Counter({row: count for row, count in rows.items() if count > 0})
        case Reduce():
            return reduce(plan, rows, errors)
        case TopK():
            return top_k(plan, rows)
        case Window():
            return windows.window(plan, rows, errors)
    raise AssertionError(plan)


def map_filter_project(plan, rows, errors):
    found = Counter()
    width = len(schema_of(plan.input))
    for row, count in rows.items():

        def value(index, row=row):
            return row[index] if index < width else evaluate(plan.maps[index - width], value)

        try:
            if all(evaluate(f, value) is True for f in plan.filters):
                found[canonical_row(value(index) for index in plan.project)] += count
        except RowError as error:
            errors[str(error)] += count
    return found


def join(plan, left, right, errors):
    lw, rw = len(schema_of(plan.left)), len(schema_of(plan.right))
    found, left_hits, right_hits = Counter(), set(), set()
    for a, m in left.items():
        for b, n in right.items():
            both = a + b
            if not keys_match(plan, a, b):
                continue
            if plan.residual is not None:
                try:
                    if evaluate(plan.residual, both.__getitem__) is not True:
                        continue
                except RowError as error:
                    errors[str(error)] += m * n
                    continue
            found[both] += m * n
            left_hits.add(a)
            right_hits.add(b)
    match plan.kind:
        case JoinKind.SEMI:
            return Counter({a: m for a, m in left.items() if a in left_hits})
        case JoinKind.ANTI if plan.null_aware:
            return not_in(plan, left, right)
        case JoinKind.ANTI:
            return Counter({a: m for a, m in left.items() if a not in left_hits})
    if plan.kind in (JoinKind.LEFT, JoinKind.FULL):
        for a, m in left.items():
            if a not in left_hits:
                found[a + (None,) * rw] += m
    if plan.kind in (JoinKind.RIGHT, JoinKind.FULL):
        for b, n in right.items():
            if b not in right_hits:
                found[(None,) * lw + b] += n
    return found


def key_pairs(plan, a, b):
    return [
        (canonical(evaluate(x, a.__getitem__)), canonical(evaluate(y, b.__getitem__)))
        for x, y in zip(plan.left_keys, plan.right_keys, strict=True)
    ]


def keys_match(plan, a, b):
    for x, y in key_pairs(plan, a, b):
        if x is None or y is None:
            if not (plan.nulls_match and x is None and y is None):
                return False
        elif x != y:
            return False
    return True


def not_in(plan, left, right):
    def possible(a, b):
        """Not false: true or unknown."""
        if any(x is not None and y is not None and x != y for x, y in key_pairs(plan, a, b)):
            return False
        return plan.residual is None or evaluate(plan.residual, (a + b).__getitem__) is True

    return Counter({a: m for a, m in left.items() if not any(possible(a, b) for b in right)})


def reduce(plan, rows, errors):
    groups = {}
    for row, count in rows.items():
        key = canonical_row(evaluate(k, row.__getitem__) for k in plan.keys)
        groups.setdefault(key, []).append((row, count))
    if not plan.keys:
        groups.setdefault((), [])
    found = Counter()
    for key, members in groups.items():
        if plan.keys and sum(count for _, count in members) <= 0:
            continue
        try:
            values = tuple(aggregate(a, members) for a in plan.aggregates)
            found[canonical_row(key + values)] += 1
        except RowError as error:
            errors[str(error)] += 1
    return found


def aggregate(spec, members):
    values = []
    for row, count in members:
        if spec.filter is not None and evaluate(spec.filter, row.__getitem__) is not True:
            continue
        if not spec.arguments:
            values += [1] * count
            continue
        value = canonical(evaluate(spec.arguments[0], row.__getitem__))
        if value is not None or spec.function is AggregateFunction.ARRAY_AGG:
            values += [value] * count
    if spec.distinct:
        values = list(dict.fromkeys(values))
    match spec.function:
        case AggregateFunction.COUNT:
            return len(values)
    if not values:
        return None
    match spec.function:
        case AggregateFunction.MIN:
            return min(values, key=cmp_to_key(compare))
        case AggregateFunction.MAX:
            return max(values, key=cmp_to_key(compare))
        case AggregateFunction.BOOL_AND:
            return all(values)
        case AggregateFunction.BOOL_OR:
            return any(values)
        case AggregateFunction.SUM:
            return fit(total(values), spec.type)
        case AggregateFunction.AVG:
            whole = total(values)
            if spec.type.kind is TypeKind.DECIMAL:
                scale = Decimal(1).scaleb(-spec.type.scale)
                return (Decimal(whole) / len(values)).quantize(scale, ROUND_HALF_UP)
            return float(whole) / len(values)
    try:
        return gathered(spec, values, compare)
    except OverflowError:
        raise RowError("numeric_value_out_of_range") from None


def total(values):
    numbers = [math.nan if v == "NaN" else v for v in values]
    if not isinstance(numbers[0], float):
        return sum(numbers)
    if any(math.isnan(v) for v in numbers) or {math.inf, -math.inf} <= set(numbers):
        return math.nan
    return math.fsum(numbers)


def fit(value, kind):
    if kind.kind in RANGES and not -RANGES[kind.kind] <= value < RANGES[kind.kind]:
        raise RowError("numeric_value_out_of_range")
    return Decimal(value) if kind.kind is TypeKind.DECIMAL else value


def compare(a, b):
    """Of values that are not null. NaN is largest; text compares by bytes."""
    if "NaN" in (a, b) and not (isinstance(a, str) and isinstance(b, str) and a != b):
        return (a == "NaN") - (b == "NaN")
    if isinstance(a, str):
        a, b = a.encode(), b.encode()
    return (a > b) - (a < b)


def top_k(plan, rows):
    groups = {}
    for row, count in rows.items():
        if count > 0:
            groups.setdefault(tuple(row[i] for i in plan.group_by), []).append(row)
    before = order_of(plan.order_by, schema_of(plan).types)
    found = Counter()
    for members in groups.values():
        copies = [r for row in sorted(members, key=cmp_to_key(before)) for r in [row] * rows[row]]
        end = None if plan.limit is None else plan.offset + plan.limit
        for row in copies[plan.offset : end]:
            found[row] += 1
    return found


def order_of(order_by, types):
    """Compares two rows by sort keys, then by row hash."""
    kinds = [KIND_NAMES[t.kind] for t in types]

    def before(a, b):
        for key in order_by:
            x, y = a[key.column], b[key.column]
            if x is None or y is None:
                if (x is None) != (y is None):
                    return -1 if (x is None) == key.nulls_first else 1
                continue
            order = compare(x, y)
            if order:
                return -order if key.descending else order
        x, y = (hash_row(list(zip(kinds, map(raw, r), strict=True)), 0) for r in (a, b))
        return (x > y) - (x < y)

    return before


def raw(value):
    return math.nan if value == "NaN" else value


KIND_NAMES = {
    TypeKind.BOOLEAN: "boolean", TypeKind.INT16: "smallint", TypeKind.INT32: "integer",
    TypeKind.INT64: "bigint", TypeKind.FLOAT64: "double", TypeKind.TEXT: "text",
    TypeKind.DECIMAL: "numeric", TypeKind.DATE: "date", TypeKind.TIMESTAMP: "timestamp",
}  # fmt: skip


def evaluate(expression, column):
    match expression:
        case ColumnReference():
            return column(expression.index)
        case Literal():
            return canonical(expression.value)
        case Cast():
            return fit(evaluate(expression.input, column), expression.type)
        case Case():
            for branch in expression.branches:
                if evaluate(branch.condition, column) is True:
                    return evaluate(branch.value, column)
            return evaluate(expression.otherwise, column)
        case Call(function="and" | "or"):
            decisive = expression.function == "or"
            unknown = False
            for argument in expression.arguments:
                value = evaluate(argument, column)
                if value is decisive:
                    return decisive
                unknown |= value is None
            return None if unknown else not decisive
        case Call(function="coalesce"):
            for argument in expression.arguments:
                value = evaluate(argument, column)
                if value is not None:
                    return value
            return None
    return call(expression, [evaluate(a, column) for a in expression.arguments])


def call(expression, values):
    match expression.function:
        case "is_null":
            return values[0] is None
        case "is_not_null":
            return values[0] is not None
        case "is_true":
            return values[0] is True
        case "is_false":
            return values[0] is False
        case "is_distinct_from":
            return values[0] != values[1]
        case "is_not_distinct_from":
            return values[0] == values[1]
        case "nullif":
            return None if values[0] is not None and values[0] == values[1] else values[0]
        case "greatest" | "least":
            present = [v for v in values if v is not None]
            pick = max if expression.function == "greatest" else min
            return pick(present, key=cmp_to_key(compare)) if present else None
    if any(value is None for value in values):
        return None
    return strict(expression, values)


def strict(expression, values):
    a, b = values[0], values[-1]
    match expression.function:
        case "not":
            return not a
        case "equal":
            return compare(a, b) == 0
        case "not_equal":
            return compare(a, b) != 0
        case "less":
            return compare(a, b) < 0
        case "less_equal":
            return compare(a, b) <= 0
        case "greater":
            return compare(a, b) > 0
        case "greater_equal":
            return compare(a, b) >= 0
        case "add":
            return fit(a + b, expression.type)
        case "subtract":
            return fit(a - b, expression.type)
        case "multiply":
            return fit(a * b, expression.type)
        case "negate":
            return fit(-a, expression.type)
        case "abs":
            return fit(abs(a), expression.type)
        case "divide" | "modulo":
            if b == 0:
                raise RowError("division_by_zero")
            quotient = abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)
            if expression.function == "divide":
                return fit(quotient, expression.type)
            return a - quotient * b
    raise AssertionError(expression)
