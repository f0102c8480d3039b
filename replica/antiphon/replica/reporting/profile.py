"""What the operators of a dataflow have done and hold, as rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import pyarrow as pa

from antiphon.protocol.ids import CollectionId, show
from antiphon.protocol.profile import PROFILE
from antiphon.protocol.schema import arrow_schema
from antiphon.replica.dataflow.arrangements.arrangement import Arrangement
from antiphon.replica.dataflow.arrangements.reading import Reading
from antiphon.replica.dataflow.arrangements.trace import Trace
from antiphon.replica.dataflow.columns.zset import Zset
from antiphon.replica.dataflow.graph import Dataflow
from antiphon.replica.dataflow.operators.imported import Imported

_NANOSECONDS: Final = 1_000_000  # a millisecond


def profile(
    engine: Dataflow, kept: Sequence[tuple[CollectionId, Trace]], readings: Sequence[Reading]
) -> Zset:
    """Rows of `PROFILE`: the operators of the engine, whose clock counts nanoseconds, and the
    traces that keep what comes out of it. What is looked up in an arrangement that others may read
    too is said once, with the number of its readers."""
    rows: list[tuple[int | float | str, ...]] = []
    shared = _Shared(readings)
    for number, (counters, operator) in enumerate(engine.operators()):
        came = counters.rows_in - counters.loaded_in
        left = counters.rows_out - counters.loaded_out
        state = (operator.state_rows, operator.state_bytes)
        name = counters.name
        if isinstance(operator, Imported) and operator.reading is not None:
            said, state = shared.told(operator.reading.arrangement, number)
            rows_of = " selected rows" if operator.selection else ""
            name = f"{name}{rows_of} of {show(operator.collection)}, {said}"
        took_ms = counters.ticks / _NANOSECONDS
        inputs = ", ".join(str(node) for node in counters.inputs)
        done = (counters.loaded_in, came, left, counters.steps)
        rows.append((number, name, inputs, *done, *state, took_ms))
    output = engine.counters()[engine.output]
    for collection, trace in kept:
        done = (output.loaded_out, output.rows_out - output.loaded_out, 0, output.steps)
        state = (trace.row_count, trace.byte_count)
        name = f"kept as {show(collection)}"
        if trace.shared is not None:
            said, state = shared.told(trace.shared, len(rows))
            name = f"{name}, {said}"
        rows.append((len(rows), name, str(engine.output), *done, *state, 0.0))
    columns = [
        pa.array([row[index] for row in rows], field.type)
        for index, field in enumerate(arrow_schema(PROFILE))
    ]
    return Zset(tuple(columns), np.ones(len(rows), np.int64))


class _Shared:
    """Arrangements that others may read too."""

    def __init__(self, readings: Sequence[Reading]) -> None:
        self._readers = [(each.arrangement, each.filling.reader_count) for each in readings]
        self._told: list[tuple[Arrangement, int]] = []

    def told(self, arrangement: Arrangement, number: int) -> tuple[str, tuple[int, int]]:
        """What is said of it in a row, and the state that is counted there."""
        before = next((at for other, at in self._told if other is arrangement), None)
        if before is not None:
            return f"the one of {before}", (0, 0)
        self._told.append((arrangement, number))
        count = next((n for other, n in self._readers if other is arrangement), 0)
        said = "read by it alone" if count == 1 else f"shared by {count}"
        return said, (arrangement.row_count, arrangement.byte_count)
