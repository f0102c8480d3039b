"""The replicas' engine in the controller's hands, for what the controller knows itself.

The controller may not know replicas, nor they it. What puts both together brings the one thing that
introspection needs of the other side: a plan's result over rows that are at hand.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from antiphon.controller.ports import Evaluated
from antiphon.protocol.command import PlanTarget
from antiphon.protocol.dataflow import DataflowDescription, Finishing
from antiphon.protocol.failure import error_of
from antiphon.protocol.ids import CollectionId
from antiphon.protocol.schema import Schema
from antiphon.replica.dataflow.columns.zset import Zset
from antiphon.replica.dataflow.graph import evaluate_once
from antiphon.replica.importing.deltas import encode
from antiphon.replica.installing.render import decode_plan, render, specs_of
from antiphon.replica.readers.data_errors import data_failure
from antiphon.replica.readers.finishing import finish


class Engine:
    """The controller's `EnginePort`."""

    def evaluate(
        self,
        target: PlanTarget,
        content: Mapping[CollectionId, pa.RecordBatch],
        *,
        finishing: Finishing,
        schema: Schema,
        rows_max: int,
        bytes_max: int,
    ) -> Evaluated:
        inputs = {collection: _zset(batch) for collection, batch in content.items()}
        plan = decode_plan(target.plan, target.imports)
        rows = evaluate_once(plan, specs_of(target.imports), inputs)
        _refuse_errors(rows)
        answer = finish(
            rows.columns,
            rows.diffs,
            finishing=finishing,
            schema=schema,
            rows_max=rows_max,
            bytes_max=bytes_max,
        )
        return Evaluated(batches=answer.batches, row_count=answer.row_count)

    def follow(self, dataflow: DataflowDescription) -> Follow:
        return Follow(dataflow)


class Follow:
    """One query kept up to date: each step feeds the engine what differs from the step before."""

    def __init__(self, dataflow: DataflowDescription) -> None:
        self._dataflow = dataflow
        self._engine = render(dataflow)
        self._before: dict[CollectionId, Zset] = {}

    def step(self, time: int, content: Mapping[CollectionId, pa.RecordBatch]) -> tuple[bytes, ...]:
        changes: dict[CollectionId, Zset] = {}
        for imported in self._dataflow.imports:
            collection, schema = imported.collection, imported.schema
            now = _zset(content[collection])
            before = self._before.get(collection, Zset.empty(schema))
            changes[collection] = Zset.concat(schema, [now, before.negated()]).consolidated()
            self._before[collection] = now
        change = self._engine.step(time, changes)
        _refuse_errors(change)
        self._engine.maintain(change.row_count + 1_000)
        return encode(self._dataflow.schema, [(time, change)]).rows


def _zset(batch: pa.RecordBatch) -> Zset:
    return Zset(tuple(batch.columns), np.ones(batch.num_rows, np.int64))


def _refuse_errors(rows: Zset) -> None:
    """Raises DataError: a row of the query could not be computed."""
    failure = data_failure(rows.errors)
    if failure is not None:
        raise error_of(failure)
