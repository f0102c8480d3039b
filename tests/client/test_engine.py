"""The engine in the controller's hands: one answer, or changes from one moment to the next."""

from __future__ import annotations

import pyarrow as pa
import pytest

from antiphon.cli.engine import Engine
from antiphon.controller.catalog import empty_catalog
from antiphon.controller.introspection.system import SCHEMAS, SystemCollection
from antiphon.controller.sql.algebra.constants import batch_of
from antiphon.controller.sql.planner import plan_statement
from antiphon.controller.sql.statement import Inspect, InspectChanges, StatementText
from antiphon.protocol.command import PlanTarget
from antiphon.protocol.delta import decode_batch, delta_schema
from antiphon.protocol.errors import DataError, LimitExceeded
from antiphon.protocol.ids import CollectionId
from antiphon.protocol.schema import arrow_schema

DECISIONS = SystemCollection.DECISIONS


def decisions(*rows: tuple[str, int]) -> dict[CollectionId, pa.RecordBatch]:
    full = [
        (replica, 0, session, "keep-up", "because", None, None, None) for replica, session in rows
    ]
    return {DECISIONS.id: batch_of(SCHEMAS[DECISIONS], full)}


def planned(sql: str) -> Inspect | InspectChanges:
    statement = plan_statement(StatementText(text=sql), empty_catalog())
    assert isinstance(statement, Inspect | InspectChanges)
    return statement


def ask(sql: str, *rows: tuple[str, int], rows_max: int = 100) -> list[dict[str, object]]:
    statement = planned(sql)
    assert isinstance(statement, Inspect)
    read = statement.read
    assert isinstance(read.target, PlanTarget)
    answer = Engine().evaluate(
        read.target, decisions(*rows), finishing=read.finishing, schema=read.schema,
        rows_max=rows_max, bytes_max=1_000_000,
    )  # fmt: skip
    found: list[dict[str, object]] = []
    for batch in answer.batches:
        found += decode_batch(batch, arrow_schema(read.schema)).to_pylist()
    assert len(found) == answer.row_count
    return found


def test_an_answer_is_computed_ordered_and_cut() -> None:
    sql = (
        "SELECT replica, count(*) AS n FROM antiphon.decisions GROUP BY replica "
        "ORDER BY n DESC LIMIT 1"
    )
    assert ask(sql, ("r1", 1), ("r2", 1), ("r2", 2)) == [{"replica": "r2", "n": 2}]
    assert ask(sql) == []


def test_an_answer_may_be_an_error() -> None:
    with pytest.raises(DataError):
        ask("SELECT 1 / (session - 1) FROM antiphon.decisions", ("r1", 1))
    with pytest.raises(LimitExceeded):
        ask("SELECT * FROM antiphon.decisions", ("r1", 1), ("r1", 2), rows_max=1)


def test_changes_add_up_to_what_is_there() -> None:
    statement = planned("SUBSCRIBE TO (SELECT replica, count(*) AS n FROM antiphon.decisions "
                        "GROUP BY replica)")  # fmt: skip
    assert isinstance(statement, InspectChanges)
    follow = Engine().follow(statement.dataflow)
    seen: list[tuple[object, ...]] = []
    moments = [[("r1", 1)], [("r1", 1)], [("r1", 1), ("r1", 2), ("r2", 1)], [("r2", 1)]]
    for time, moment in enumerate(moments, start=10):
        for batch in follow.step(time, decisions(*moment)):
            rows = decode_batch(batch, delta_schema(statement.schema)).to_pylist()
            seen += sorted(tuple(row.values()) for row in rows)
    assert seen == [
        ("r1", 1, 10, 1),
        ("r1", 1, 12, -1), ("r1", 2, 12, 1), ("r2", 1, 12, 1),
        ("r1", 2, 13, -1),
    ]  # fmt: skip
