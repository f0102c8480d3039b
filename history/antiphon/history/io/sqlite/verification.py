"""An offline look at all of a store: what of it is not as it was written, or does not fit the rest.

Opening a store checks what it reads, and ends at the first damage. This goes on, so that a person
sees how much is lost before deciding what to do. Nothing is written, and nobody is asked to wait:
it reads one moment of the store.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from antiphon.history.digest import ChainBroken
from antiphon.history.io.sqlite.facts import read_facts
from antiphon.history.io.sqlite.layout import (
    DATABASE,
    PART_BITS,
    StoreUnusable,
    check_format,
    connect,
)
from antiphon.history.io.sqlite.rows import (
    read_batches,
    read_catalog,
    read_runs,
    read_shard,
    source,
    verify_base,
    verify_chain,
)
from antiphon.history.revision import Run, Side, lane_of, merge
from antiphon.history.shard import Shard
from antiphon.protocol.dataflow import CollectionKind
from antiphon.protocol.errors import AntiphonError
from antiphon.protocol.ids import CollectionId, Position
from antiphon.protocol.row_hash import hash_rows

# Rows that stand for nothing: what each refers to is not there.
_ORPHANS: Final = (
    ("command {} has no payload", "SELECT position FROM command"
     " WHERE position NOT IN (SELECT position FROM command_payload)"),
    ("the payload of command {} has no command", "SELECT position FROM command_payload"
     " WHERE position NOT IN (SELECT position FROM command)"),
    ("command {} of the base has no payload", "SELECT position FROM base_command"
     " WHERE position NOT IN (SELECT position FROM base_payload)"),
    ("the payload of command {} of the base has no command", "SELECT position FROM base_payload"
     " WHERE position NOT IN (SELECT position FROM base_command)"),
    ("run {} is of no shard", "SELECT number FROM run"
     " WHERE state = 0 AND collection NOT IN (SELECT collection FROM shard)"),
    ("part {} is of no run", f"SELECT id FROM part"
     f" WHERE id >> {PART_BITS} NOT IN (SELECT number FROM run)"),
    ("the unique keys of {} are of no shard", "SELECT DISTINCT collection FROM unique_key"
     " WHERE collection NOT IN (SELECT collection FROM shard)"
     " AND collection NOT IN (SELECT collection FROM dropped)"),
    ("shard {} is there, and dropped", "SELECT collection FROM dropped"
     " WHERE collection IN (SELECT collection FROM shard)"),
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """What was looked at, and what was found: one line a damage, each names its record."""

    commands: int
    shards: int
    parts: int
    damage: tuple[str, ...]


def verify_store(directory: Path) -> Verified:
    """Check every checksum and digest, what refers to what, and that nothing is missing between.

    Raises:
        StoreUnusable: there is no store, or none of this format, that could be read at all.
    """
    if not (directory / DATABASE).is_file():
        raise StoreUnusable(f"there is no store in {directory}; --data names its directory")
    try:
        with closing(connect(directory, read_only=True)) as connection:
            connection.execute("BEGIN")
            check_format(connection)
            damage: list[str] = []
            try:
                damage.extend(_damage(connection))
            except sqlite3.Error as error:  # what was found before it is still worth telling
                damage.append(f"the database file: {error}; the rest of it was not looked at")
            return Verified(
                commands=_count(connection, "command") + _count(connection, "base_command"),
                shards=_count(connection, "shard"),
                parts=_count(connection, "part"),
                damage=tuple(dict.fromkeys(damage)),
            )
    except sqlite3.Error as error:
        raise StoreUnusable(f"the store in {directory} cannot be read: {error}") from error


def _damage(connection: sqlite3.Connection) -> Iterator[str]:
    for (line,) in connection.execute("PRAGMA integrity_check(20)").fetchall():
        if line != "ok":
            yield f"the database file: {' '.join(line.split())}"
    yield from _guarded(lambda: read_facts(connection))
    yield from _guarded(lambda: read_catalog(connection))
    for text, sql in _ORPHANS:
        for (found,) in connection.execute(sql).fetchall():
            yield text.format(found)
    yield from _guarded(lambda: verify_base(connection))
    base, head, upper = connection.execute("SELECT base, head, timeline_upper FROM meta").fetchone()
    yield from _guarded(lambda: verify_chain(connection, Position(base), Position(head)))
    for (collection,) in connection.execute("SELECT collection FROM shard").fetchall():
        yield from _of_shard(connection, CollectionId(collection), upper)


def _of_shard(
    connection: sqlite3.Connection, collection: CollectionId, timeline_upper: int
) -> Iterator[str]:
    shards: list[Shard | None] = []
    yield from _guarded(lambda: shards.append(read_shard(connection, collection)))
    if not shards or shards[0] is None:
        return
    shard = shards[0]
    own = shard.own_upper
    upper = timeline_upper if own is None else own.time
    if upper is not None and shard.since > upper:
        yield f"shard {collection}: its since {shard.since} is beyond its upper {upper}"
    whole = True
    for side, runs in read_runs(connection, collection).items():
        schema = lane_of(shard, side).schema
        for run in runs:
            for line in _of_run(connection, run, schema, upper):
                whole = False
                yield f"shard {collection}: {line}"
    is_keyed = shard.kind is CollectionKind.TABLE and bool(shard.unique_key)
    if whole and is_keyed and not _has_its_keys(connection, shard):
        yield f"shard {collection}: its unique keys are not those of its rows"


def _of_run(
    connection: sqlite3.Connection, run: Run, schema: pa.Schema, upper: int | None
) -> Iterator[str]:
    name = f"run {run.number}"
    if run.time_first > run.time_last or (upper is not None and run.time_last >= upper):
        yield f"{name} is of the times {run.time_first} to {run.time_last}, the upper is {upper}"
    row_counts: list[int] = []

    def read() -> None:
        for batch in read_batches(connection, run, schema):
            row_counts.append(batch.num_rows)

    damaged = list(_guarded(read))
    yield from damaged
    if not damaged and sum(row_counts) != run.row_count:
        yield f"{name} has {sum(row_counts)} rows of {run.row_count}: a part of it is missing"


def _has_its_keys(connection: sqlite3.Connection, shard: Shard) -> bool:
    found = connection.execute(
        "SELECT high, low, row_high, row_low FROM unique_key WHERE collection = ?",
        (shard.collection,),
    ).fetchall()
    keys = np.array(found, np.int64).reshape(-1, 4)
    return np.array_equal(_sorted(keys), _keys_of_rows(connection, shard))


def _keys_of_rows(connection: sqlite3.Connection, shard: Shard) -> npt.NDArray[np.int64]:
    """What the keys must be, from the rows themselves. Shape (rows, 4)."""
    lane = lane_of(shard, Side.ROWS)
    runs = read_runs(connection, shard.collection)[Side.ROWS]
    latest = max((run.time_last for run in runs), default=0)
    parts = [np.zeros((0, 4), np.int64)]
    for batch in merge(
        [source(connection, run, lane) for run in runs], lane, latest, keep_deletes=False
    ):
        columns = batch.columns[: len(shard.schema)]
        words = (
            *hash_rows([columns[index] for index in shard.unique_key]),
            *hash_rows(columns),
        )
        parts.append(np.column_stack([np.ascontiguousarray(w).view(np.int64) for w in words]))
    return _sorted(np.concatenate(parts))


def _sorted(keys: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    return keys[np.lexsort(keys.T)]


def _guarded(look: Callable[[], Any]) -> Iterator[str]:
    """What a reader says that refuses to go on, without the remedy, which is the same for all."""
    try:
        look()
    except (StoreUnusable, ChainBroken) as error:
        text = str(error).removeprefix("the store is damaged: ")
        yield text.partition("; stop the controller")[0]
    except (AntiphonError, sqlite3.Error, pa.ArrowException, ValueError, TypeError) as error:
        yield f"{type(error).__name__}: {error}"


def _count(connection: sqlite3.Connection, table: str) -> int:
    return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])
