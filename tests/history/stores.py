"""What the tests of the history share: rows, schemas, and both stores behind one driver."""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from queue import Queue
from typing import Any

import pyarrow as pa

from antiphon.history.io.sqlite import SqliteStore, open_store
from antiphon.history.memory import MemoryStore
from antiphon.history.store import (
    Append,
    AppendApplied,
    AppendRefused,
    Committed,
    Completion,
    Fence,
    InDraft,
    NewShard,
    Opened,
    Refused,
    ShardAppend,
    Submission,
    Tick,
)
from antiphon.protocol.dataflow import CollectionKind
from antiphon.protocol.delta import DIFF_COLUMN, ERROR_SCHEMA, Delta, delta_schema
from antiphon.protocol.errors import ComputeError
from antiphon.protocol.frontier import Frontier
from antiphon.protocol.ids import ClaimId, CollectionId, HistoryId, InstanceId
from antiphon.protocol.schema import INT64, TEXT, Column, Schema, arrow_schema

TABLE, FEED, VIEW, BAG = (CollectionId(number) for number in (1, 2, 3, 4))
SCHEMA = Schema((Column(name="id", type=INT64, nullable=False), Column(name="name", type=TEXT)))
WAIT_S = 100  # on however busy a machine

Row = tuple[Any, ...]


def rows(*entries: Row, schema: Schema = SCHEMA) -> pa.RecordBatch:
    """Appended rows: values, then the diff."""
    target = arrow_schema(schema).append(pa.field(DIFF_COLUMN, pa.int64()))
    return _batch(entries, target)


def inserted(*entries: Row) -> pa.RecordBatch:
    return rows(*((*entry, 1) for entry in entries))


def deleted(*entries: Row) -> pa.RecordBatch:
    return rows(*((*entry, -1) for entry in entries))


def updates(*entries: Row, schema: Schema = SCHEMA) -> pa.RecordBatch:
    """A delta's rows: values, then time and diff."""
    return _batch(entries, delta_schema(schema))


def error_updates(*entries: Row) -> pa.RecordBatch:
    return _batch(entries, ERROR_SCHEMA)


def _batch(entries: Iterable[Row], schema: pa.Schema) -> pa.RecordBatch:
    columns = list(zip(*entries, strict=True)) or [()] * len(schema)
    return pa.RecordBatch.from_arrays(
        [pa.array(column, kind) for column, kind in zip(columns, schema.types, strict=True)],
        schema=schema,
    )


def shard(collection: CollectionId, kind: CollectionKind, *key: int) -> NewShard:
    return NewShard(collection=collection, kind=kind, schema=SCHEMA, unique_key=key)


SHARDS = (
    shard(TABLE, CollectionKind.TABLE, 0),
    shard(FEED, CollectionKind.FEED, 0),
    shard(VIEW, CollectionKind.MATERIALIZED_VIEW),
    shard(BAG, CollectionKind.TABLE),
)


def entries_of(deltas: Iterable[Delta]) -> list[Row]:
    """Row updates as tuples, in the order of the deltas."""
    return [
        tuple(row.values()) for delta in deltas for batch in delta.rows for row in batch.to_pylist()
    ]


def errors_of(deltas: Iterable[Delta]) -> list[Row]:
    return [
        tuple(row.values())
        for delta in deltas
        for batch in delta.errors
        for row in batch.to_pylist()
    ]


