"""What the operators of a dataflow have done and hold, as rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import pyarrow as pa

from antiphon.protocol.ids import CollectionId, show
from antiphon.protocol.profile import PROFILE
from antiphon.protocol.schema import arrow_schema
from antiphon.replica.dataflow.graph import Dataflow
from antiphon.replica.dataflow.trace import Trace
from antiphon.replica.dataflow.zset import Zset

_NANOSECONDS: Final = 1_000_000  # a millisecond


def profile(engine: Dataflow, kept: Sequence[tuple[CollectionId, Trace]]) -> Zset:
    """Rows of `PROFILE`: the operators of the engine, whose clock counts nanoseconds, and the
    traces that keep what comes out of it."""
    rows: list[tuple[int | float | str, ...]] = []
    for number, (counters, operator) in enumerate(engine.operators()):
        came = counters.rows_in - counters.loaded_in
        left = counters.rows_out - counters.loaded_out
        state = (operator.state_rows, operator.state_bytes)
        took_ms = counters.ticks / _NANOSECONDS
        inputs = ", ".join(str(node) for node in counters.inputs)
        done = (counters.loaded_in, came, left, counters.steps)
        rows.append((number, counters.name, inputs, *done, *state, took_ms))
    output = engine.counters()[engine.output]
    for collection, trace in kept:
        done = (output.loaded_out, output.rows_out - output.loaded_out, 0, output.steps)
        state = (trace.row_count, trace.byte_count)
        name = f"kept as {show(collection)}"
        rows.append((len(rows), name, str(engine.output), *done, *state, 0.0))
    columns = [
        pa.array([row[index] for row in rows], field.type)
        for index, field in enumerate(arrow_schema(PROFILE))
    ]
    return Zset(tuple(columns), np.ones(len(rows), np.int64))
