"""Every function, by examples whose answers are PostgreSQL's; each with its arguments as columns and
as literals, and with nulls."""

import datetime as dt
import hashlib
import math
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from antiphon.protocol.expression import FUNCTIONS, Branch, Call, Case, Cast, ColumnReference
from antiphon.protocol.expression import Interval as I
from antiphon.protocol.expression import Literal as L
from antiphon.protocol.schema import (
    BOOLEAN,
    BYTEA,
    DATE,
    FLOAT32,
    FLOAT64,
    INT16,
    INT32,
    INT64,
    INTERVAL,
    TEXT,
    TIMESTAMP,
    TIMESTAMPTZ,
    UUID,
    arrow_type,
    decimal,
)
from antiphon.replica.dataflow.expressions.evaluate import check, evaluate
from antiphon.replica.dataflow.expressions.frame import Frame
from antiphon.replica.dataflow.expressions.vector import arrow_values
from hypothesis import given, settings
from hypothesis import strategies as st

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
            None if v is None else I(months=v.months, days=v.days, microseconds=v.nanoseconds // 1000)
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
    """`make(expressions)`: the expression over its arguments, which stand in three rows: the values,
    nulls where the first is null, the values again; and as literals."""
    columns = [arrow_values(t, [v, None, v]) for t, v in zip(types, arguments, strict=True)]
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


CASES = [
    # integers: never wrap, division truncates, the remainder has the dividend's sign
    ("add", (INT64, INT64), (MAX64, 1), INT64, Fails(RANGE)),
    ("add", (INT64, INT64), (MAX64, -1), INT64, MAX64 - 1),
    ("add", (INT32, INT32), (2**31 - 1, 1), INT32, Fails(RANGE)),
    ("add", (INT16, INT16), (2**15 - 1, 1), INT16, Fails(RANGE)),
    ("subtract", (INT64, INT64), (MIN64, 1), INT64, Fails(RANGE)),
    ("subtract", (INT64, INT64), (0, MIN64), INT64, Fails(RANGE)),
    ("multiply", (INT64, INT64), (2**32, 2**31), INT64, Fails(RANGE)),
    ("multiply", (INT64, INT64), (2**32, -(2**31)), INT64, MIN64),
    ("multiply", (INT64, INT64), (MIN64, -1), INT64, Fails(RANGE)),
    ("multiply", (INT64, INT64), (-1, MIN64), INT64, Fails(RANGE)),
    ("multiply", (INT64, INT64), (3_037_000_500, 3_037_000_500), INT64, Fails(RANGE)),
    ("multiply", (INT64, INT64), (3_037_000_499, 3_037_000_499), INT64, 3_037_000_499**2),
    ("divide", (INT64, INT64), (-7, 2), INT64, -3),
    ("divide", (INT64, INT64), (7, -2), INT64, -3),
    ("divide", (INT64, INT64), (7, 0), INT64, Fails(ZERO)),
    ("divide", (INT64, INT64), (MIN64, -1), INT64, Fails(RANGE)),
    ("divide", (INT16, INT16), (-(2**15), -1), INT16, Fails(RANGE)),
    ("modulo", (INT64, INT64), (-7, 2), INT64, -1),
    ("modulo", (INT64, INT64), (MIN64, -1), INT64, 0),
    ("modulo", (INT64, INT64), (1, 0), INT64, Fails(ZERO)),
    ("negate", (INT64,), (MIN64,), INT64, Fails(RANGE)),
    ("abs", (INT32,), (-(2**31),), INT32, Fails(RANGE)),
    ("abs", (INT64,), (-5,), INT64, 5),
    # floats
    ("add", (FLOAT64, FLOAT64), (1e308, 1e308), FLOAT64, Fails(RANGE)),
    ("add", (FLOAT64, FLOAT64), (INF, 1.0), FLOAT64, INF),
    ("multiply", (FLOAT64, FLOAT64), (NAN, 0.0), FLOAT64, NAN),
    ("divide", (FLOAT64, FLOAT64), (1.0, 0.0), FLOAT64, Fails(ZERO)),
    ("divide", (FLOAT64, FLOAT64), (1.0, 4.0), FLOAT64, 0.25),
    ("negate", (FLOAT64,), (1.5,), FLOAT64, -1.5),
    # decimals
    ("add", (N2, N2), (D("1.25"), D("2.50")), decimal(11, 2), D("3.75")),
    ("add", (WIDE, WIDE), (D(10**38 - 1), D(1)), WIDE, Fails(RANGE)),
    ("subtract", (N2, N2), (D("1.25"), D("2.50")), decimal(11, 2), D("-1.25")),
    ("multiply", (N2, N2), (D("1.25"), D("-2.50")), N4, D("-3.1250")),
    ("multiply", (N2, N2), (D("1.25"), D("2.50")), decimal(12, 1), D("3.1")),
    ("multiply", (WIDE, WIDE), (D(10) ** 20, D(10) ** 20), WIDE, Fails(RANGE)),
    ("multiply", (WIDE, WIDE), (D(10) ** 37, D(3)), WIDE, 3 * D(10) ** 37),
    ("divide", (N2, N2), (D("1.00"), D("3.00")), decimal(38, 6), D("0.333333")),
    ("divide", (N2, N2), (D("2.00"), D("3.00")), decimal(38, 6), D("0.666667")),
    ("divide", (N2, N2), (D("-2.00"), D("3.00")), decimal(38, 6), D("-0.666667")),
    ("divide", (N2, N2), (D("0.01"), D("0.02")), decimal(38, 0), D("1")),
    ("divide", (N2, N2), (D("1.00"), D("0.00")), decimal(38, 6), Fails(ZERO)),
    ("divide", (WIDE, WIDE), (D(10) ** 37, D(7)), decimal(38, 1), D("1428571428571428571428571428571428571.4")),
    ("divide", (WIDE, WIDE), (D(10**37), D(10**37 - 1)), decimal(38, 20), D("1.00000000000000000000")),
    ("modulo", (N2, N2), (D("-7.50"), D("2.00")), N2, D("-1.50")),
    ("modulo", (WIDE, WIDE), (D(10**37 + 1), D(10**30)), WIDE, D(1)),
    ("modulo", (N2, N2), (D("1.00"), D("0.00")), N2, Fails(ZERO)),
    ("abs", (N2,), (D("-7.50"),), N2, D("7.50")),
    ("negate", (N2,), (D("7.50"),), N2, D("-7.50")),
    # comparison
    ("equal", (FLOAT64, FLOAT64), (NAN, NAN), BOOLEAN, True),
    ("less", (FLOAT64, FLOAT64), (INF, NAN), BOOLEAN, True),
    ("greater_equal", (FLOAT64, FLOAT64), (NAN, INF), BOOLEAN, True),
    ("equal", (FLOAT64, FLOAT64), (0.0, -0.0), BOOLEAN, True),
    ("less", (TEXT, TEXT), ("Z", "a"), BOOLEAN, True),
    ("less", (TEXT, TEXT), ("z", "é"), BOOLEAN, True),
    ("equal", (INTERVAL, INTERVAL), (I(months=1), I(days=30)), BOOLEAN, True),
    ("less", (INTERVAL, INTERVAL), (I(days=29), I(months=1)), BOOLEAN, True),
    ("less", (BOOLEAN, BOOLEAN), (False, True), BOOLEAN, True),
    ("not_equal", (N2, N2), (D("1.00"), D("1.01")), BOOLEAN, True),
    ("less_equal", (UUID, UUID), (b"\0" * 16, b"\1" * 16), BOOLEAN, True),
    ("greater", (DATE, DATE), (1, 0), BOOLEAN, True),
    ("not", (BOOLEAN,), (True,), BOOLEAN, False),
    # numbers
    ("round", (FLOAT64,), (2.5,), FLOAT64, 2.0),
    ("round", (N2,), (D("2.50"),), decimal(9, 0), D("3")),
    ("round", (N2,), (D("-2.50"),), decimal(9, 0), D("-3")),
    ("truncate", (N2,), (D("-2.57"),), decimal(9, 0), D("-2")),
    ("floor", (N2,), (D("-2.50"),), decimal(9, 0), D("-3")),
    ("ceil", (N2,), (D("-2.50"),), decimal(9, 0), D("-2")),
    ("floor", (FLOAT64,), (-2.5,), FLOAT64, -3.0),
    ("ceil", (FLOAT64,), (2.1,), FLOAT64, 3.0),
    ("sign", (FLOAT64,), (-2.5,), FLOAT64, -1.0),
    ("sign", (N2,), (D("-2.50"),), N2, D("-1.00")),
    ("sqrt", (FLOAT64,), (9.0,), FLOAT64, 3.0),
    ("sqrt", (FLOAT64,), (-1.0,), FLOAT64, Fails("invalid_argument_for_power_function")),
    ("power", (FLOAT64, FLOAT64), (2.0, 10.0), FLOAT64, 1024.0),
    ("power", (FLOAT64, FLOAT64), (0.0, -1.0), FLOAT64, Fails("invalid_argument_for_power_function")),
    ("power", (FLOAT64, FLOAT64), (-1.0, 0.5), FLOAT64, Fails("invalid_argument_for_power_function")),
    ("power", (FLOAT64, FLOAT64), (10.0, 400.0), FLOAT64, Fails(RANGE)),
    ("exp", (FLOAT64,), (1.0,), FLOAT64, math.e),
    ("ln", (FLOAT64,), (0.0,), FLOAT64, Fails("invalid_argument_for_logarithm")),
    ("ln", (FLOAT64,), (math.e,), FLOAT64, 1.0),
    ("log10", (FLOAT64,), (1000.0,), FLOAT64, 3.0),
    # text
    ("concat", (TEXT, TEXT), ("a", "b"), TEXT, "ab"),
    ("lower", (TEXT,), ("ÀB",), TEXT, "àb"),
    ("upper", (TEXT,), ("àb",), TEXT, "ÀB"),
    ("length", (TEXT,), ("héé",), INT32, 3),
    ("length", (BYTEA,), (b"abc",), INT32, 3),
    ("substring", (TEXT, INT32), ("héllo", 2), TEXT, "éllo"),
    ("substring", (TEXT, INT32, INT32), ("héllo", 2, 2), TEXT, "él"),
    ("substring", (TEXT, INT32, INT32), ("héllo", -1, 3), TEXT, "h"),
    ("substring", (TEXT, INT32, INT32), ("héllo", 9, 3), TEXT, ""),
    ("substring", (TEXT, INT32, INT32), ("héllo", 1, -1), TEXT, Fails("substring_error")),
    ("left", (TEXT, INT32), ("héllo", 2), TEXT, "hé"),
    ("left", (TEXT, INT32), ("héllo", -2), TEXT, "hél"),
    ("right", (TEXT, INT32), ("héllo", 2), TEXT, "lo"),
    ("right", (TEXT, INT32), ("héllo", -4), TEXT, "o"),
    ("right", (TEXT, INT32), ("héllo", 9), TEXT, "héllo"),
    ("lpad", (TEXT, INT32), ("hi", 4), TEXT, "  hi"),
    ("lpad", (TEXT, INT32, TEXT), ("hi", 5, "xy"), TEXT, "xyxhi"),
    ("lpad", (TEXT, INT32, TEXT), ("hello", 2, "x"), TEXT, "he"),
    ("rpad", (TEXT, INT32, TEXT), ("hi", 5, "é"), TEXT, "hiééé"),
    ("rpad", (TEXT, INT32, TEXT), ("hi", 5, ""), TEXT, "hi"),
    ("rpad", (TEXT, INT32), ("hi", 2**30), TEXT, Fails("program_limit_exceeded")),
    ("trim", (TEXT,), ("  a b ",), TEXT, "a b"),
    ("trim", (TEXT, TEXT), ("xyaxx", "xy"), TEXT, "a"),
    ("ltrim", (TEXT, TEXT), ("xxaxx", "x"), TEXT, "axx"),
    ("rtrim", (TEXT, TEXT), ("xxaxx", "x"), TEXT, "xxa"),
    ("replace", (TEXT, TEXT, TEXT), ("aXbX", "X", "--"), TEXT, "a--b--"),
    ("replace", (TEXT, TEXT, TEXT), ("ab", "", "--"), TEXT, "ab"),
    ("position", (TEXT, TEXT), ("héllo", "l"), INT32, 3),
    ("position", (TEXT, TEXT), ("héllo", "z"), INT32, 0),
    ("position", (TEXT, TEXT), ("héllo", ""), INT32, 1),
    ("starts_with", (TEXT, TEXT), ("hello", "he"), BOOLEAN, True),
    ("ends_with", (TEXT, TEXT), ("hello", "lo"), BOOLEAN, True),
    ("contains", (TEXT, TEXT), ("hello", "ell"), BOOLEAN, True),
    ("reverse", (TEXT,), ("hé",), TEXT, "éh"),
    ("repeat", (TEXT, INT32), ("ab", 3), TEXT, "ababab"),
    ("repeat", (TEXT, INT32), ("ab", -3), TEXT, ""),
    ("repeat", (TEXT, INT32), ("ab", 2**30), TEXT, Fails("program_limit_exceeded")),
    ("split_part", (TEXT, TEXT, INT32), ("a,b,c", ",", 2), TEXT, "b"),
    ("split_part", (TEXT, TEXT, INT32), ("a,b,c", ",", -1), TEXT, "c"),
    ("split_part", (TEXT, TEXT, INT32), ("a,b,c", ",", 9), TEXT, ""),
    ("split_part", (TEXT, TEXT, INT32), ("a,b,c", "", 1), TEXT, "a,b,c"),
    ("split_part", (TEXT, TEXT, INT32), ("a,b,c", ",", 0), TEXT, Fails("invalid_parameter_value")),
    ("like", (TEXT, TEXT), ("a\nc", "a%c"), BOOLEAN, True),
    ("like", (TEXT, TEXT), ("a%c", r"a\%c"), BOOLEAN, True),
    ("like", (TEXT, TEXT), ("abc", r"a\%c"), BOOLEAN, False),
    ("like", (TEXT, TEXT), ("aéc", "a_c"), BOOLEAN, True),
    ("like", (TEXT, TEXT), ("ABC", "a%"), BOOLEAN, False),
    ("ilike", (TEXT, TEXT), ("ABC", "a%"), BOOLEAN, True),
    ("regexp_match", (TEXT, TEXT), ("abc123", "[0-9]+$"), BOOLEAN, True),
    ("regexp_match", (TEXT, TEXT), ("ABC", "(?i)b"), BOOLEAN, True),
    ("regexp_match", (TEXT, TEXT), ("a", "("), BOOLEAN, Fails("invalid_regular_expression")),
    ("regexp_replace", (TEXT, TEXT, TEXT), ("a1b2", "[0-9]", "x"), TEXT, "axb2"),
    ("regexp_replace", (TEXT, TEXT, TEXT, TEXT), ("a1B2", "([a-z])", r"<\1>", "gi"), TEXT, "<a>1<B>2"),
    ("md5", (TEXT,), ("hello",), TEXT, hashlib.md5(b"hello").hexdigest()),
    # dates and times
    ("add", (DATE, INT32), (10, 5), DATE, 15),
    ("subtract", (DATE, INT32), (10, 15), DATE, -5),
    ("subtract", (DATE, DATE), (10, 15), INT32, -5),
    ("add", (DATE, INT32), (2**31 - 1, 1), DATE, Fails("datetime_field_overflow")),
    ("add", (TIMESTAMP, INTERVAL), (stamp("2024-01-31"), I(months=1)), TIMESTAMP, stamp("2024-02-29")),
    ("subtract", (TIMESTAMP, INTERVAL), (stamp("2024-03-31 10:00"), I(months=1, days=1)), TIMESTAMP, stamp("2024-02-28 10:00")),
    ("add", (TIMESTAMPTZ, INTERVAL), (0, I(microseconds=-1)), TIMESTAMPTZ, -1),
    ("add", (TIMESTAMP, INTERVAL), (2**62, I(months=2**31 - 1)), TIMESTAMP, Fails("datetime_field_overflow")),
    ("subtract", (TIMESTAMP, TIMESTAMP), (stamp("2024-01-02 01:00"), stamp("2024-01-01")), INTERVAL, I(days=1, microseconds=3_600_000_000)),
    ("subtract", (TIMESTAMP, TIMESTAMP), (stamp("2024-01-01"), stamp("2024-01-02 01:00")), INTERVAL, I(days=-1, microseconds=-3_600_000_000)),
    ("add", (INTERVAL, INTERVAL), (I(months=1), I(days=2)), INTERVAL, I(months=1, days=2)),
    ("negate", (INTERVAL,), (I(months=1, days=-2),), INTERVAL, I(months=-1, days=2)),
    ("multiply", (INTERVAL, FLOAT64), (I(months=1), 1.5), INTERVAL, I(months=1, days=15)),
    ("multiply", (INTERVAL, FLOAT64), (I(days=1), 0.5), INTERVAL, I(microseconds=43_200_000_000)),
    ("divide", (INTERVAL, FLOAT64), (I(days=1), 2.0), INTERVAL, I(microseconds=43_200_000_000)),
    ("divide", (INTERVAL, FLOAT64), (I(days=1), 0.0), INTERVAL, Fails(ZERO)),
    ("age", (TIMESTAMP, TIMESTAMP), (stamp("2001-04-10"), stamp("1957-06-13")), INTERVAL, I(months=43 * 12 + 9, days=27)),
    ("age", (TIMESTAMP, TIMESTAMP), (stamp("1957-06-13"), stamp("2001-04-10")), INTERVAL, I(months=-(43 * 12 + 9), days=-27)),
    ("age", (TIMESTAMP, TIMESTAMP), (stamp("2024-03-01"), stamp("2024-01-31 12:00")), INTERVAL, I(months=1, microseconds=43_200_000_000)),
    ("to_timestamp", (FLOAT64,), (1.5,), TIMESTAMPTZ, 1_500_000),
    ("to_timestamp", (FLOAT64,), (NAN,), TIMESTAMPTZ, Fails("datetime_field_overflow")),
    ("make_date", (INT32, INT32, INT32), (2024, 2, 29), DATE, day("2024-02-29")),
    ("make_date", (INT32, INT32, INT32), (2023, 2, 29), DATE, Fails("datetime_field_overflow")),
    ("make_date", (INT32, INT32, INT32), (2023, 13, 1), DATE, Fails("datetime_field_overflow")),
    # choosers
    ("nullif", (INT64, INT64), (1, 1), INT64, None),
    ("nullif", (TEXT, TEXT), ("a", "b"), TEXT, "a"),
    ("greatest", (INT64, INT64), (1, 2), INT64, 2),
    ("least", (TEXT, TEXT), ("a", "b"), TEXT, "a"),
    ("greatest", (FLOAT64, FLOAT64), (NAN, INF), FLOAT64, NAN),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c[0]}{c[2]}")
def test_functions(case):
    name, types, arguments, result, expected = case

    def make(parts):
        return Call(function=name, arguments=tuple(parts), type=result)

    check_case(make, types, arguments, expected)


MOMENT = stamp("2013-12-30 23:59:07.654321")
FIELDS = [
    ("microseconds", 7_654_321), ("milliseconds", D("7654.321")), ("second", D("7.654321")),
    ("minute", 59), ("hour", 23), ("day", 30), ("week", 1), ("month", 12), ("quarter", 4),
    ("year", 2013), ("decade", 201), ("century", 21), ("millennium", 3), ("dow", 1), ("isodow", 1),
    ("doy", 364), ("isoyear", 2014), ("epoch", D("1388447947.654321")),
]  # fmt: skip


@pytest.mark.parametrize(("field", "expected"), FIELDS)
def test_extract(field, expected):
    exact = decimal(20, 6)

    def make(kind):
        def build(parts):
            unit = L(value=field, type=TEXT)
            return Call(function="extract", arguments=(unit, *parts), type=kind)

        return build

    check_case(make(exact), (TIMESTAMP,), (MOMENT,), D(expected).quantize(D("0.000001")))
    check_case(make(FLOAT64), (TIMESTAMPTZ,), (MOMENT,), float(expected))
    if field not in ("microseconds", "milliseconds", "second", "minute", "hour", "epoch"):
        check_case(make(INT64), (DATE,), (MOMENT // 86_400_000_000,), int(expected))


TRUNCATED = [
    ("microseconds", "2013-12-30 23:59:07.654321"), ("milliseconds", "2013-12-30 23:59:07.654"),
    ("second", "2013-12-30 23:59:07"), ("minute", "2013-12-30 23:59"), ("hour", "2013-12-30 23:00"),
    ("day", "2013-12-30"), ("week", "2013-12-30"), ("month", "2013-12-01"),
    ("quarter", "2013-10-01"), ("year", "2013-01-01"), ("decade", "2010-01-01"),
    ("century", "2001-01-01"), ("millennium", "2001-01-01"),
]  # fmt: skip


@pytest.mark.parametrize(("unit", "expected"), TRUNCATED)
def test_date_trunc(unit, expected):
    def make(parts):
        name = L(value=unit, type=TEXT)
        return Call(function="date_trunc", arguments=(name, *parts), type=TIMESTAMP)

    check_case(make, (TIMESTAMP,), (MOMENT,), stamp(expected))


def test_fields_of_intervals():
    value = I(months=-14, days=3, microseconds=-(3_600_000_000 * 5 + 61_500_000))
    expected = {
        "year": -1, "month": -2, "day": 3, "hour": -5, "minute": -1, "second": D("-1.5"),
        "decade": 0, "century": 0, "epoch": D("-31557600") - 2 * 30 * 86400 + 3 * 86400 - D("18061.5"),
        "dow": Fails("feature_not_supported"),
    }  # fmt: skip
    for field, number in expected.items():

        def make(parts, field=field):
            unit = L(value=field, type=TEXT)
            return Call(function="extract", arguments=(unit, *parts), type=decimal(20, 6))

        wanted = number if isinstance(number, Fails) else D(number).quantize(D("0.000001"))
        check_case(make, (INTERVAL,), (value,), wanted)


def test_every_function_of_the_protocol_is_served_but_the_clock():
    tested = {case[0] for case in CASES} | {"extract", "date_part", "date_trunc"}
    elsewhere = {
        "and", "or", "coalesce", "is_distinct_from", "is_not_distinct_from", "is_null",
        "is_not_null", "is_true", "is_false",
    }  # fmt: skip
    assert tested | elsewhere == FUNCTIONS - {"now"}


CAST_CASES = [
    (INT64, 40_000, INT16, Fails(RANGE)), (INT64, -5, INT16, -5), (INT16, 7, INT64, 7),
    (INT32, 7, FLOAT64, 7.0), (INT64, 7, N2, D("7.00")), (INT64, 10**9, N2, Fails(RANGE)),
    (FLOAT64, 2.5, INT32, 2), (FLOAT64, 3.5, INT32, 4), (FLOAT64, NAN, INT32, Fails(RANGE)),
    (FLOAT64, 2.0**63, INT64, Fails(RANGE)), (FLOAT64, -(2.0**63), INT64, MIN64),
    (FLOAT64, 1e300, FLOAT32, Fails(RANGE)), (FLOAT64, 0.5, FLOAT32, 0.5),
    (FLOAT64, 1.25, N2, D("1.25")), (FLOAT64, INF, N2, Fails(RANGE)),
    (FLOAT64, 1e8, N2, Fails(RANGE)), (N2, D("2.50"), INT32, 3), (N2, D("-2.50"), INT32, -3),
    (WIDE, D(2) ** 63, INT64, Fails(RANGE)), (WIDE, D(2) ** 63 - 1, INT64, MAX64),
    (N2, D("2.50"), FLOAT64, 2.5), (N4, D("1.2345"), N2, D("1.23")), (N4, D("1.2350"), N2, D("1.24")),
    (N4, D("99999999.9999"), N2, Fails(RANGE)), (BOOLEAN, True, INT32, 1), (INT32, 0, BOOLEAN, False),
    (DATE, 2, TIMESTAMP, 2 * 86_400_000_000), (TIMESTAMP, -1, DATE, -1),
    (TIMESTAMP, 5, TIMESTAMPTZ, 5),
    # from text
    (TEXT, " +0012 ", INT32, 12), (TEXT, "-0", INT64, 0), (TEXT, "abc", INT32, Fails("invalid_text_representation")),
    (TEXT, "", INT32, Fails("invalid_text_representation")), (TEXT, "1.5", INT32, Fails("invalid_text_representation")),
    (TEXT, "9223372036854775808", INT64, Fails(RANGE)), (TEXT, "-9223372036854775808", INT64, MIN64),
    (TEXT, "1" * 60, INT64, Fails(RANGE)), (TEXT, "70000", INT16, Fails(RANGE)),
    (TEXT, "1.255", N2, D("1.26")), (TEXT, "-1.255", N2, D("-1.26")), (TEXT, "1e3", N2, D("1000.00")), (TEXT, "125e-2", N2, D("1.25")),
    (TEXT, ".5", N2, D("0.50")), (TEXT, "1e9", N2, Fails(RANGE)), (TEXT, "1e-80", N2, D("0.00")),
    (TEXT, "0.004999999999999999999999999999", N2, D("0.00")),
    (TEXT, "x", N2, Fails("invalid_text_representation")),
    (TEXT, "1.5e3", FLOAT64, 1500.0), (TEXT, "NaN", FLOAT64, NAN), (TEXT, "-Infinity", FLOAT64, -INF),
    (TEXT, "1e999", FLOAT64, Fails(RANGE)), (TEXT, "1.5", FLOAT32, 1.5), (TEXT, "--1", FLOAT64, Fails("invalid_text_representation")),
    (TEXT, "yes", BOOLEAN, True), (TEXT, "OFF", BOOLEAN, False), (TEXT, "maybe", BOOLEAN, Fails("invalid_text_representation")),
    (TEXT, "2024-02-29", DATE, day("2024-02-29")), (TEXT, "2023-02-29", DATE, Fails("datetime_field_overflow")),
    (TEXT, "2024-02-29 10:11:12.5", TIMESTAMP, stamp("2024-02-29 10:11:12.500000")),
    (TEXT, "2024-02-29T10:11", TIMESTAMP, stamp("2024-02-29 10:11:00")),
    (TEXT, "soon", TIMESTAMP, Fails("invalid_datetime_format")),
    (TEXT, "2024-01-01 00:00:00+02", TIMESTAMPTZ, stamp("2023-12-31 22:00:00")),
    (TEXT, "2024-01-01 00:00:00-05:30", TIMESTAMPTZ, stamp("2024-01-01 05:30:00")),
    (TEXT, "2024-01-01 00:00:00Z", TIMESTAMPTZ, stamp("2024-01-01 00:00:00")),
    (TEXT, "2024-01-01", TIMESTAMPTZ, stamp("2024-01-01 00:00:00")),
    (TEXT, "00112233-4455-6677-8899-aabbccddeeff", UUID, bytes.fromhex("00112233445566778899aabbccddeeff")),
    (TEXT, "0011", UUID, Fails("invalid_text_representation")),
    (TEXT, "\\x00ff", BYTEA, b"\x00\xff"), (TEXT, "abc", BYTEA, b"abc"), (TEXT, "\\x0", BYTEA, Fails("invalid_text_representation")),
    (TEXT, "1 year 2 mons -3 days 04:05:06.7", INTERVAL, I(months=14, days=-3, microseconds=14_706_700_000)),
    (TEXT, "1.5 days", INTERVAL, I(days=1, microseconds=43_200_000_000)),
    (TEXT, "2 weeks ago", INTERVAL, I(days=-14)), (TEXT, "-01:30", INTERVAL, I(microseconds=-5_400_000_000)),
    (TEXT, "90", INTERVAL, I(microseconds=90_000_000)), (TEXT, "1 fortnight", INTERVAL, Fails("invalid_datetime_format")),
    (TEXT, "3 hours 20 minutes", INTERVAL, I(microseconds=12_000_000_000)),
    # to text
    (INT32, -5, TEXT, "-5"), (BOOLEAN, True, TEXT, "true"), (FLOAT64, 1.0, TEXT, "1"), (FLOAT64, 0.1, TEXT, "0.1"),
    (FLOAT64, 1e15, TEXT, "1e+15"), (FLOAT64, 1.5e-7, TEXT, "1.5e-07"), (FLOAT64, 0.00001, TEXT, "1e-05"),
    (FLOAT64, 0.0000123, TEXT, "1.23e-05"), (FLOAT64, 0.0001, TEXT, "0.0001"), (FLOAT64, 1e300, TEXT, "1e+300"),
    (FLOAT64, NAN, TEXT, "NaN"), (FLOAT64, -INF, TEXT, "-Infinity"), (FLOAT64, 123456789012345.6, TEXT, "123456789012345.6"),
    (FLOAT64, -1e14, TEXT, "-100000000000000"), (FLOAT64, 12345678901.25, TEXT, "12345678901.25"),
    (FLOAT32, 1.5, TEXT, "1.5"), (FLOAT32, 1e6, TEXT, "1e+06"), (FLOAT32, 16777216.0, TEXT, "1.6777216e+07"), (FLOAT32, 123456.5, TEXT, "123456.5"), (N2, D("-0.05"), TEXT, "-0.05"), (decimal(20, 10), D("0E-10"), TEXT, "0.0000000000"),
    (WIDE, D("-123"), TEXT, "-123"), (DATE, day("2024-02-29"), TEXT, "2024-02-29"),
    (TIMESTAMP, stamp("2024-02-29 10:11:12.500000"), TEXT, "2024-02-29 10:11:12.5"),
    (TIMESTAMP, stamp("2024-02-29 10:10:10"), TEXT, "2024-02-29 10:10:10"),
    (TIMESTAMPTZ, stamp("2024-02-29 10:10:10"), TEXT, "2024-02-29 10:10:10+00"),
    (UUID, bytes.fromhex("00112233445566778899aabbccddeeff"), TEXT, "00112233-4455-6677-8899-aabbccddeeff"),
    (BYTEA, b"\x00\xff", TEXT, "\\x00ff"),
    (INTERVAL, I(months=14, days=-3, microseconds=14_706_700_000), TEXT, "1 year 2 mons -3 days 04:05:06.7"),
    (INTERVAL, I(), TEXT, "00:00:00"), (INTERVAL, I(microseconds=-1_000_000), TEXT, "-00:00:01"), (INTERVAL, I(days=1), TEXT, "1 day"),
]  # fmt: skip


@pytest.mark.parametrize("case", CAST_CASES, ids=lambda c: f"{c[1]!r:.40} to {c[2]}")
def test_casts(case):
    source, value, target, expected = case
    check_case(lambda parts: Cast(input=parts[0], type=target), (source,), (value,), expected)


TRUTH = [True, False, None]


@pytest.mark.parametrize("name", ["and", "or"])
def test_three_valued_logic(name):
    a = pa.array([x for x in TRUTH for _ in TRUTH])
    b = pa.array(TRUTH * 3)
    parts = tuple(ColumnReference(index=i, type=BOOLEAN) for i in (0, 1))
    values, _ = run(Call(function=name, arguments=parts, type=BOOLEAN), (a, b))
    decisive = name == "or"
    expected = [
        decisive if decisive in (x, y) else None if None in (x, y) else not decisive
        for x in TRUTH for y in TRUTH
    ]  # fmt: skip
    assert values == expected


def test_null_tests_see_nulls():
    column = pa.array([1, None, 2])
    other = pa.array([1, None, None])
    pair = tuple(ColumnReference(index=i, type=INT64) for i in (0, 1))

    def one(name, *arguments):
        return run(Call(function=name, arguments=arguments, type=BOOLEAN), (column, other))[0]

    assert one("is_null", pair[0]) == [False, True, False]
    assert one("is_not_null", pair[0]) == [True, False, True]
    assert one("is_distinct_from", *pair) == [False, False, True]
    assert one("is_not_distinct_from", *pair) == [True, True, False]


COLUMN = ColumnReference(index=0, type=INT64)
RATIO = Call(function="divide", arguments=(L(value=6, type=INT64), COLUMN), type=INT64)
NONZERO = Call(function="not_equal", arguments=(COLUMN, L(value=0, type=INT64)), type=BOOLEAN)
LARGE = Call(function="greater", arguments=(RATIO, L(value=2, type=INT64)), type=BOOLEAN)


@pytest.mark.parametrize(
    ("expression", "values", "failed"),
    [
        (RATIO, [None, 3, None], {0}),
        (Call(function="and", arguments=(NONZERO, LARGE), type=BOOLEAN), [False, True, None], set()),
        (Call(function="and", arguments=(LARGE, NONZERO), type=BOOLEAN), [None, True, None], {0}),
        (
            Case(
                branches=(Branch(condition=NONZERO, value=RATIO),),
                otherwise=L(value=-1, type=INT64),
                type=INT64,
            ),
            [-1, 3, -1],
            set(),
        ),
        (Call(function="coalesce", arguments=(COLUMN, RATIO), type=INT64), [0, 2, None], set()),
        (
            Call(function="coalesce", arguments=(L(value=None, type=INT64), RATIO), type=INT64),
            [None, 3, None],
            {0},
        ),
    ],
)
def test_errors_fire_only_where_they_are_reached(expression, values, failed):
    found, codes = run(expression, (pa.array([0, 2, None]),))
    assert set(codes) == failed
    assert [v for i, v in enumerate(found) if i not in failed] == [
        v for i, v in enumerate(values) if i not in failed
    ]


def test_a_failed_cast_says_what_it_was_given():
    frame = Frame((pa.array(["1", "x", None, "y"]),), 4)
    column = ColumnReference(index=0, type=TEXT)
    evaluate(frame, Cast(input=column, type=INT32))
    (error,) = frame.errors
    assert error.messages[1].as_py() == 'invalid input syntax for type integer: "x"'
    assert np.flatnonzero(error.rows).tolist() == [1, 3]


TEXTS = st.none() | st.text(alphabet="abé ,%_\\☃", max_size=12)
NUMBERS = st.none() | st.integers(-5, 15)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(TEXTS, TEXTS, NUMBERS), min_size=1, max_size=8))
def test_functions_of_columns_are_those_of_each_row(rows):
    columns = (
        pa.array([r[0] for r in rows], pa.string()), pa.array([r[1] for r in rows], pa.string()),
        pa.array([r[2] for r in rows], pa.int32()),
    )  # fmt: skip
    text, other, number = (
        ColumnReference(index=i, type=t) for i, t in enumerate((TEXT, TEXT, INT32))
    )
    calls = {
        ("position", text, other): lambda a, b, n: a.find(b) + 1,
        ("replace", text, other, text): lambda a, b, n: a.replace(b, a) if b else a,
        ("left", text, number): lambda a, b, n: a[:n],
        ("substring", text, number): lambda a, b, n: a[max(n - 1, 0) :],
        ("starts_with", text, other): lambda a, b, n: a.startswith(b),
        ("contains", text, other): lambda a, b, n: b in a,
        ("repeat", text, number): lambda a, b, n: a * max(n, 0),
        ("reverse", text): lambda a, b, n: a[::-1],
        ("concat", text, other): lambda a, b, n: a + b,
        ("md5", text): lambda a, b, n: hashlib.md5(a.encode()).hexdigest(),
    }
    kinds = {"position": INT32, "starts_with": BOOLEAN, "contains": BOOLEAN}
    for (name, *arguments), function in calls.items():
        kind = kinds.get(name, TEXT)
        found, _ = run(Call(function=name, arguments=tuple(arguments), type=kind), columns)
        for row, value in zip(rows, found, strict=True):
            given_ = [row[a.index] for a in arguments]
            assert value == (None if None in given_ else function(*row)), name


def test_md5_of_every_length():
    texts = ["x" * n for n in range(200)]
    call = Call(function="md5", arguments=(ColumnReference(index=0, type=TEXT),), type=TEXT)
    found, _ = run(call, (pa.array(texts).slice(3),))
    assert found == [hashlib.md5(t.encode()).hexdigest() for t in texts[3:]]