class Driver:
    """One controller on a store: submits and waits for the completion."""

    def __init__(self, store: MemoryStore | SqliteStore, opened: Opened, fence: Fence) -> None:
        self.store = store
        self.opened = opened
        self.fence = fence
        self._tokens = itertools.count(1)

    def complete(self, submission: Submission) -> Completion:
        raise NotImplementedError

    def submission(self, **parts: Any) -> Submission:
        parts.setdefault("fence", self.fence)
        parts.setdefault("now_ms", 1_000)
        return Submission(token=next(self._tokens), **parts)

    def submit(self, **parts: Any) -> Completion:
        submission = self.submission(**parts)
        completion = self.complete(submission)
        assert completion.token == submission.token
        return completion

    def commit(self, **parts: Any) -> Committed:
        completion = self.submit(**parts)
        assert isinstance(completion, Committed), completion
        return completion

    def refuse(self, **parts: Any) -> ComputeError:
        completion = self.submit(**parts)
        assert isinstance(completion, Refused), completion
        return completion.error

    def tick(self, time: int, *appends: Append) -> tuple[AppendApplied | AppendRefused, ...]:
        return self.commit(tick=Tick(time=time, appends=appends)).outcomes

    def append(self, time: int, collection: CollectionId, batch: pa.RecordBatch) -> AppendApplied:
        (outcome,) = self.tick(time, Append(collection=collection, rows=batch))
        assert isinstance(outcome, AppendApplied), outcome
        return outcome

    def append_refused(
        self, time: int, collection: CollectionId, batch: pa.RecordBatch
    ) -> ComputeError:
        (outcome,) = self.tick(time, Append(collection=collection, rows=batch))
        assert isinstance(outcome, AppendRefused), outcome
        return outcome.error

    def append_view(
        self, lower: int, upper: int | None, *entries: Row, errors: tuple[Row, ...] = ()
    ) -> tuple[bool, Frontier]:
        delta = Delta(
            rows=(updates(*entries),) if entries else (),
            errors=(error_updates(*errors),) if errors else (),
        )
        append = ShardAppend(
            collection=VIEW,
            expected_upper=Frontier(lower),
            new_upper=Frontier(upper),
            delta=delta,
        )
        return self.commit(shard_appends=(append,)).shard_uppers[0]

    def piece(
        self,
        draft: int,
        before: int,
        *entries: Row,
        interval: tuple[int, int | None] = (1, 10),
        errors: tuple[Row, ...] = (),
    ) -> ShardAppend:
        """A piece of an append to the view that comes in several."""
        return ShardAppend(
            collection=VIEW,
            expected_upper=Frontier(interval[0]),
            new_upper=Frontier(interval[1]),
            delta=Delta(
                rows=(updates(*entries),) if entries else (),
                errors=(error_updates(*errors),) if errors else (),
            ),
            place=InDraft(draft=draft, pieces_before=before),
        )

    def append_last(self, piece: ShardAppend) -> tuple[bool, Frontier]:
        return self.commit(shard_appends=(piece,)).shard_uppers[0]

    def allow(self, **since: int) -> None:
        """Advance since by name, as in `allow(TABLE=7)`."""
        ids: Mapping[str, CollectionId] = {"TABLE": TABLE, "FEED": FEED, "VIEW": VIEW, "BAG": BAG}
        self.commit(since={ids[name]: time for name, time in since.items()})

    def content(self, collection: CollectionId, as_of: int) -> list[Row]:
        """Values and diffs at a time; every update must be at exactly that time."""
        found = entries_of(self.store.snapshot(collection, as_of))
        assert all(entry[-2] == as_of for entry in found)
        return sorted((*entry[:-2], entry[-1]) for entry in found)

    def changes(self, collection: CollectionId, lower: int, upper: int) -> list[Row]:
        return entries_of(self.store.listen(collection, lower, upper))


class MemoryDriver(Driver):
    def complete(self, submission: Submission) -> Completion:
        assert isinstance(self.store, MemoryStore)
        self.store.submit(submission)
        completion = self.store.commit_next()
        assert completion is not None
        return completion


class SqliteDriver(Driver):
    store: SqliteStore

    def __init__(self, store: SqliteStore, answers: Queue[Completion]) -> None:
        assert store.fence is not None
        super().__init__(store, store.opened, store.fence)
        self._answers = answers

    def complete(self, submission: Submission) -> Completion:
        assert isinstance(self.store, SqliteStore)
        self.store.submit(submission)
        return self._answers.get(timeout=WAIT_S)


class Disk:
    """A store's durable side: opened again and again, by one controller after another."""

    def open(self) -> Driver:
        """A controller that starts; the one before it is gone."""
        raise NotImplementedError

    def close(self) -> None:
        """The controller that is open goes away."""


class MemoryDisk(Disk):
    def __init__(self) -> None:
        self._store = MemoryStore(instance_id=InstanceId(7), history_id=HistoryId(b"h" * 16))
        self._claims = 0

    def open(self) -> MemoryDriver:
        self._store.crash()
        self._claims += 1
        claim = ClaimId(self._claims.to_bytes(16, "little"))
        opened = self._store.claim(claim)
        return MemoryDriver(self._store, opened, Fence(epoch=opened.epoch, claim_id=claim))


class SqliteDisk(Disk):
    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._store: SqliteStore | None = None

    def open(self) -> SqliteDriver:
        self.close()
        self._store, answers = open_queued(self._directory)
        return SqliteDriver(self._store, answers)

    def close(self) -> None:
        if self._store is not None:
            self._store.close()
            self._store = None


def open_queued(directory: Path, **options: Any) -> tuple[SqliteStore, Queue[Completion]]:
    """A store whose completions arrive in a queue."""
    answers: Queue[Completion] = Queue()

    def deliver(completions: tuple[Completion, ...]) -> None:
        for completion in completions:
            answers.put(completion)

    return open_store(directory, deliver=deliver, **options), answers


def disks(tmp_path: Path) -> Iterator[Callable[[], Disk]]:
    """Ways to make a fresh disk of each kind."""
    numbers = itertools.count()
    yield MemoryDisk
    yield lambda: SqliteDisk(tmp_path / f"data{next(numbers)}")


CHECKED = ("meta", "part", "catalog", "shard", "command_payload", "base_payload")


def without_checksums(connection: sqlite3.Connection, *tables: str) -> None:
    """As a version left them that knew no checksums there."""
    for table in tables:
        connection.execute(f"ALTER TABLE {table} DROP COLUMN checksum")
