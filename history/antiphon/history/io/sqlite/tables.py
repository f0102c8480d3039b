"""The writer's tables: `antiphon.history.tables.Tables` in SQL.

Everything here happens inside the writer's transaction. Commands and the few scalars are gathered
and written once a group, because statements, not syncs, are what a large group costs.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from antiphon.history.appends import KeyConflict, KeyedRows
from antiphon.history.folding import base_check
from antiphon.history.io.sqlite.checksum import checksum
from antiphon.history.io.sqlite.facts import change_facts
from antiphon.history.io.sqlite.layout import PART_BITS
from antiphon.history.io.sqlite.rows import (
    RunState,
    command_checksum,
    read_base,
    read_commands,
    read_runs,
)
from antiphon.history.limits import BULK_KEYS_MIN, PRODUCER_SEQUENCES_MAX
from antiphon.history.revision import Run, Side
from antiphon.history.shard import FIRST_UPPER
from antiphon.history.store import CatalogChange, NewShard, StoredCommand
from antiphon.history.tables import ProducerEntry
from antiphon.history.transaction import State
from antiphon.protocol.codec import schema_to_proto
from antiphon.protocol.delta import encode_batch
from antiphon.protocol.frontier import Frontier
from antiphon.protocol.ids import CollectionId, Position, ProducerId


@dataclass(slots=True)
class _Drafted:
    """A run that nobody reads yet."""

    collection: CollectionId
    side: Side
    run: Run
    part_count: int = 0


class SqliteTables:
    """Owned by the writer thread. `runs`: what `run` holds that is live, oldest first."""

    def __init__(self, connection: sqlite3.Connection, state: State) -> None:
        self._connection = connection
        self._execute = connection.execute
        self._commands: list[StoredCommand] = []
        self.runs = {collection: read_runs(connection, collection) for collection in state.shards}
        for collection, sides in self.runs.items():
            times = [run.time_last for runs in sides.values() for run in runs]
            state.shards[collection].changed = max(times, default=0)
        self.to_fold: dict[CollectionId, None] = dict.fromkeys(state.shards)
        self._next_run = self._execute("SELECT coalesce(max(number), 0) + 1 FROM run").fetchone()[0]
        # What is being built below it was left behind by an earlier opening.
        self.first_run: int = self._next_run
        self._drafts: dict[int, list[_Drafted]] = {}
        self.has_garbage = True  # perhaps

    def flush(self, state: State) -> None:
        """Write what was gathered; the last thing before the commit."""
        self._flush_commands()
        change_facts(
            self._connection,
            head=state.head,
            digest=state.digest,
            timeline_upper=state.timeline_upper,
            next_id=state.next_id,
        )

    def _flush_commands(self) -> None:
        if self._commands:
            self._put_commands("command", "command_payload", self._commands)
            self._commands.clear()

    def _put_commands(
        self, facts: str, payloads: str, commands: Sequence[StoredCommand]
    ) -> None:  # fmt: skip
        self._connection.executemany(
            f"INSERT INTO {facts} (position, kind, subject, digest, appended_at_ms)"
            " VALUES (?, ?, ?, ?, ?)",
            [(c.position, c.kind, c.subject, c.digest, c.appended_at_ms) for c in commands],
        )
        self._connection.executemany(
            f"INSERT INTO {payloads} (position, envelope, checksum) VALUES (?, ?, ?)",
            [(c.position, c.envelope, command_checksum(c)) for c in commands],
        )

    def add_command(self, command: StoredCommand) -> None:
        self._commands.append(command)

    def base(self) -> tuple[StoredCommand, ...]:
        return tuple(read_base(self._connection))

    def log(self, to: Position) -> tuple[StoredCommand, ...]:
        self._flush_commands()
        return tuple(read_commands(self._connection, Position(1), Position(to + 1)))

    def put_base(self, to: Position, digest: bytes, base: tuple[StoredCommand, ...]) -> None:
        for table in ("command", "command_payload"):
            self._execute(f"DELETE FROM {table} WHERE position <= ?", (to,))
        for table in ("base_command", "base_payload"):
            self._execute(f"DELETE FROM {table}")
        self._put_commands("base_command", "base_payload", base)
        change_facts(self._connection, base=to, base_digest=digest, base_check=base_check(base))

    def add_shard(self, shard: NewShard) -> None:
        self.runs[shard.collection] = {side: [] for side in Side}
        schema = schema_to_proto(shard.schema).SerializeToString(deterministic=True)
        unique_key = " ".join(str(column) for column in shard.unique_key)
        self._execute(
            "INSERT INTO shard (collection, kind, schema, unique_key, since, upper, checksum)"
            " VALUES (?, ?, ?, ?, 0, ?, ?)",
            (
                shard.collection, shard.kind, schema, unique_key, FIRST_UPPER,
                checksum(schema, shard.collection, shard.kind, unique_key),
            ),
        )  # fmt: skip

    def drop_shard(self, collection: CollectionId) -> None:
        """The content is deleted later, in bounded steps."""
        self.has_garbage = True
        del self.runs[collection]
        self._execute("DELETE FROM shard WHERE collection = ?", (collection,))
        self._execute(
            "UPDATE run SET state = ? WHERE collection = ?", (RunState.GARBAGE, collection)
        )
        self._execute("INSERT OR IGNORE INTO dropped (collection) VALUES (?)", (collection,))

    def put_catalog(self, change: CatalogChange) -> None:
        if change.content is None:
            self._execute("DELETE FROM catalog WHERE collection = ?", (change.collection,))
        else:
            self._execute(
                "INSERT OR REPLACE INTO catalog (collection, content, checksum) VALUES (?, ?, ?)",
                (change.collection, change.content, checksum(change.content, change.collection)),
            )

    def put_shard_upper(self, collection: CollectionId, upper: Frontier) -> None:
        self._execute("UPDATE shard SET upper = ? WHERE collection = ?", (upper.time, collection))

    def put_since(self, collection: CollectionId, since: int) -> None:
        self.to_fold[collection] = None
        self._execute("UPDATE shard SET since = ? WHERE collection = ?", (since, collection))

    def leased(self, now_ms: int) -> int | None:
        row = self._execute("SELECT min(since) FROM lease WHERE expires_at_ms > ?", (now_ms,))
        found: int | None = row.fetchone()[0]
        return found

    def put_compaction(self, collection: CollectionId, frontier: Frontier) -> None:
        if frontier.is_closed:
            self._execute("DELETE FROM compaction WHERE collection = ?", (collection,))
        else:
            self._execute(
                "INSERT OR REPLACE INTO compaction (collection, time) VALUES (?, ?)",
                (collection, frontier.time),
            )

    def add_run(
        self, collection: CollectionId, side: Side, times: tuple[int, int],
        batches: tuple[pa.RecordBatch, ...],
    ) -> None:  # fmt: skip
        run = Run(
            number=self.next_run(),
            time_first=times[0],
            time_last=times[1],
            row_count=sum(batch.num_rows for batch in batches),
            is_folded=False,
        )
        self.put_run(collection, side, run, RunState.LIVE)
        for index, batch in enumerate(batches):
            self.put_part(run.number, index, batch)
        self.runs[collection][side].append(run)

    def draft_run(
        self, draft: int, collection: CollectionId, side: Side, times: tuple[int, int],
        batches: tuple[pa.RecordBatch, ...], *, extends: bool,
    ) -> None:  # fmt: skip
        drafted = self._drafts.setdefault(draft, [])
        if extends:
            one = next(one for one in reversed(drafted) if one.side is side)
        else:
            run = Run(
                number=self.next_run(),
                time_first=times[0],
                time_last=times[1],
                row_count=0,
                is_folded=False,
            )
            one = _Drafted(collection, side, run)
            drafted.append(one)
        for batch in batches:
            self.put_part(one.run.number, one.part_count, batch)
            one.part_count += 1
        row_count = one.run.row_count + sum(batch.num_rows for batch in batches)
        one.run = replace(one.run, row_count=row_count)
        self.put_run(collection, side, one.run, RunState.BUILDING)

    def publish(self, draft: int) -> None:
        drafted = self._drafts.pop(draft, [])
        for one in sorted(drafted, key=lambda one: (one.run.time_last, one.run.number)):
            self.put_run(one.collection, one.side, one.run, RunState.LIVE)
            self.runs[one.collection][one.side].append(one.run)

    def discard(self, draft: int) -> None:
        """As of what is dropped, the content is deleted later."""
        self.has_garbage = True
        for one in self._drafts.pop(draft, []):
            self.put_run(one.collection, one.side, one.run, RunState.GARBAGE)

    def next_run(self) -> int:
        """A number that no run has, not even a dead one whose parts are not deleted yet."""
        self._next_run += 1
        return int(self._next_run - 1)

    def put_run(self, collection: CollectionId, side: Side, run: Run, state: RunState) -> None:
        self._execute(
            "INSERT OR REPLACE INTO run (number, collection, side, time_first, time_last,"
            " row_count, is_folded, state) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (run.number, collection, side, run.time_first, run.time_last,
             run.row_count, run.is_folded, state),
        )  # fmt: skip

    def put_part(self, run: int, index: int, batch: pa.RecordBatch) -> None:
        assert index < 1 << PART_BITS, "a run of too many parts"
        content = encode_batch(batch)
        self._execute(
            "INSERT INTO part (id, content, checksum) VALUES (?, ?, ?)",
            (run << PART_BITS | index, content, checksum(content)),
        )

    def producer_entry(self, producer: ProducerId, sequence: int) -> ProducerEntry | None:
        row = self._execute(
            "SELECT sequence, time, row_count FROM producer"
            " WHERE producer_id = ? AND sequence >= ? ORDER BY sequence LIMIT 1",
            (producer.value, sequence),
        ).fetchone()
        return None if row is None else ProducerEntry(*row)

    def remember(self, producer: ProducerId, entry: ProducerEntry) -> None:
        self._execute(
            "INSERT INTO producer (producer_id, sequence, time, row_count) VALUES (?, ?, ?, ?)",
            (producer.value, entry.sequence, entry.time, entry.row_count),
        )
        self._execute(
            "DELETE FROM producer WHERE producer_id = ? AND sequence <= ?",
            (producer.value, entry.sequence - PRODUCER_SEQUENCES_MAX),
        )

    def change_keys(
        self, collection: CollectionId, removed: KeyedRows, added: KeyedRows
    ) -> KeyConflict | None:
        """Optimistic: statements first, counts after; only a wrong count looks for the row."""
        if len(removed.keys) + len(added.keys) > 1:
            self._execute("SAVEPOINT keys")
            if self._remove(collection, removed) and self._add(collection, added):
                self._execute("RELEASE keys")
                return None
            self._execute("ROLLBACK TO keys")
            self._execute("RELEASE keys")
        elif self._remove(collection, removed) and self._add(collection, added):
            return None
        return self._conflict(collection, removed, added)

    def _remove(self, collection: CollectionId, rows: KeyedRows) -> bool:
        if not len(rows.keys):
            return True
        deleted = self._connection.executemany(
            "DELETE FROM unique_key WHERE collection = ? AND high = ? AND low = ?"
            " AND row_high = ? AND row_low = ?",
            _key_values(collection, rows, by_key=True),
        )
        return deleted.rowcount == len(rows.keys)

    def _add(self, collection: CollectionId, rows: KeyedRows) -> bool:
        if not len(rows.keys):
            return True
        inserted = self._connection.executemany(
            "INSERT OR IGNORE INTO unique_key (collection, high, low, row_high, row_low)"
            " VALUES (?, ?, ?, ?, ?)",
            _key_values(collection, rows, by_key=True),
        )
        return inserted.rowcount == len(rows.keys)

    def _conflict(
        self, collection: CollectionId, removed: KeyedRows, added: KeyedRows
    ) -> KeyConflict:
        """The first row that does not fit; one by one, as a refusal is rare and ends the search."""
        gone: set[tuple[int, int]] = set()
        for index, (_, *key, high, low) in enumerate(_key_values(collection, removed)):
            if self._row_of(collection, key) != (high, low) or (key[0], key[1]) in gone:
                return KeyConflict(False, index)
            gone.add((key[0], key[1]))
        come: set[tuple[int, int]] = set()
        for index, (_, *key, _, _) in enumerate(_key_values(collection, added)):
            pair = (key[0], key[1])
            taken = self._row_of(collection, key) is not None and pair not in gone
            if taken or pair in come:
                return KeyConflict(True, index)
            come.add(pair)
        raise AssertionError("the keys were refused, but none of them conflicts")

    def _row_of(self, collection: CollectionId, key: list[int]) -> tuple[int, int] | None:
        row: tuple[int, int] | None = self._execute(
            "SELECT row_high, row_low FROM unique_key"
            " WHERE collection = ? AND high = ? AND low = ?",
            (collection, *key),
        ).fetchone()
        return row


def _key_values(
    collection: CollectionId, rows: KeyedRows, *, by_key: bool = False
) -> Iterator[tuple[int, int, int, int, int]]:
    """Statement parameters, in the given order, or in that of the table's own key: a bulk then
    touches each page once."""

    def signed(words: npt.NDArray[np.uint64]) -> npt.NDArray[np.int64]:
        return np.ascontiguousarray(words).view(np.int64)

    columns = [
        signed(words) for words in (rows.keys.high, rows.keys.low, rows.rows.high, rows.rows.low)
    ]
    if by_key and len(rows.keys) >= BULK_KEYS_MIN:
        order = np.lexsort((columns[1], columns[0]))
        columns = [column[order] for column in columns]
    ids = [int(collection)] * len(rows.keys)
    return zip(ids, *(column.tolist() for column in columns), strict=True)
