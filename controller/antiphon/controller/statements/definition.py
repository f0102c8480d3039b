"""Statements that change the catalog: one transaction each, one after the other.

A statement becomes durable whole: its catalog rows, with them the plan bytes, the numbered commands
that it causes, and the shards that it creates or drops. What a client was told is durable. A
statement that was planned on an older catalog is planned again, for it holds names and ids of then.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
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
from antiphon.controller.ports import DoneReply, ErrorReply, ReplanReply, Reply
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
    Insert,
)
from antiphon.history.store import Append, CatalogChange, Committed, Completion, NewShard, Refused
from antiphon.protocol.dataflow import CollectionKind, DataflowDescription
from antiphon.protocol.frontier import CLOSED
from antiphon.protocol.ids import CollectionId, Position

OnEnd = Callable[[Reply | None], None]
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


def define(statement: CatalogStatement, now_ms: int, content: Append | None = None) -> Definition:
    """The definition of a statement that is performed now; `content`: of the table it makes."""
    match statement:
        case CreateTable(item=item) | CreateFeed(item=item):
            added, kind = _added(item, now_ms), item.collection_kind
            assert kind is not None, "tables and feeds are collections"
            stored = StoredInput(collection=item.id, kind=kind, schema=item.schema)
            shard = replace(_shard(item), content=content)
            return Definition(changes=(added,), stored=(stored,), new_shards=(shard,))
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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Waiting:
    """A statement, the rows that its table holds from the start, and who hears what became of it:
    None if that was replied already."""

    event: StatementReceived
    statement: CatalogStatement
    content: Append | None
    on_end: OnEnd

    @property
    def done(self) -> DoneReply:
        """What is said once it is durable."""
        if self.content is None:
            return DoneReply(tag=self.statement.tag)
        row_count = self.content.rows.num_rows
        time = self.content.unchanged_since
        return DoneReply(tag=f"SELECT {row_count}", row_count=row_count, time=time)


class Definitions:
    """Performs catalog statements, in order of arrival, one at a time."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._queue: deque[_Waiting] = deque()
        self._busy = False

    def begin(
        self,
        event: StatementReceived,
        statement: CatalogStatement,
        content: Append | None = None,
        on_end: OnEnd | None = None,
    ) -> None:
        """`content`: what a new table holds, which was read for it. `on_end`: hears the reply in
        place of the caller."""

        def reply(reply: Reply | None) -> None:
            if reply is not None:
                self._kernel.reply(event.request, reply)

        self._queue.append(
            _Waiting(event=event, statement=statement, content=content, on_end=on_end or reply)
        )
        self._next()

    def _next(self) -> None:
        while self._queue and not self._busy:
            waiting = self._queue.popleft()
            if waiting.event.catalog_version != self._kernel.catalog.version:
                waiting.on_end(ReplanReply())
                continue
            self._perform(self._with_known_content(waiting))

    def _with_known_content(self, waiting: _Waiting) -> _Waiting:
        """With the rows that were known when it was planned, as of now."""
        match waiting.statement:
            case CreateTable(item=item, content=Insert(rows=rows)):
                time = self._kernel.oracle.read_time
                content = Append(collection=item.id, rows=rows, unchanged_since=time)
                return replace(waiting, content=content)
            case _:
                return waiting

    def _perform(self, waiting: _Waiting) -> None:
        kernel, event, statement = self._kernel, waiting.event, waiting.statement
        definition = define(statement, kernel.now_ms, waiting.content)
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
            waiting.on_end(None)  # refused, and replied
            return
        self._busy = True
        after = kernel.catalog.apply(definition.changes)

        def done(completion: Completion) -> None:
            self._busy = False
            match completion:
                case Committed():
                    # Replicas may have come and gone meanwhile; items change one by one, here.
                    kernel.catalog = after.with_replicas(kernel.catalog.replicas)
                    self._on_durable(waiting, definition, numbered, completion)
                case Refused(error=error):
                    kernel.step(InstallRefused(request=event.request))
                    waiting.on_end(ErrorReply(error))
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
        waiting: _Waiting,
        definition: Definition,
        numbered: tuple[NumberedEntry, ...],
        committed: Committed,
    ) -> None:
        first = committed.head - len(numbered) + 1
        self._kernel.step(
            InstallDurable(
                request=waiting.event.request,
                positions=tuple(Position(first + at) for at in range(len(numbered))),
                head=committed.head,
                head_digest=committed.digest,
            )
        )
        waiting.on_end(replace(waiting.done, notices=definition.notices))


def _row(change: Change) -> CatalogChange:
    match change:
        case AddItem(item=item):
            return CatalogChange(collection=item.id, content=item_to_bytes(item))
        case RemoveItem(id=removed):
            return CatalogChange(collection=removed, content=None)
        case _:
            assert_never(change)
