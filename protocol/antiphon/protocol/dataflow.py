"""What a replica is asked to keep up to date: imports, a plan, exports, and from when."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from antiphon.protocol.frontier import Frontier
from antiphon.protocol.ids import CollectionId, is_transient
from antiphon.protocol.schema import Schema


class CollectionKind(IntEnum):
    TABLE = 1
    FEED = 2
    INDEX = 3
    MATERIALIZED_VIEW = 4
    SUBSCRIBE = 5
    COPY_TO = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """An input. Tables and feeds come from the store; indexes and materialized views from another
    dataflow of the same replica. `key_columns`: feeds only."""

    collection: CollectionId
    kind: CollectionKind
    schema: Schema
    key_columns: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexExport:
    key_columns: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MaterializedViewExport:
    key_columns: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscribeExport:
    with_snapshot: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyToExport:
    uri: str
    format: str


ExportKind = IndexExport | MaterializedViewExport | SubscribeExport | CopyToExport


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    collection: CollectionId
    kind: ExportKind


@dataclass(frozen=True, slots=True, kw_only=True)
class DataflowDescription:
    """`plan` is a serialized `antiphon.v1.Plan`, never re-encoded: the fingerprint is of its bytes.
    All exports are of the plan's result, whose columns are `schema`."""

    name: str
    imports: tuple[Import, ...]
    plan: bytes
    exports: tuple[Export, ...]
    as_of: Frontier
    schema: Schema
    until: Frontier | None = None  # updates at or after it are not produced

    @property
    def is_transient(self) -> bool:
        return all(is_transient(export.collection) for export in self.exports)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finishing:
    """How a result is ordered and cut; applied in the order of the fields."""

    order_by: tuple[tuple[int, bool, bool], ...] = ()  # (column, descending, nulls first)
    offset: int = 0
    limit: int | None = None
    project: tuple[int, ...] | None = None  # None: all columns


UNFINISHED = Finishing()
