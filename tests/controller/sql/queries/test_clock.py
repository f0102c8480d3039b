"""The current time in what is kept up to date: bounds for each row, or a refusal by name."""

from __future__ import annotations

import datetime as dt
import random

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from antiphon.replica.dataflow.columns.zset import Zset
from tests.controller.sql.recorded import check
from tests.controller.sql.ticking import View
from tests.controller.sql.world import World


def test_comparisons_with_the_clock_become_bounds_as_recorded() -> None:
    check("clock")


CLOCKS = (
    "current_date", "now()::date", "now()", "date_trunc('month', now())",
    "date_trunc('week', now())", "date_trunc('year', now())",
    "date_trunc('hour', now())", "date_trunc('quarter', now())",
)  # fmt: skip
FIXED = ("interval '1 day'", "interval '-3 days'", "interval '5 hours'", "interval '90 minutes'")
MONTHS = ("interval '1 month'", "interval '13 months -2 days'", "interval '-1 month'")
START = dt.datetime(2023, 11, 27)


def random_condition(pick: random.Random) -> str:
    clock = pick.choice(CLOCKS)
    whole_days = clock != "now()" and "hour" not in clock
    side = clock
    if whole_days and pick.random() < 0.6:
        side += f" {pick.choice('+-')} {pick.choice(MONTHS)}"
    for _ in range(pick.randrange(2)):
        side += f" {pick.choice('+-')} {pick.choice(FIXED)}"
    compared = ["<", "<=", ">", ">="] + (["=", "="] if clock != "now()" else [])
    sides = [side, "moment"] if pick.random() < 0.5 else ["moment", side]
    return f" {pick.choice(compared)} ".join(sides)


@pytest.mark.parametrize("seed", range(4))
def test_rows_are_there_when_the_comparison_is_true(seed: int) -> None:
    """At random seconds of four months, among them the end of February, as DuckDB evaluates the
    comparison with the clock of that second."""
    pick = random.Random(seed)
    world, oracle = World(), duckdb.connect()
    world.run("CREATE TABLE r (moment timestamp)")
    table = world.catalog.find("r")
    assert table is not None
    conditions = [random_condition(pick) for _ in range(16)]
    views = [(c, View(world, f"SELECT moment FROM r WHERE {c}")) for c in conditions]
    days = [START + dt.timedelta(days=pick.randrange(-420, 420)) for _ in range(150)]
    days += [START + dt.timedelta(days=n) for n in range(150)]
    rows = [day + dt.timedelta(hours=pick.choice([0, 0, 0, 7, 23])) for day in days]
    oracle.execute("CREATE TABLE r (moment timestamp)")
    oracle.executemany("INSERT INTO r VALUES (?)", [[row] for row in rows])
    seconds = sorted(
        {86_400 * pick.randrange(120) + pick.choice([0, 0, 1, 40_000]) for _ in range(60)}
    )
    change = {table.id: Zset((pa.array(rows, pa.timestamp("us")),), np.ones(len(rows), np.int64))}
    for number, second in enumerate(seconds):
        now = START + dt.timedelta(seconds=second)
        now_ms = int(now.replace(tzinfo=dt.UTC).timestamp() * 1000)
        for condition, view in views:
            due = view.flow.next_time
            while due is not None and due < now_ms:
                view.time = due - 1
                view.step({})
                due = view.flow.next_time
            view.time = now_ms - 1
            view.step(change if number == 0 else {})
            instant = f"TIMESTAMP '{now}'"
            said = condition.replace("current_date", f"{instant}::date").replace("now()", instant)
            theirs = oracle.execute(f"SELECT moment FROM r WHERE {said} ORDER BY moment").fetchall()
            assert sorted(view.rows()) == theirs, f"seed {seed}: {condition} at {now}"
