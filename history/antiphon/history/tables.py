"""What a transaction writes, and the little that it must read: the port of every store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa

from antiphon.history.appends import KeyConflict, KeyedRows
from antiphon.history.revision import Side
from antiphon.history.store import CatalogChange, NewShard, StoredCommand
from antiphon.protocol.frontier import Frontier
from antiphon.protocol.ids import CollectionId, Position, ProducerId


@dataclass(frozen=True, slots=True)
class ProducerEntry:
    """The first remembered sequence at or after the one that was asked for."""

    sequence: int
    time: int
    row_count: int


class Tables(Protocol):
    """What `perform` writes, and the little that it must read: the durable form of a store."""

    def add_command(self, command: StoredCommand) -> None: ...
    def base(self) -> tuple[StoredCommand, ...]: ...
    def log(self, to: Position) -> tuple[StoredCommand, ...]:
        """The commands after the base up to `to`."""
        ...

    def put_base(self, to: Position, digest: bytes, base: tuple[StoredCommand, ...]) -> None:
        """In the place of the base and of the log up to `to`."""
        ...

    def add_shard(self, shard: NewShard) -> None: ...
    def drop_shard(self, collection: CollectionId) -> None: ...
    def put_catalog(self, change: CatalogChange) -> None: ...
    def put_shard_upper(self, collection: CollectionId, upper: Frontier) -> None: ...
    def put_since(self, collection: CollectionId, since: int) -> None: ...
    def put_compaction(self, collection: CollectionId, frontier: Frontier) -> None:
        """Closed: forget the collection."""
        ...

    def add_run(
        self, collection: CollectionId, side: Side, times: tuple[int, int],
        batches: tuple[pa.RecordBatch, ...],
    ) -> None:  # fmt: skip
        """A raw run; `times`: its first and last."""
        ...

    def draft_run(
        self, draft: int, collection: CollectionId, side: Side, times: tuple[int, int],
        batches: tuple[pa.RecordBatch, ...], *, extends: bool,
    ) -> None:  # fmt: skip
        """A raw run that nobody reads before `publish`. `extends`: they go on with the draft's last
        run of that side."""
        ...

    def publish(self, draft: int) -> None: ...
    def discard(self, draft: int) -> None:
        """Either way the draft is over."""
        ...

    def producer_entry(self, producer: ProducerId, sequence: int) -> ProducerEntry | None: ...
    def remember(self, producer: ProducerId, entry: ProducerEntry) -> None:
        """And forget those that are too far behind it."""
        ...

    def leased(self, now_ms: int) -> int | None:
        """The earliest time that somebody who does not write has reserved; None: nobody has."""
        ...

    def change_keys(
        self, collection: CollectionId, removed: KeyedRows, added: KeyedRows
    ) -> KeyConflict | None:
        """Removed first, then added: all of them, or nothing and the first conflict."""
        ...
