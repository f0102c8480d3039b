"""AT TIME ZONE against Python's own reading of the time zone database."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.protocol.expression import Call, ColumnReference, Literal
from antiphon.protocol.schema import TEXT, TIMESTAMP, TIMESTAMPTZ, arrow_type
from antiphon.replica.dataflow.expressions.evaluate import evaluate
from antiphon.replica.dataflow.expressions.frame import Frame

ZONES = ["America/New_York", "Europe/Berlin", "Asia/Kolkata", "Australia/Lord_Howe", "Etc/GMT+2",
         "America/Santiago", "Africa/Casablanca", "Europe/Dublin"]  # fmt: skip
MOMENTS = st.one_of(
    st.datetimes(dt.datetime(1975, 1, 1), dt.datetime(2150, 1, 1)),
    st.datetimes(dt.datetime(2037, 10, 1), dt.datetime(2039, 1, 1)),
    st.datetimes(dt.datetime(1975, 1, 1), dt.datetime(9998, 1, 1)),
)


def at_zone(zone, values, kind):
    """The values through the engine, and what failed."""
    result = TIMESTAMP if kind == TIMESTAMPTZ else TIMESTAMPTZ
    column = pa.array(values, pa.timestamp("us")).cast(arrow_type(kind))
    call = Call(
        function="timezone",
        arguments=(Literal(value=zone, type=TEXT), ColumnReference(index=0, type=kind)),
        type=result,
    )
    frame = Frame([column], len(values))
    return evaluate(frame, call).array.to_pylist(), frame.errors


def instant_of(local, zone):
    """PostgreSQL's rule: skipped times by the offset before, doubled ones are the later."""
    earlier, later = (local.replace(tzinfo=ZoneInfo(zone), fold=fold) for fold in (0, 1))
    is_doubled = earlier.utcoffset() > later.utcoffset()
    return (later if is_doubled else earlier).astimezone(dt.UTC)


@given(st.sampled_from(ZONES), st.lists(st.none() | MOMENTS, min_size=1, max_size=5))
def test_an_instant_is_what_clocks_show_there(zone, instants):
    found, errors = at_zone(zone, instants, TIMESTAMPTZ)
    expected = [
        None if i is None
        else i.replace(tzinfo=dt.UTC).astimezone(ZoneInfo(zone)).replace(tzinfo=None, fold=0)
        for i in instants
    ]  # fmt: skip
    assert (found, errors) == (expected, [])


@given(st.sampled_from(ZONES), st.lists(st.none() | MOMENTS, min_size=1, max_size=5))
def test_what_clocks_show_is_an_instant(zone, shown):
    found, errors = at_zone(zone, shown, TIMESTAMP)
    assert found == [None if local is None else instant_of(local, zone) for local in shown]
    assert not errors


@pytest.mark.parametrize(
    ("shown", "instant"),
    [
        (dt.datetime(2024, 3, 10, 2, 30), dt.datetime(2024, 3, 10, 7, 30, tzinfo=dt.UTC)),
        (dt.datetime(2024, 11, 3, 1, 30), dt.datetime(2024, 11, 3, 6, 30, tzinfo=dt.UTC)),
        (dt.datetime(2053, 3, 9, 2, 30), dt.datetime(2053, 3, 9, 7, 30, tzinfo=dt.UTC)),
        (dt.datetime(2053, 11, 2, 1, 30), dt.datetime(2053, 11, 2, 6, 30, tzinfo=dt.UTC)),
        (dt.datetime(2400, 7, 1, 12, 0), dt.datetime(2400, 7, 1, 16, 0, tzinfo=dt.UTC)),
    ],
    ids=["skipped", "doubled", "skipped by rules", "doubled by rules", "summer by rules"],
)
def test_times_that_clocks_skip_and_show_twice(shown, instant):
    assert at_zone("America/New_York", [shown], TIMESTAMP) == ([instant], [])


def test_beyond_the_rules_of_zones_is_an_error_of_the_row():
    call = Call(
        function="timezone",
        arguments=(
            Literal(value="Asia/Tokyo", type=TEXT), ColumnReference(index=0, type=TIMESTAMP),
        ),
        type=TIMESTAMPTZ,
    )  # fmt: skip
    frame = Frame([pa.array([300_000_000_000_000_000, 0], pa.timestamp("us"))], 2)
    evaluate(frame, call)
    assert [(e.rows.tolist(), e.messages) for e in frame.errors] == [
        ([True, False], "timestamp out of range")
    ]


@given(st.lists(st.tuples(st.none() | st.sampled_from([*ZONES, "UTC", "Mars/Phobos", "+02"]),
                          st.none() | MOMENTS), min_size=1, max_size=6),
       st.sampled_from([TIMESTAMP, TIMESTAMPTZ]))  # fmt: skip
def test_each_row_has_a_zone_of_its_own(rows, kind):
    zones, moments = [zone for zone, _ in rows], [moment for _, moment in rows]
    result = TIMESTAMP if kind == TIMESTAMPTZ else TIMESTAMPTZ
    columns = [pa.array(zones, arrow_type(TEXT)), pa.array(moments, pa.timestamp("us"))]
    columns[1] = columns[1].cast(arrow_type(kind))
    call = Call(
        function="timezone_of",
        arguments=(ColumnReference(index=0, type=TEXT), ColumnReference(index=1, type=kind)),
        type=result,
    )
    frame = Frame(columns, len(rows))
    found = evaluate(frame, call).array.to_pylist()
    unknown = [zone in ("Mars/Phobos", "+02") and m is not None for zone, m in rows]
    failed = {row for error in frame.errors for row in error.rows.nonzero()[0].tolist()}
    assert failed == {place for place, is_unknown in enumerate(unknown) if is_unknown}
    for (zone, moment), value, is_unknown in zip(rows, found, unknown, strict=True):
        if not is_unknown:
            expected = [None] if zone is None else at_zone(zone, [moment], kind)[0]
            assert [value] == expected
