"""Where one dataflow looks up what it imports."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from antiphon.protocol.ids import CollectionId
from antiphon.protocol.schema import Schema
from antiphon.replica.dataflow.arrangements.reading import Reading
from antiphon.replica.dataflow.arrangements.trace import Trace
from antiphon.replica.dataflow.columns.zset import Zset
from antiphon.replica.dataflow.graph import Dataflow
from antiphon.replica.dataflow.operators.imported import Imported
from antiphon.replica.importing.input import Input


@dataclass(frozen=True, slots=True)
class Sought:
    """An arrangement that is needed: by which columns of the import, with which of them at least,
    and for whom."""

    key: tuple[int, ...]
    columns: tuple[int, ...]
    sides: tuple[Imported, ...] = ()
    traces: tuple[Trace, ...] = ()  # that hold the import as it is, by this key


class Lookups:
    """The arrangements that a dataflow reads and others may read too. `engine` None: none.
    `traces`: where it keeps the one import that it has, if that is all it does."""

    def __init__(self, engine: Dataflow | None, traces: Sequence[Trace] = ()) -> None:
        self._engine = engine
        self._traces = tuple(traces) if engine is not None and engine.shares else ()
        self.readings: list[tuple[CollectionId, Reading]] = []

    def sought(self, collection: CollectionId) -> tuple[Sought, ...]:
        """What it needs of an import."""
        if self._engine is None:
            return ()
        if self._traces:
            return tuple(
                Sought(tuple(sorted(trace.key_columns)), tuple(range(len(trace.schema))), (),
                       (trace,)) for trace in self._traces
            )  # fmt: skip
        found: dict[tuple[int, ...], list[Imported]] = {}
        for side in self._engine.imported:
            if side.collection == collection:
                found.setdefault(side.key, []).append(side)
        columns = self._engine.columns_read(collection) if found else ()
        return tuple(Sought(key, columns, tuple(sides)) for key, sides in found.items())

    def found(self, collection: CollectionId, reading: Reading, sought: Sought) -> None:
        """There it is."""
        self.readings.append((collection, reading))
        for side in sought.sides:
            side.reading = reading
        for trace in sought.traces:
            trace.look_up(reading)

    @property
    def are_complete(self) -> bool:
        """Whether all content has come to where it is looked up."""
        return all(reading.arrangement.is_complete for _, reading in self.readings)

    @property
    def refusals(self) -> list[tuple[str, str] | None]:
        """As of inputs, of those that fill the arrangements."""
        return [reading.filling.refusal for _, reading in self.readings]

    def sort(self, rows_max: int) -> int:
        """Sorts at most so many rows of what came for arrangements; how many that were."""
        done = 0
        for _, reading in self.readings:
            if done < rows_max:
                done += reading.arrangement.sort(rows_max - done)
        return done

    def progress(self, reader: Input) -> tuple[int, int, int]:
        """(rows done, received, expected) of an input's content. Of one that is brought those that
        were taken are done, of another those that were sorted."""
        reading = next((r for c, r in self.readings if c == reader.collection), None)
        if reading is None or self._engine is None:
            received, total = reader.rows_received, reader.rows_total
            return reader.rows_taken, received, max(received, total)
        filling = reading.filling
        done = filling.rows_received - reading.arrangement.unsorted_rows
        if self._is_brought(reader.collection):
            done = reader.rows_taken
        return done, filling.rows_received, max(filling.rows_received, filling.rows_total)

    def _is_brought(self, collection: CollectionId) -> bool:
        assert self._engine is not None, "it cannot run"
        return not self._traces and self._engine.is_brought(collection)

    def bring(self, reader: Input, as_of: int, schema: Schema) -> None:
        """Gives an input the content, where it must come as changes as well; and its errors."""
        reading = next((r for c, r in self.readings if c == reader.collection), None)
        if reading is None or self._engine is None:
            return
        if self._is_brought(reader.collection):
            for part in reading.parts(as_of, schema):
                reader.bring(part)
        errors = reading.errors(as_of)
        if errors is not None:
            nothing = Zset.empty(schema)
            reader.bring(Zset(nothing.columns, nothing.diffs, errors))
        reader.rows_total = reader.rows_received
