"""Every function, by examples whose answers are PostgreSQL's."""

import hashlib
import math

import pytest

from antiphon.protocol.expression import FUNCTIONS, NESTED, Call
from antiphon.protocol.expression import Interval as I
from antiphon.protocol.expression import Literal as L
from antiphon.protocol.schema import (
    BOOLEAN,
    BYTEA,
    DATE,
    FLOAT64,
    INT16,
    INT32,
    INT64,
    INTERVAL,
    TEXT,
    TIMESTAMP,
    TIMESTAMPTZ,
    UUID,
    decimal,
)
from tests.replica.dataflow.examples import (
    INF,
    MAX64,
    MIN64,
    N2,
    N4,
    NAN,
    RANGE,
    WIDE,
    ZERO,
    D,
    Fails,
    check_case,
    day,
    stamp,
)

TINY = decimal(38, 38)
DATES = "datetime_field_overflow"
LAST_DAY = 9_223_371_331_200_000_000 - 86_400_000_000

CASES = [
    # the value of a subquery, and how many rows it has
    ("only_row", (TEXT, INT64), ("a", 1), TEXT, "a"),
    ("only_row", (TEXT, INT64), (None, None), TEXT, None),
    ("only_row", (TEXT, INT64), ("a", 2), TEXT, Fails("cardinality_violation")),
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
    ("multiply", (WIDE, WIDE), (D(10**38 - 1), D(10**38 - 1)), WIDE, Fails(RANGE)),
    ("multiply", (WIDE, WIDE), (D(10**38 - 1), D(0)), WIDE, D(0)),
    ("multiply", (TINY, TINY), (D("0.5"), D("0.5")), TINY, D("0.25")),
    ("multiply", (TINY, TINY), (D("0." + "9" * 38), D("-0.5")), TINY, D("-0.5")),
    ("multiply", (TINY, TINY), (D("0." + "9" * 38), D("0." + "9" * 38)), TINY,
     D("0." + "9" * 37 + "8")),
    ("divide", (N2, N2), (D("1.00"), D("3.00")), decimal(38, 6), D("0.333333")),
    ("divide", (N2, N2), (D("2.00"), D("3.00")), decimal(38, 6), D("0.666667")),
    ("divide", (N2, N2), (D("-2.00"), D("3.00")), decimal(38, 6), D("-0.666667")),
    ("divide", (N2, N2), (D("0.01"), D("0.02")), decimal(38, 0), D("1")),
    ("divide", (N2, N2), (D("1.00"), D("0.00")), decimal(38, 6), Fails(ZERO)),
    ("divide", (WIDE, WIDE), (D(10) ** 37, D(7)), decimal(38, 1),
     D("1428571428571428571428571428571428571.4")),
    ("divide", (WIDE, WIDE), (D(10**37), D(10**37 - 1)), decimal(38, 20),
     D("1.00000000000000000000")),
    ("modulo", (N2, N2), (D("-7.50"), D("2.00")), N2, D("-1.50")),
    ("modulo", (WIDE, WIDE), (D(10**37 + 1), D(10**30)), WIDE, D(1)),
    ("modulo", (N2, N2), (D("1.00"), D("0.00")), N2, Fails(ZERO)),
    ("abs", (N2,), (D("-7.50"),), N2, D("7.50")),
    ("negate", (N2,), (D("7.50"),), N2, D("-7.50")),
    # one zero
    ("atan2", (FLOAT64, FLOAT64), (0.0, -0.0), FLOAT64, 0.0),
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
    ("sign", (FLOAT64,), (NAN,), FLOAT64, 0.0),
    ("sign", (N2,), (D("-2.50"),), N2, D("-1.00")),
    ("sqrt", (FLOAT64,), (9.0,), FLOAT64, 3.0),
    ("sqrt", (FLOAT64,), (-1.0,), FLOAT64, Fails("invalid_argument_for_power_function")),
    ("power", (FLOAT64, FLOAT64), (2.0, 10.0), FLOAT64, 1024.0),
    ("power", (FLOAT64, FLOAT64), (0.0, -1.0), FLOAT64,
     Fails("invalid_argument_for_power_function")),
    ("power", (FLOAT64, FLOAT64), (-1.0, 0.5), FLOAT64,
     Fails("invalid_argument_for_power_function")),
    ("power", (FLOAT64, FLOAT64), (10.0, 400.0), FLOAT64, Fails(RANGE)),
    ("exp", (FLOAT64,), (1.0,), FLOAT64, math.e),
    ("ln", (FLOAT64,), (0.0,), FLOAT64, Fails("invalid_argument_for_logarithm")),
    ("ln", (FLOAT64,), (math.e,), FLOAT64, 1.0),
    ("log10", (FLOAT64,), (1000.0,), FLOAT64, 3.0),
    ("cbrt", (FLOAT64,), (-27.0,), FLOAT64, -3.0),
    ("sin", (FLOAT64,), (0.0,), FLOAT64, 0.0),
    ("sin", (FLOAT64,), (INF,), FLOAT64, Fails(RANGE)),
    ("cos", (FLOAT64,), (NAN,), FLOAT64, NAN),
    ("tan", (FLOAT64,), (0.0,), FLOAT64, 0.0),
    ("asin", (FLOAT64,), (1.0,), FLOAT64, math.pi / 2),
    ("asin", (FLOAT64,), (1.5,), FLOAT64, Fails(RANGE)),
    ("acos", (FLOAT64,), (-2.0,), FLOAT64, Fails(RANGE)),
    ("acos", (FLOAT64,), (1.0,), FLOAT64, 0.0),
    ("atan", (FLOAT64,), (INF,), FLOAT64, math.pi / 2),
    ("atan2", (FLOAT64, FLOAT64), (1.0, 0.0), FLOAT64, math.pi / 2),
    # bits, in two's complement; a shift goes round at the width
    ("bitwise_and", (INT32, INT32), (-1, 12), INT32, 12),
    ("bitwise_or", (INT64, INT64), (MIN64, 1), INT64, MIN64 + 1),
    ("bitwise_xor", (INT16, INT16), (-1, 1), INT16, -2),
    ("bitwise_not", (INT64,), (0,), INT64, -1),
    ("shift_left", (INT32, INT32), (1, 31), INT32, -(2**31)),
    ("shift_left", (INT32, INT32), (1, 33), INT32, 2),
    ("shift_right", (INT64, INT64), (-8, 1), INT64, -4),
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
    ("regexp_replace", (TEXT, TEXT, TEXT, TEXT), ("a1B2", "([a-z])", r"<\1>", "gi"), TEXT,
     "<a>1<B>2"),
    ("octet_length", (TEXT,), ("été",), INT32, 5),
    ("ascii", (TEXT,), ("été",), INT32, 233),
    ("ascii", (TEXT,), ("",), INT32, 0),
    ("md5", (TEXT,), ("hello",), TEXT, hashlib.md5(b"hello").hexdigest()),
    # dates and times
    ("add", (DATE, INT32), (10, 5), DATE, 15),
    ("subtract", (DATE, INT32), (10, 15), DATE, -5),
    ("subtract", (DATE, DATE), (10, 15), INT32, -5),
    ("add", (DATE, INT32), (2**31 - 1, 1), DATE, Fails("datetime_field_overflow")),
    ("add", (TIMESTAMP, INTERVAL), (stamp("2024-01-31"), I(months=1)), TIMESTAMP,
     stamp("2024-02-29")),
    ("subtract", (TIMESTAMP, INTERVAL), (stamp("2024-03-31 10:00"), I(months=1, days=1)),
     TIMESTAMP, stamp("2024-02-28 10:00")),
    ("add", (TIMESTAMPTZ, INTERVAL), (0, I(microseconds=-1)), TIMESTAMPTZ, -1),
    ("add", (TIMESTAMP, INTERVAL), (2**62, I(months=2**31 - 1)), TIMESTAMP,
     Fails("datetime_field_overflow")),
    ("subtract", (TIMESTAMP, TIMESTAMP), (stamp("2024-01-02 01:00"), stamp("2024-01-01")),
     INTERVAL, I(days=1, microseconds=3_600_000_000)),
    ("subtract", (TIMESTAMP, TIMESTAMP), (stamp("2024-01-01"), stamp("2024-01-02 01:00")),
     INTERVAL, I(days=-1, microseconds=-3_600_000_000)),
    ("add", (INTERVAL, INTERVAL), (I(months=1), I(days=2)), INTERVAL, I(months=1, days=2)),
    ("negate", (INTERVAL,), (I(months=1, days=-2),), INTERVAL, I(months=-1, days=2)),
    ("multiply", (INTERVAL, FLOAT64), (I(months=1), 1.5), INTERVAL, I(months=1, days=15)),
    ("multiply", (INTERVAL, FLOAT64), (I(days=1), 0.5), INTERVAL, I(microseconds=43_200_000_000)),
    ("divide", (INTERVAL, FLOAT64), (I(days=1), 2.0), INTERVAL, I(microseconds=43_200_000_000)),
    ("divide", (INTERVAL, FLOAT64), (I(days=1), 0.0), INTERVAL, Fails(ZERO)),
    ("divide", (INTERVAL, FLOAT64), (I(days=49), 49.0), INTERVAL, I(days=1)),
    ("divide", (INTERVAL, FLOAT64), (I(days=1), INF), INTERVAL, I()),
    ("multiply", (INTERVAL, FLOAT64), (I(days=1), NAN), INTERVAL, Fails(DATES)),
    ("multiply", (INTERVAL, FLOAT64), (I(months=1, days=-3), 0.5), INTERVAL,
     I(days=14, microseconds=-43_200_000_000)),
    ("add", (DATE, INT32), (0, 2**31 - 1), DATE, Fails(DATES)),
    ("subtract", (DATE, INT32), (0, 2**31 - 1), DATE, Fails(DATES)),
    ("add", (TIMESTAMP, INTERVAL), (0, I(days=2**31 - 1)), TIMESTAMP, Fails(DATES)),
    ("add", (TIMESTAMP, INTERVAL), (0, I(months=2**31 - 1)), TIMESTAMP, Fails(DATES)),
    ("add", (TIMESTAMP, INTERVAL), (0, I(months=12 * 200_000)), TIMESTAMP,
     (200_000 * 146_097 // 400) * 86_400_000_000),
    ("add", (TIMESTAMP, INTERVAL), (LAST_DAY, I(microseconds=86_399_999_999)), TIMESTAMP,
     LAST_DAY + 86_399_999_999),
    ("add", (TIMESTAMP, INTERVAL), (LAST_DAY, I(microseconds=86_400_000_000)), TIMESTAMP,
     Fails(DATES)),
    ("subtract", (TIMESTAMP, TIMESTAMP), (LAST_DAY, -210_866_803_200_000_000), INTERVAL,
     Fails(DATES)),
    ("age", (TIMESTAMP, TIMESTAMP), (stamp("2001-04-10"), stamp("1957-06-13")), INTERVAL,
     I(months=43 * 12 + 9, days=27)),
    ("age", (TIMESTAMP, TIMESTAMP), (stamp("1957-06-13"), stamp("2001-04-10")), INTERVAL,
     I(months=-(43 * 12 + 9), days=-27)),
    ("age", (TIMESTAMP, TIMESTAMP), (stamp("2024-03-01"), stamp("2024-01-31 12:00")), INTERVAL,
     I(months=1, microseconds=43_200_000_000)),
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
        "decade": 0, "century": 0,
        "epoch": D("-31557600") - 2 * 30 * 86400 + 3 * 86400 - D("18061.5"),
        "dow": Fails("feature_not_supported"),
    }  # fmt: skip
    for field, number in expected.items():

        def make(parts, field=field):
            unit = L(value=field, type=TEXT)
            return Call(function="extract", arguments=(unit, *parts), type=decimal(20, 6))

        wanted = number if isinstance(number, Fails) else D(number).quantize(D("0.000001"))
        check_case(make, (INTERVAL,), (value,), wanted)


def test_the_epoch_of_a_long_interval_is_exact():
    """Its microseconds are more than 64 bits hold."""
    unit = L(value="epoch", type=TEXT)
    for months, seconds in ((300_000 * 12, "9467280000000"), (2**31 - 1, "5647452494616000")):
        for sign in (1, -1):
            value = I(months=sign * months, microseconds=-500_000)
            wanted = (sign * D(seconds) - D("0.5")).quantize(D("0.000001"))
            for function, kind, result in (
                ("extract", decimal(22, 6), wanted), ("date_part", FLOAT64, float(wanted)),
            ):  # fmt: skip

                def make(parts, function=function, kind=kind):
                    return Call(function=function, arguments=(unit, *parts), type=kind)

                check_case(make, (INTERVAL,), (value,), result)


def test_every_function_of_the_protocol_is_served_but_the_clock():
    tested = {case[0] for case in CASES} | {"extract", "date_part", "date_trunc"}
    elsewhere = {
        "and", "or", "coalesce", "is_distinct_from", "is_not_distinct_from", "is_null",
        "is_not_null", "is_true", "is_false", "timezone", "timezone_of", *NESTED,
        # by expressions of SQL, in tests/controller/sql/test_known_answers.py
        "translate", "initcap", "chr", "encode", "decode", "to_hex", "sha256", "utf8_bytes",
        "regexp_count", "regexp_substring", "regexp_groups", "regexp_place", "regexp_split",
        "regexp_all", "regexp_all_groups", "normalize",
        "number_text", "fit_text", "get_byte", "get_bit", "set_byte", "set_bit", "byte_bit_count",
        "trim_bytes", "ltrim_bytes", "rtrim_bytes", "utf8_text", "sha224", "sha384", "sha512",
        "to_bin", "to_oct",
        "sinh", "cosh", "tanh", "asinh", "acosh", "atanh", "cot", "sind", "cosd", "tand", "cotd",
        "asind", "acosd", "atand", "atan2d", "log2", "gcd", "lcm", "factorial",
        "bit_count", "width_bucket", "quotient",
        "make_timestamp", "make_interval", "date_bin", "justify_days", "justify_hours",
        "justify_interval",
    }  # fmt: skip
    assert tested | elsewhere == FUNCTIONS - {"now"}
