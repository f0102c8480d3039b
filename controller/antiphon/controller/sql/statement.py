"""Statements: SQL as the driver performs it. A closed set of frozen values.

A statement is planned against one catalog and is valid for that catalog's version alone: it holds
ids taken from `catalog.next_id`. Plan it again when the catalog has moved.

`antiphon.controller.sql.planner` makes them: `split_statements(text)` gives the pieces of a text,
`plan_statement(piece, catalog)` plans one. `sql.statements.named` serves the calls that
name a collection instead of writing SQL.

What the planner cannot know is left open, and said so: times (`as_of` of a dataflow is START,
`created_at_ms` of an item is 0) and the transient id of a subscribe (its dataflow has no exports).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import pyarrow as pa

from antiphon.controller.catalog import CatalogItem
from antiphon.protocol.command import IndexTarget, PlanTarget
from antiphon.protocol.dataflow import DataflowDescription, Finishing
from antiphon.protocol.ids import CollectionId
from antiphon.protocol.schema import Schema


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """One read at one time: what a `Peek` needs."""

    target: IndexTarget | PlanTarget
    schema: Schema  # of the answer, after the finishing
    finishing: Finishing
    # Collections whose trace or shard is read: take read holds on these.
    imports: tuple[CollectionId, ...]
    # Tables and feeds under them: if these did not change, neither did the answer.
    sources: tuple[CollectionId, ...]
    as_of: int | None = None  # AS OF; None: after the latest completed write


# Statements that change the catalog. Each is one transaction; the item's id is `catalog.next_id`.


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateTable:
    """`item.key_columns`: the primary key, maybe none. `content`: AS, what it holds from the start;
    of the item that is yet to be."""

    item: CatalogItem
    content: Insert | InsertSelect | None = None
    tag: str = "CREATE TABLE"


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateFeed:
    item: CatalogItem
    tag: str = "CREATE FEED"


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateView:
    """Names and a plan only: no command, no shard. `replaces`: a view that goes with it."""

    item: CatalogItem
    replaces: CollectionId | None = None
    tag: str = "CREATE VIEW"


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateMaterializedView:
    """A shard, and the dataflow that fills it. Its one export has the item's id."""

    item: CatalogItem
    dataflow: DataflowDescription
    tag: str = "CREATE MATERIALIZED VIEW"


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateIndex:
    """A dataflow whose one export has the item's id."""

    item: CatalogItem
    dataflow: DataflowDescription
    tag: str = "CREATE INDEX"


@dataclass(frozen=True, slots=True, kw_only=True)
class DropItems:
    """`items`: dependants before what they need."""

    items: tuple[CatalogItem, ...]
    tag: str
    notices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AlterSystem:
    """Settings and their values, checked; `default` takes one back. Durable like the catalog."""

    values: Mapping[str, str]
    tag: str = "ALTER SYSTEM"


# Statements that change data.


@dataclass(frozen=True, slots=True, kw_only=True)
class Returning:
    """What a change answers with: a row for each that it writes, or deletes. `rows`: where they are
    known when it is planned. `is_clocked`: it may say what the time of the statement was, so that
    another attempt would not say the same."""

    schema: Schema
    is_clocked: bool
    rows: pa.RecordBatch | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Insert:
    """`rows`: the item's columns, then `antiphon_diff`; ready to append. A feed: upserts."""

    item: CatalogItem
    rows: pa.RecordBatch
    returning: Returning | None = None
    tag: str = "INSERT"


@dataclass(frozen=True, slots=True, kw_only=True)
class InsertSelect:
    """Read, then append `antiphon.controller.sql.statements.change.inserted_rows`.

    The answer has the item's columns; here and in all that follow, those of RETURNING, if there is
    such a clause, stand behind the answer's own.
    """

    item: CatalogItem
    read: Read
    returning: Returning | None = None
    tag: str = "INSERT"


