"""Expressions by example: with arguments as columns, as literals, and with nulls."""

import datetime as dt
import math
from decimal import Decimal

import numpy as np
import pyarrow as pa

from antiphon.protocol.expression import ColumnReference
from antiphon.protocol.expression import Interval as I
from antiphon.protocol.expression import Literal as L
from antiphon.protocol.literal_array import literal_array
from antiphon.protocol.schema import (
    DATE,
    INTERVAL,
    TIMESTAMP,
    TIMESTAMPTZ,
    arrow_type,
    decimal,
)
from antiphon.replica.dataflow.expressions.evaluate import check, evaluate
from antiphon.replica.dataflow.expressions.frame import Frame

D = Decimal
RANGE, ZERO = "numeric_value_out_of_range", "division_by_zero"
NAN, INF = math.nan, math.inf
MIN64, MAX64 = -(2**63), 2**63 - 1
N2, N4, WIDE = decimal(10, 2), decimal(12, 4), decimal(38, 0)


def day(text):
    return dt.date.fromisoformat(text).toordinal() - dt.date(1970, 1, 1).toordinal()


def stamp(text):
    moment = dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)
    return (moment - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(microseconds=1)


class Fails(str):
    """An expected error code."""


def run(expression, columns=(), count=None):
    """(values, error codes by row)."""
    check(expression)
    frame = Frame(columns, len(columns[0]) if columns else count)
    array = evaluate(frame, expression).array
    assert array.type == arrow_type(expression.type)
    codes = {}
    for error in frame.errors:
        for row in np.flatnonzero(error.rows).tolist():
            assert row not in codes, "a row fails once"
            codes[row] = error.code
    return plain(array, expression.type), codes


def plain(array, kind):
    if kind in (DATE,):
        return array.cast(pa.int32()).to_pylist()
    if kind in (TIMESTAMP, TIMESTAMPTZ):
        return array.cast(pa.int64()).to_pylist()
    if kind == INTERVAL:
        return [
            None
            if v is None
            else I(months=v.months, days=v.days, microseconds=v.nanoseconds // 1000)
            for v in array.to_pylist()
        ]
    return array.to_pylist()


def same(found, expected):
    if isinstance(expected, float) and isinstance(found, float):
        return (math.isnan(found) and math.isnan(expected)) or math.isclose(
            found, expected, rel_tol=1e-12
        )
    return found == expected and type(found) is type(expected)


def check_case(make, types, arguments, expected):
    """`make(expressions)` gives the expression over its arguments: columns of three rows (the
    values, nulls, the values), literals, or the first a column and the others literals."""
    columns = [literal_array(t, [v, None, v]) for t, v in zip(types, arguments, strict=True)]
    references = [ColumnReference(index=i, type=t) for i, t in enumerate(types)]
    literals = [L(value=v, type=t) for t, v in zip(types, arguments, strict=True)]
    for parts, data in ((references, columns), (literals, [])):
        values, codes = run(make(parts), data, count=3)
        for row in (0, 2):
            if isinstance(expected, Fails):
                assert codes.get(row) == expected, f"{values[row]!r}, not {expected}"
            else:
                assert row not in codes, codes
                assert same(values[row], expected), f"{values[row]!r}, not {expected!r}"
        if data:
            assert 1 not in codes, "nulls do not fail"
    # Mixed: the first a column, the others literals, as most queries have it.
    mixed = [references[0], *literals[1:]] if references else []
    values, codes = run(make(mixed), columns[:1], count=3)
    assert codes.get(0) == expected if isinstance(expected, Fails) else same(values[0], expected)
