"""Where one dataflow looks up what it imports."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from antiphon.protocol.ids import CollectionId
from antiphon.protocol.schema import Schema
from antiphon.protocol.selection import ALL, Selection, holds
from antiphon.replica.dataflow.arrangements.reading import Reading
from antiphon.replica.dataflow.arrangements.trace import Trace
from antiphon.replica.dataflow.columns.zset import Zset
from antiphon.replica.dataflow.graph import Dataflow
from antiphon.replica.dataflow.operators.imported import Imported
from antiphon.replica.importing.input import Input

What = tuple[tuple[int, ...], Selection]  # by which columns of an import, and which of its rows


@dataclass(frozen=True, slots=True)
class Sought:
    """An arrangement that is needed: by which columns of the import, with which of them at least,
    of which rows, and for whom."""

    key: tuple[int, ...]
    columns: tuple[int, ...]
    selection: Selection = ALL
    sides: tuple[Imported, ...] = ()
    traces: tuple[Trace, ...] = ()  # that hold the import as it is, by this key

    @property
    def what(self) -> What:
        return self.key, self.selection


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
            whole = tuple(range(len(self._traces[0].schema)))
            return tuple(
                Sought(tuple(sorted(trace.key_columns)), whole, traces=(trace,))
                for trace in self._traces
            )
        found: dict[What, list[Imported]] = {}
        for side in self._engine.imported:
            if side.collection == collection:
                found.setdefault((side.key, side.selection), []).append(side)
        bringing = self._bringing(collection)
        read = self._engine.columns_read(collection) if found else ()
        sought = []
        for (key, selection), sides in found.items():
            # Of what is selected some columns may have been for the selection alone.
            needed = {column for side in sides for column in side.columns}
            columns = tuple(sorted(needed)) if selection not in (ALL, bringing) else read
            sought.append(Sought(key, columns, selection, tuple(sides)))
        return tuple(sought)

    def _bringing(self, collection: CollectionId) -> Selection | None:
        """What is arranged of an import from which it can be brought what must come as changes;
        None: nothing has all of it, or nothing must come."""
        assert self._engine is not None, "it cannot run"
        brought = self._engine.brought(collection)
        if not brought:
            return None
        arranged = [side.selection for side in self._engine.imported
                    if side.collection == collection]  # fmt: skip
        return max((each for each in arranged if holds(each, brought)), key=len, default=None)

    def looks_up(self, collection: CollectionId) -> bool:
        """Whether an import's content need not come: all of it that is asked for is found where it
        is arranged."""
        if self._engine is None:
            return False
        if self._traces:
            return True
        if not any(side.collection == collection for side in self._engine.imported):
            return False
        is_brought = bool(self._engine.brought(collection))
        return not is_brought or self._bringing(collection) is not None

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
        reading = self._brings(reader) or self._first(reader)
        if reading is None or self._engine is None or not reader.looks_up:
            received, total = reader.rows_received, reader.rows_total
            return reader.rows_taken, received, max(received, total)
        filling = reading.filling
        done = filling.rows_received - reading.arrangement.unsorted_rows
        if self._brings(reader) is not None:
            done = reader.rows_taken
        return done, filling.rows_received, max(filling.rows_received, filling.rows_total)

    def _first(self, reader: Input) -> Reading | None:
        return next((r for c, r in self.readings if c == reader.collection), None)

    def _brings(self, reader: Input) -> Reading | None:
        """Where an input's content is brought from, if it must come as changes."""
        if self._engine is None or self._traces:
            return None
        selection = self._bringing(reader.collection)
        return next(
            (r for c, r in self.readings if c == reader.collection and r.selection == selection),
            None,
        )

    def bring(self, reader: Input, as_of: int, schema: Schema) -> None:
        """Gives an input that looks its content up what of it must come as changes as well; and
        its errors."""
        first = self._first(reader)
        if first is None or self._engine is None or not reader.looks_up:
            return
        reading = self._brings(reader)
        for part in [] if reading is None else reading.parts(as_of, schema):
            reader.bring(part)
        errors = first.errors(as_of)
        if errors is not None:
            nothing = Zset.empty(schema)
            reader.bring(Zset(nothing.columns, nothing.diffs, errors))
        reader.rows_total = reader.rows_received