@dataclass(frozen=True, slots=True, kw_only=True)
class Merge:
    """INSERT ... ON CONFLICT DO UPDATE: read at the latest time, then append
    `antiphon.controller.sql.statements.change.merged_rows`, if `read.sources` are unchanged since.

    The answer says whether a row was there; then it has the item's columns as they are, or nulls,
    and the same columns as they shall be.
    """

    item: CatalogItem
    read: Read
    returning: Returning | None = None
    tag: str = "INSERT"


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """Read at the latest time, then append `sql.statements.change.updated_rows`, if
    `read.sources` are unchanged since.

    The answer has the item's columns as they are, then the same columns as they shall be.
    """

    item: CatalogItem
    read: Read
    returning: Returning | None = None
    tag: str = "UPDATE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delete:
    """Read at the latest time, then append `sql.statements.change.deleted_rows`, if
    `read.sources` are unchanged since. The answer has the item's columns."""

    item: CatalogItem
    read: Read
    returning: Returning | None = None
    tag: str = "DELETE"


# Statements that read.


@dataclass(frozen=True, slots=True, kw_only=True)
class Select:
    read: Read
    tag: str = "SELECT"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """An answer known without any replica: constants, EXPLAIN, and SHOW of the catalog."""

    schema: Schema
    rows: pa.RecordBatch
    tag: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscribe:
    """A transient dataflow, without its export (the driver gives the transient id) and `as_of`."""

    dataflow: DataflowDescription
    with_snapshot: bool
    imports: tuple[CollectionId, ...]
    sources: tuple[CollectionId, ...]
    as_of: int | None = None
    tag: str = "SUBSCRIBE"

    @property
    def schema(self) -> Schema:
        """Of the subscribed rows, without time and diff."""
        return self.dataflow.schema


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """A transient dataflow whose content at one time becomes a file; its export and its times are
    the driver's."""

    dataflow: DataflowDescription
    imports: tuple[CollectionId, ...]
    uri: str
    tag: str = "COPY"


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspect:
    """A read of introspection collections alone: the controller answers it from what it knows.
    Its target is a plan, over their ids."""

    read: Read
    tag: str = "SELECT"


@dataclass(frozen=True, slots=True, kw_only=True)
class InspectChanges:
    """A subscribe to introspection collections alone, on a timeline of their own."""

    dataflow: DataflowDescription
    imports: tuple[CollectionId, ...]
    with_snapshot: bool
    tag: str = "SUBSCRIBE"

    @property
    def schema(self) -> Schema:
        return self.dataflow.schema


@dataclass(frozen=True, slots=True)
class ShowReplicas:
    tag: str = "SHOW"


@dataclass(frozen=True, slots=True)
class ShowSettings:
    """SHOW ALL: the instance's configuration; or SHOW name, of one setting."""

    name: str | None = None
    tag: str = "SHOW"


@dataclass(frozen=True, slots=True, kw_only=True)
class Nothing:
    """Nothing to do: IF [NOT] EXISTS found it so."""

    tag: str
    notices: tuple[str, ...] = ()


CatalogStatement = (
    CreateTable | CreateFeed | CreateView | CreateMaterializedView | CreateIndex | DropItems
    | AlterSystem
)  # fmt: skip
DataStatement = Insert | InsertSelect | Merge | Update | Delete
ReadStatement = (
    Select | Rows | Subscribe | Copy | Inspect | InspectChanges | ShowReplicas | ShowSettings
)
Statement = CatalogStatement | DataStatement | ReadStatement | Nothing

STATEMENTS: Final[tuple[type[Statement], ...]] = (
    CreateTable, CreateFeed, CreateView, CreateMaterializedView, CreateIndex, DropItems,
    AlterSystem,
    Insert, InsertSelect, Merge, Update, Delete, Select, Rows, Subscribe, Copy, Inspect,
    InspectChanges, ShowReplicas, ShowSettings, Nothing,
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementText:
    """One statement of a text, without its semicolon; where it begins, from 1. Line 0 is what was
    put before the text that the caller sent."""

    text: str
    line: int = 1
    column: int = 1
