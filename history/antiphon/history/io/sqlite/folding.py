"""Maintenance in bounded steps: folding runs, and deleting what nothing refers to any more.

The writer thread takes a step when it is idle, and now and then when it is not; each is one short
transaction. A fold writes a run that no reader sees yet; its last step makes that run live and the
merged ones garbage, at once. So a crash in the middle leaves only garbage. Steps are not synced by
themselves: in a write-ahead log the next synced commit covers them, and losing them loses nothing.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pyarrow as pa

from antiphon.history.io.sqlite.rows import RunState, part_ids, read_fence, source
from antiphon.history.io.sqlite.tables import SqliteTables
from antiphon.history.limits import (
    GARBAGE_KEYS_MAX,
    GARBAGE_PARTS_MAX,
    PRODUCER_FORGET_INTERVAL_MS,
    PRODUCER_RETAIN_MS,
)
from antiphon.history.revision import Run, Side, lane_of, merge, runs_to_fold
from antiphon.history.transaction import State
from antiphon.protocol.ids import CollectionId


@dataclass(slots=True)
class _Fold:
    collection: CollectionId
    side: Side
    merged: tuple[Run, ...]
    output: Run
    batches: Iterator[pa.RecordBatch]
    part_count: int = 0


class Maintenance:
    """Owned by the writer thread, outside of its group transactions."""

    def __init__(self, connection: sqlite3.Connection, state: State, tables: SqliteTables) -> None:
        self._connection = connection
        self._execute = connection.execute
        self._state = state
        self._tables = tables
        self._fence = state.fence
        self._fold: _Fold | None = None
        self._forgot_at = 0
        self._has_failed = False
        self._has_unfinished = True

    @property
    def is_due(self) -> bool:
        if self._has_failed:
            return False
        return (
            self._has_unfinished
            or self._fold is not None
            or bool(self._tables.to_fold)
            or self._tables.has_garbage
        )

    def give_up(self) -> None:
        """Do nothing any more: what was not folded is still exact, only slower to read."""
        self._has_failed = True

    def step(self) -> None:
        """One bounded piece of work, in a transaction of its own."""
        self._execute("PRAGMA synchronous = NORMAL")
        self._execute("BEGIN IMMEDIATE")
        try:
            if read_fence(self._connection) != self._fence:
                # Another claim owns the store, and has its own idea of what runs there are.
                self.give_up()
                return
            if self._has_unfinished:
                self._forget_unfinished()
            elif self._fold is not None:
                self._continue_fold(self._fold)
            elif self._tables.to_fold:
                self._begin_fold()
            else:
                self._collect_garbage()
            self._execute("COMMIT")
        finally:
            if self._connection.in_transaction:
                self._execute("ROLLBACK")
            self._execute("PRAGMA synchronous = FULL")

    def _forget_unfinished(self) -> None:
        """What folds and drafts of before have left, of an earlier process or from before the disk
        was full. Drafts may have begun since."""
        self._execute(
            "UPDATE run SET state = ? WHERE state = ? AND number < ?",
            (RunState.GARBAGE, RunState.BUILDING, self._tables.first_run),
        )
        self._has_unfinished = False

    def _begin_fold(self) -> None:
        collection = next(iter(self._tables.to_fold))
        shard = self._state.shards.get(collection)
        for side, runs in self._tables.runs.get(collection, {}).items():
            chosen = runs_to_fold(runs, shard.since) if shard is not None else ()
            if shard is None or not chosen:
                continue
            output = Run(
                number=self._tables.next_run(),
                time_first=chosen[0].time_first,
                time_last=shard.since,
                row_count=0,
                is_folded=True,
            )
            lane = lane_of(shard, side)
            sources = [source(self._connection, run, lane) for run in chosen]
            is_oldest = chosen[0] is runs[0]
            batches = merge(sources, lane, shard.since, keep_deletes=not is_oldest)
            self._tables.put_run(collection, side, output, RunState.BUILDING)
            self._fold = _Fold(collection, side, chosen, output, batches)
            return
        del self._tables.to_fold[collection]

    def _continue_fold(self, fold: _Fold) -> None:
        if fold.collection not in self._tables.runs:  # dropped meanwhile; its runs are garbage
            self._fold = None
            return
        batch = next(fold.batches, None)
        if batch is not None:
            self._tables.put_part(fold.output.number, fold.part_count, batch)
            fold.part_count += 1
            fold.output = replace(fold.output, row_count=fold.output.row_count + batch.num_rows)
            return
        is_empty = fold.output.row_count == 0
        state = RunState.GARBAGE if is_empty else RunState.LIVE
        self._tables.put_run(fold.collection, fold.side, fold.output, state)
        self._connection.executemany(
            "UPDATE run SET state = ? WHERE number = ?",
            [(RunState.GARBAGE, run.number) for run in fold.merged],
        )
        runs = self._tables.runs[fold.collection][fold.side]
        start = runs.index(fold.merged[0])
        stop = start + len(fold.merged)
        assert tuple(runs[start:stop]) == fold.merged, "runs changed under a fold"
        runs[start:stop] = [] if is_empty else [fold.output]
        self._fold = None
        self._tables.has_garbage = True

    def _collect_garbage(self) -> None:
        if not (self._delete_parts() or self._delete_keys()):
            self._forget_producers()
            self._tables.has_garbage = False

    def _delete_parts(self) -> bool:
        """Parts of some dead runs, then those runs. Whether there was anything to do."""
        runs = self._execute(
            "SELECT number FROM run WHERE state = ? LIMIT ?", (RunState.GARBAGE, GARBAGE_PARTS_MAX)
        ).fetchall()
        budget = GARBAGE_PARTS_MAX
        for (number,) in runs:
            deleted = self._execute(
                "DELETE FROM part WHERE id IN"
                " (SELECT id FROM part WHERE id >= ? AND id < ? ORDER BY id LIMIT ?)",
                (*part_ids(number), budget),
            ).rowcount
            if deleted == budget:
                break
            self._execute("DELETE FROM run WHERE number = ?", (number,))
            budget -= max(deleted, 1)
            if budget <= 0:
                break
        return bool(runs)

    def _delete_keys(self) -> bool:
        row = self._execute("SELECT collection FROM dropped LIMIT 1").fetchone()
        if row is None:
            return False
        deleted = self._execute(
            "DELETE FROM unique_key WHERE collection = ? AND (high, low) IN"
            " (SELECT high, low FROM unique_key WHERE collection = ? LIMIT ?)",
            (row[0], row[0], GARBAGE_KEYS_MAX),
        ).rowcount
        if deleted < GARBAGE_KEYS_MAX:
            self._execute("DELETE FROM dropped WHERE collection = ?", row)
        return True

    def _forget_producers(self) -> None:
        now = self._state.timeline_upper
        if now < self._forgot_at + PRODUCER_FORGET_INTERVAL_MS:
            return
        self._forgot_at = now
        self._execute("DELETE FROM producer WHERE time < ?", (now - PRODUCER_RETAIN_MS,))
