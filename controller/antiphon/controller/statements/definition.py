"""Statements that change the catalog: one transaction each, one after the other.

A statement becomes durable whole: its catalog rows, with them the plan bytes, the numbered commands
that it causes, and the shards that it creates or drops. What a client was told is durable. A
statement that was planned on an older catalog is planned again, for it holds names and ids of then.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import assert_never

from antiphon.controller.catalog import AddItem, CatalogItem, Change, ItemKind, RemoveItem
from antiphon.controller.catalog_codec import item_to_bytes
from antiphon.controller.instance.event import (
    InstallDurable,
    InstallRefused,
    InstallRequested,
    StoredInput,
)
from antiphon.controller.instance.ready import NumberedEntry
from antiphon.controller.kernel import Kernel
from antiphon.controller.ports import DoneReply, ErrorReply, ReplanReply
from antiphon.controller.request import StatementReceived
from antiphon.controller.sql.statement import (
    AlterSystem,
    CatalogStatement,
    CreateFeed,
    CreateIndex,
    CreateMaterializedView,
    CreateTable,
    CreateView,
    DropItems,
)
from antiphon.history.store import CatalogChange, Committed, Completion, NewShard, Refused
from antiphon.protocol.dataflow import CollectionKind, DataflowDescription
from antiphon.protocol.frontier import CLOSED
from antiphon.protocol.ids import CollectionId, Position

SHARD_KINDS = (ItemKind.TABLE, ItemKind.FEED, ItemKind.MATERIALIZED_VIEW)


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """What a statement changes, before any time is chosen."""

    changes: tuple[Change, ...]
    stored: tuple[StoredInput, ...] = ()
    dataflows: tuple[DataflowDescription, ...] = ()
    drops: tuple[CollectionId, ...] = ()  # collections; a plain view is none
    new_shards: tuple[NewShard, ...] = ()
    dropped_shards: tuple[CollectionId, ...] = ()
    notices: tuple[str, ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)


def define(statement: CatalogStatement, now_ms: int) -> Definition:
    """The definition of a statement that is performed now."""
    match statement:
        case CreateTable(item=item) | CreateFeed(item=item):
            added, kind = _added(item, now_ms), item.collection_kind
            assert kind is not None, "tables and feeds are collections"
            stored = StoredInput(collection=item.id, kind=kind, schema=item.schema)
            return Definition(changes=(added,), stored=(stored,), new_shards=(_shard(item),))
        case AlterSystem(values=values):
            return Definition(changes=(), settings=values)
        case CreateView(item=item, replaces=replaced):
            gone = () if replaced is None else (RemoveItem(replaced),)
            return Definition(changes=(*gone, _added(item, now_ms)))
        case CreateMaterializedView(item=item, dataflow=dataflow):
            return Definition(
                changes=(_added(item, now_ms),), dataflows=(dataflow,), new_shards=(_shard(item),)
            )
        case CreateIndex(item=item, dataflow=dataflow):
            return Definition(changes=(_added(item, now_ms),), dataflows=(dataflow,))
        case DropItems(items=items, notices=notices):
            return Definition(
                changes=tuple(RemoveItem(item.id) for item in items),
                drops=tuple(item.id for item in items if item.collection_kind is not None),
                dropped_shards=tuple(item.id for item in items if item.kind in SHARD_KINDS),
                notices=notices,
            )
        case _:
            assert_never(statement)


def _added(item: CatalogItem, now_ms: int) -> AddItem:
    return AddItem(replace(item, created_at_ms=now_ms))


def _shard(item: CatalogItem) -> NewShard:
    kind = item.collection_kind
    assert kind is not None, f"{item} holds nothing"
    # The key columns of a materialized view only arrange it; the store keeps tables' keys unique.
    unique = () if kind is CollectionKind.MATERIALIZED_VIEW else item.key_columns
    return NewShard(collection=item.id, kind=kind, schema=item.schema, unique_key=unique)


class Definitions:
    """Performs catalog statements, in order of arrival, one at a time."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._queue: deque[tuple[StatementReceived, CatalogStatement]] = deque()
        self._busy = False

    def begin(self, event: StatementReceived, statement: CatalogStatement) -> None:
        self._queue.append((event, statement))
        self._next()

    def _next(self) -> None:
        while self._queue and not self._busy:
            event, statement = self._queue.popleft()
            if event.catalog_version != self._kernel.catalog.version:
                self._kernel.reply(event.request, ReplanReply())
                continue
            self._perform(event, statement)

    def _perform(self, event: StatementReceived, statement: CatalogStatement) -> None:
        kernel = self._kernel
        definition = define(statement, kernel.now_ms)
        numbered = kernel.step(
            InstallRequested(
                request=event.request,
                stored=definition.stored,
                dataflows=definition.dataflows,
                drops=definition.drops,
                settings=definition.settings,
            )
        )
        if event.request not in kernel.instance.state.installs:
            return  # refused, and replied
        self._busy = True
        after = kernel.catalog.apply(definition.changes)

        def done(completion: Completion) -> None:
            self._busy = False
            match completion:
                case Committed():
                    # Replicas may have come and gone meanwhile; items change one by one, here.
                    kernel.catalog = after.with_replicas(kernel.catalog.replicas)
                    self._on_durable(event, statement, definition, numbered, completion)
                case Refused(error=error):
                    kernel.step(InstallRefused(request=event.request))
                    kernel.reply(event.request, ErrorReply(error))
            self._next()

        kernel.submit(
            done,
            commands=tuple(kernel.number(entry.command, at) for at, entry in enumerate(numbered)),
            new_shards=definition.new_shards,
            dropped_shards=definition.dropped_shards,
            catalog=tuple(_row(change) for change in definition.changes),
            next_id=after.next_id,
            compaction=dict.fromkeys(definition.drops, CLOSED),
        )

    def _on_durable(
        self,
        event: StatementReceived,
        statement: CatalogStatement,
        definition: Definition,
        numbered: tuple[NumberedEntry, ...],
        committed: Committed,
    ) -> None:
        first = committed.head - len(numbered) + 1
        self._kernel.step(
            InstallDurable(
                request=event.request,
                positions=tuple(Position(first + at) for at in range(len(numbered))),
                head=committed.head,
                head_digest=committed.digest,
            )
        )
        reply = DoneReply(tag=statement.tag, notices=definition.notices)
        self._kernel.reply(event.request, reply)


def _row(change: Change) -> CatalogChange:
    match change:
        case AddItem(item=item):
            return CatalogChange(collection=item.id, content=item_to_bytes(item))
        case RemoveItem(id=removed):
            return CatalogChange(collection=removed, content=None)
        case _:
            assert_never(change)
