"""Where one dataflow looks up what it imports."""

from __future__ import annotations

from dataclasses import dataclass

from antiphon.protocol.ids import CollectionId
from antiphon.protocol.schema import Schema
from antiphon.replica.dataflow.graph import Dataflow
from antiphon.replica.dataflow.operators.imported import Imported
from antiphon.replica.dataflow.reading import Reading
from antiphon.replica.dataflow.zset import Zset
from antiphon.replica.input import Input


@dataclass(frozen=True, slots=True)
class Sought:
    """An arrangement that is needed: by which columns of the import, with which of them at least,
    and for whom."""

    key: tuple[int, ...]
    columns: tuple[int, ...]
    sides: tuple[Imported, ...]


class Lookups:
    """The arrangements that a dataflow reads and others may read too. `engine` None: none."""

    def __init__(self, engine: Dataflow | None) -> None:
        self._engine = engine
        self.readings: list[tuple[CollectionId, Reading]] = []

    def sought(self, collection: CollectionId) -> tuple[Sought, ...]:
        """What it needs of an import."""
        if self._engine is None:
            return ()
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

    @property
    def are_complete(self) -> bool:
        """Whether all content has come to where it is looked up."""
        return all(reading.arrangement.is_complete for _, reading in self.readings)

    @property
    def refusals(self) -> list[tuple[str, str] | None]:
        """As of inputs, of those that fill the arrangements."""
        return [reading.refusal for _, reading in self.readings]

    def bring(self, reader: Input, as_of: int, schema: Schema) -> None:
        """Gives an input the content, where it must come as changes as well; and its errors."""
        reading = next((r for c, r in self.readings if c == reader.collection), None)
        if reading is None or self._engine is None:
            return
        if self._engine.is_brought(reader.collection):
            for part in reading.parts(as_of, schema):
                reader.bring(part)
        errors = reading.errors(as_of)
        if errors is not None:
            nothing = Zset.empty(schema)
            reader.bring(Zset(nothing.columns, nothing.diffs, errors))
        reader.rows_total = reader.rows_received
