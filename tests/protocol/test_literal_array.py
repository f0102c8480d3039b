"""Literals become Arrow columns."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pyarrow as pa

from antiphon.protocol.expression import Interval
from antiphon.protocol.literal_array import literal_array
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
    Column,
    arrow_type,
    decimal,
    list_of,
    struct_of,
)

PAIR = struct_of(Column(name="a", type=FLOAT32), Column(name="b", type=TEXT))
EXAMPLES = (
    (BOOLEAN, True, True),
    (INT16, 1, 1),
    (INT32, 2, 2),
    (INT64, 3, 3),
    (FLOAT32, 0.5, 0.5),
    (FLOAT64, 0.25, 0.25),
    (decimal(5, 2), Decimal("1.50"), Decimal("1.50")),
    (TEXT, "x", "x"),
    (BYTEA, b"y", b"y"),
    (DATE, 1, dt.date(1970, 1, 2)),
    (TIMESTAMP, 1_500_000, dt.datetime(1970, 1, 1, 0, 0, 1, 500_000)),
    (TIMESTAMPTZ, 0, dt.datetime(1970, 1, 1, tzinfo=dt.UTC)),
    (INTERVAL, Interval(months=1, days=2, microseconds=3), pa.MonthDayNano([1, 2, 3000])),
    (UUID, b"\x01" * 16, b"\x01" * 16),
    (list_of(DATE), (1, None), [dt.date(1970, 1, 2), None]),
    (list_of(list_of(INT32)), ((1,), None, ()), [[1], None, []]),
    (PAIR, (0.5, None), {"a": 0.5, "b": None}),
    (list_of(PAIR), ((None, "x"), None), [{"a": None, "b": "x"}, None]),
)


def test_every_type_has_its_column() -> None:
    for kind, value, shown in EXAMPLES:
        column = literal_array(kind, [value, None])
        assert column.type == arrow_type(kind)
        assert column.to_pylist() == [shown, None]
