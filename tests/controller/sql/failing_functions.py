"""What fails by itself in a row with the values beside it, and in no other: an expression for every
function that can fail at all, as a statement calls it."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pyarrow as pa

from tests.controller.sql.world import Row

TABLES = """
CREATE TABLE r (
    id int, i int, h smallint, l bigint, n numeric(10,2), w numeric(38,0), f float8, s text,
    t timestamp, v interval, u interval
);
CREATE TABLE o (g int, j int)
"""
NAMES = ("id", "i", "h", "l", "n", "w", "f", "s", "t", "v", "u")
GOOD: Row = (
    1, 2, 2, 2, Decimal(2), Decimal(2), 0.5, "2", dt.datetime(2024, 1, 1),
    pa.MonthDayNano([0, 1, 0]), None,
)  # fmt: skip
LEAST = -(2**63)
Failing = tuple[str, dict[str, Any]]
# By the function of plans.
FAILING: dict[str, Failing] = {
    "add": ("l + 1", {"l": 2**63 - 1}),
    "subtract": ("l - 1", {"l": LEAST}),
    "multiply": ("w * 10", {"w": Decimal("1e37")}),
    "divide": ("l / (l + 1)", {"l": -1}),
    "modulo": ("n % (n - 3.00)", {"n": Decimal(3)}),
    "negate": ("- l", {"l": LEAST}),
    "abs": ("abs(l)", {"l": LEAST}),
    "quotient": ("div(n, n - 3.00)", {"n": Decimal(3)}),
    "round": ("round(w, -2)", {"w": Decimal("9" * 38)}),
    "sqrt": ("sqrt(f - 0.25)", {"f": 0.0}),
    "power": ("power(f, -1)", {"f": 0.0}),
    "exp": ("exp(f)", {"f": 1000.0}),
    "ln": ("ln(f)", {"f": 0.0}),
    "log10": ("log10(f)", {"f": -1.0}),
    "log2": ("log2(f)", {"f": 0.0}),
    "sin": ("sin(f)", {"f": float("inf")}),
    "cos": ("cos(f)", {"f": float("inf")}),
    "tan": ("tan(f)", {"f": float("-inf")}),
    "cot": ("cot(f)", {"f": float("inf")}),
    "asin": ("asin(f)", {"f": 1.5}),
    "acos": ("acos(f)", {"f": -1.5}),
    "acosh": ("acosh(f + 1)", {"f": -0.5}),
    "atanh": ("atanh(f)", {"f": 1.5}),
    "sind": ("sind(f)", {"f": float("inf")}),
    "cosd": ("cosd(f)", {"f": float("inf")}),
    "tand": ("tand(f)", {"f": float("inf")}),
    "cotd": ("cotd(f)", {"f": float("inf")}),
    "asind": ("asind(f)", {"f": 1.5}),
    "acosd": ("acosd(f)", {"f": 1.5}),
    "gcd": ("gcd(l, 0)", {"l": LEAST}),
    "lcm": ("lcm(l, 4611686018427387903)", {"l": 2**62}),
    "factorial": ("factorial(l)", {"l": -1}),
    "width_bucket": ("width_bucket(f, 0, 1, i)", {"i": 0}),
    "substring": ("substring(s, 1, i)", {"i": -1}),
    "lpad": ("length(lpad(s, i))", {"i": 2_000_000_000}),
    "rpad": ("length(rpad(s, i))", {"i": 2_000_000_000}),
    "repeat": ("length(repeat(s, i))", {"i": 2_000_000_000}),
    "split_part": ("split_part(s, '-', i)", {"i": 0}),
    "chr": ("chr(i)", {"i": 0}),
    "decode": ("decode(s || '2', 'hex')", {"s": "x"}),
    "regexp_match": ("s ~ s", {"s": "("}),
    "regexp_replace": ("regexp_replace(s, s, '')", {"s": "("}),
    "regexp_count": ("regexp_count(s, s)", {"s": "("}),
    "regexp_substring": ("regexp_substr(s, s)", {"s": "("}),
    "regexp_place": ("regexp_instr(s, s)", {"s": "("}),
    "regexp_groups": ("regexp_match(s, s)", {"s": "("}),
    "regexp_split": ("regexp_split_to_array(s, s)", {"s": "("}),
    "to_timestamp": ("to_timestamp(f)", {"f": 1e20}),
    "make_date": ("make_date(2024, i, 1)", {"i": 13}),
    "make_timestamp": ("make_timestamp(2024, 1, 1, i, 0, 0)", {"i": 25}),
    "make_interval": ("make_interval(years => i)", {"i": 2_000_000_000}),
    "date_bin": ("date_bin(v, t, timestamp '2024-01-01')", {"v": pa.MonthDayNano([1, 0, 0])}),
    "justify_hours": ("justify_hours(v)", {"v": pa.MonthDayNano([0, 2**31 - 1, 86_400 * 10**9])}),
    "justify_days": ("justify_days(v)", {"v": pa.MonthDayNano([2**31 - 1, 30, 0])}),
    "justify_interval": ("justify_interval(v)", {"v": pa.MonthDayNano([2**31 - 1, 30, 0])}),
    "timezone": ("timezone('Asia/Tokyo', to_timestamp(f))", {"f": 9223371331199.0}),
    "date_trunc": ("date_trunc('week', u)", {"u": pa.MonthDayNano([0, 1, 0])}),
    "extract": ("extract(week from u)", {"u": pa.MonthDayNano([0, 1, 0])}),
    "date_part": ("date_part('week', u)", {"u": pa.MonthDayNano([0, 1, 0])}),
    "cast": ("s::int", {"s": "x"}),
    "only_row": ("(select o.j from o where o.g = r.i)", {"i": 9}),
}  # fmt: skip


def row(number: int, values: dict[str, Any]) -> Row:
    given = {"id": number, **values}
    return tuple(given.get(name, value) for name, value in zip(NAMES, GOOD, strict=True))
