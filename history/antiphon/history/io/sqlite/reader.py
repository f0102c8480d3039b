"""Readers: connections of their own, a moment of the store for each read, on any thread.

A read never waits for the writer, and keeps its moment until it is exhausted or closed; folds and
drops that happen meanwhile do not disturb it.
"""

from __future__ import annotations

import sqlite3
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from antiphon.history import shard as shards
from antiphon.history.io.sqlite.layout import connect
from antiphon.history.io.sqlite.rows import (
    read_base,
    read_batches,
    read_catalog,
    read_commands,
    read_digest,
    read_fence,
    read_identity,
    read_runs,
    read_shard,
    read_state,
    read_upper,
    source,
    verify_base,
    verify_chain,
)
from antiphon.history.limits import READERS_IDLE_MAX
from antiphon.history.revision import Side, lane_of, listened, merge, rows_until
from antiphon.history.shard import Shard
from antiphon.history.store import Fence, Opened, StoredCommand
from antiphon.protocol.delta import Delta
from antiphon.protocol.ids import CollectionId, Position


class SqliteReader:
    """`antiphon.history.store.Reader`, and the other questions one may ask without writing."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._idle: list[sqlite3.Connection] = []
        self._lock = threading.Lock()
        self._is_open = True

    def opened(self) -> Opened:
        """What a controller finds that opens the store now."""
        with self._moment() as connection:
            state = read_state(connection)
            return state.opened(*read_identity(connection), read_catalog(connection))

    def fence(self) -> Fence:
        with self._connection() as connection:
            return read_fence(connection)

    def commands(self, start: Position, stop: Position | None = None) -> Iterator[StoredCommand]:
        with self._moment() as connection:
            head, base = connection.execute("SELECT head, base FROM meta").fetchone()
            end = head + 1 if stop is None else min(stop, head + 1)
            yield from read_commands(connection, Position(max(start, base + 1)), Position(end))

    def history(self) -> Iterator[StoredCommand]:
        with self._moment() as connection:
            head, base = connection.execute("SELECT head, base FROM meta").fetchone()
            yield from read_base(connection)
            yield from read_commands(connection, Position(base + 1), Position(head + 1))

    def digest_at(self, position: Position) -> bytes | None:
        with self._connection() as connection:
            return read_digest(connection, position)

    def snapshot(self, collection: CollectionId, as_of: int) -> Iterator[Delta]:
        with self._moment() as connection:
            _check_snapshot(connection, collection, as_of)
        return self._snapshot(collection, as_of)

    def _snapshot(self, collection: CollectionId, as_of: int) -> Iterator[Delta]:
        with self._moment() as connection:
            # Again: the moment is another, and since may have moved between the two.
            shard = _check_snapshot(connection, collection, as_of)
            for side, runs in read_runs(connection, collection).items():
                lane = lane_of(shard, side)
                sources = [source(connection, run, lane) for run in runs if run.time_first <= as_of]
                for batch in merge(sources, lane, as_of, keep_deletes=False):
                    yield Delta(rows=(batch,)) if side is Side.ROWS else Delta(errors=(batch,))

    def snapshot_rows(self, collection: CollectionId, as_of: int) -> int:
        with self._moment() as connection:
            _check_snapshot(connection, collection, as_of)
            return rows_until(read_runs(connection, collection)[Side.ROWS], as_of)

    def listen(self, collection: CollectionId, lower: int, upper: int) -> Iterator[Delta]:
        with self._moment() as connection:
            _check_listen(connection, collection, lower)
        return self._listen(collection, lower, upper)

    def _listen(self, collection: CollectionId, lower: int, upper: int) -> Iterator[Delta]:
        with self._moment() as connection:
            shard = _check_listen(connection, collection, lower)
            runs = [
                (run.time_first, side, run.number, run)
                for side, side_runs in read_runs(connection, collection).items()
                for run in side_runs
                if run.time_last >= lower and run.time_first < upper
            ]
            runs.sort(key=lambda entry: entry[:3])
            for _, side, _, run in runs:
                batches = read_batches(connection, run, lane_of(shard, side).schema)
                for batch in listened(batches, lower, upper):
                    yield Delta(rows=(batch,)) if side is Side.ROWS else Delta(errors=(batch,))

    def verify(self) -> Position:
        """The head, after every digest was computed again from the stored payloads, and every row
        that has a checksum was read.

        Raises:
            ChainBroken
            StoreUnusable: something else is not what was written.
        """
        with self._moment() as connection:
            head, base = connection.execute("SELECT head, base FROM meta").fetchone()
            verify_base(connection)
            verify_chain(connection, Position(base), Position(head))
            read_catalog(connection)
            for shard in read_state(connection).shards.values():
                for side, runs in read_runs(connection, shard.collection).items():
                    for run in runs:
                        deque(read_batches(connection, run, lane_of(shard, side).schema), maxlen=0)
            return Position(head)

    def close(self) -> None:
        """Reads under way go on; their connections are closed when they end."""
        with self._lock:
            self._is_open = False
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            connection = self._idle.pop() if self._idle else None
        if connection is None:
            connection = connect(self._directory, read_only=True)
        try:
            yield connection
        finally:
            if connection.in_transaction:
                connection.rollback()
            with self._lock:
                keep = self._is_open and len(self._idle) < READERS_IDLE_MAX
                if keep:
                    self._idle.append(connection)
            if not keep:
                connection.close()

    @contextmanager
    def _moment(self) -> Iterator[sqlite3.Connection]:
        """All reads within see the store as it is at the first of them."""
        with self._connection() as connection:
            connection.execute("BEGIN")
            yield connection


def _check_snapshot(connection: sqlite3.Connection, collection: CollectionId, as_of: int) -> Shard:
    shard = _shard(connection, collection)
    shards.check_snapshot(shard.state(read_upper(connection)), as_of)
    return shard


def _check_listen(connection: sqlite3.Connection, collection: CollectionId, lower: int) -> Shard:
    shard = _shard(connection, collection)
    shards.check_listen(shard.state(read_upper(connection)), lower)
    return shard


def _shard(connection: sqlite3.Connection, collection: CollectionId) -> Shard:
    shard = read_shard(connection, collection)
    if shard is None:
        raise shards.missing(collection)
    return shard
