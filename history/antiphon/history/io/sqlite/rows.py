"""Rows of the database as values: what the writer and the readers read alike."""

from __future__ import annotations

import sqlite3
import struct
import zlib
from collections.abc import Iterator
from enum import IntEnum
from typing import Final

import pyarrow as pa

from antiphon.history.digest import EMPTY_DIGEST, ChainBroken, extend
from antiphon.history.envelope import MalformedEnvelope, payload_of
from antiphon.history.folding import base_check
from antiphon.history.io.sqlite.checksum import check
from antiphon.history.io.sqlite.facts import read_facts
from antiphon.history.io.sqlite.layout import PART_BITS
from antiphon.history.limits import COMMANDS_PAGE
from antiphon.history.revision import Lane, Run, Side, Source
from antiphon.history.shard import Shard
from antiphon.history.store import Fence, StoredCommand
from antiphon.history.transaction import State
from antiphon.protocol.codec import schema_from_proto
from antiphon.protocol.dataflow import CollectionKind
from antiphon.protocol.delta import decode_batch
from antiphon.protocol.frontier import CLOSED, Frontier
from antiphon.protocol.ids import (
    NO_POSITION,
    ClaimId,
    CollectionId,
    Epoch,
    HistoryId,
    InstanceId,
    Position,
)
from antiphon.v1 import types_pb2

# Position, subject and time of a command, as its checksum takes them.
_COMMAND_FACTS: Final = struct.Struct("<qqq").pack


class RunState(IntEnum):
    LIVE = 0
    BUILDING = 1  # a fold is writing it, or it is of a draft; after a crash it is garbage
    GARBAGE = 2  # folded into another, discarded, or its shard is dropped


def read_fence(connection: sqlite3.Connection) -> Fence:
    epoch, claim = connection.execute("SELECT epoch, claim_id FROM meta").fetchone()
    return Fence(epoch=Epoch(epoch), claim_id=ClaimId(claim))


def read_identity(connection: sqlite3.Connection) -> tuple[InstanceId, HistoryId]:
    instance, history = connection.execute("SELECT instance_id, history_id FROM meta").fetchone()
    return InstanceId(instance), HistoryId(history)


def read_catalog(connection: sqlite3.Connection) -> dict[CollectionId, bytes]:
    """Raises StoreUnusable: the content of one is not what was written."""
    catalog = {}
    rows = connection.execute(
        "SELECT collection, content, checksum FROM catalog ORDER BY collection"
    )
    for collection, content, expected in rows:
        check(expected, content, collection, what=f"the catalog's entry {collection}")
        catalog[CollectionId(collection)] = content
    return catalog


def read_state(connection: sqlite3.Connection) -> State:
    """Everything of a store that is small. Raises StoreUnusable: it is not what was written."""
    read_facts(connection)
    head, digest, base, base_digest, upper, next_id = connection.execute(
        "SELECT head, digest, base, base_digest, timeline_upper, next_id FROM meta"
    ).fetchone()
    state = State(
        fence=read_fence(connection),
        head=Position(head),
        digest=digest,
        base=Position(base),
        base_digest=base_digest,
        timeline_upper=upper,
        next_id=next_id,
    )
    for collection, time in connection.execute("SELECT collection, time FROM compaction"):
        state.compaction[CollectionId(collection)] = Frontier(time)
    for row in connection.execute(f"{_SHARD} ORDER BY collection"):
        shard = _shard(row)
        state.shards[shard.collection] = shard
    return state


_SHARD = "SELECT collection, kind, schema, unique_key, since, upper, checksum FROM shard"


def read_shard(connection: sqlite3.Connection, collection: CollectionId) -> Shard | None:
    row = connection.execute(f"{_SHARD} WHERE collection = ?", (collection,)).fetchone()
    return None if row is None else _shard(row)


def read_upper(connection: sqlite3.Connection) -> int:
    return int(connection.execute("SELECT timeline_upper FROM meta").fetchone()[0])


def _shard(row: tuple[int, int, bytes, str, int, int | None, int | None]) -> Shard:
    collection, kind, schema, unique_key, since, upper, expected = row
    check(expected, schema, collection, kind, unique_key, what=f"the shard {collection}")
    is_view = kind == CollectionKind.MATERIALIZED_VIEW
    return Shard(
        collection=CollectionId(collection),
        kind=CollectionKind(kind),
        schema=schema_from_proto(types_pb2.Schema.FromString(schema)),
        unique_key=tuple(int(column) for column in unique_key.split()),
        since=since,
        own_upper=(CLOSED if upper is None else Frontier(upper)) if is_view else None,
    )


def read_runs(connection: sqlite3.Connection, collection: CollectionId) -> dict[Side, list[Run]]:
    """The live runs of a shard, oldest first."""
    runs: dict[Side, list[Run]] = {side: [] for side in Side}
    rows = connection.execute(
        "SELECT side, number, time_first, time_last, row_count, is_folded FROM run"
        " WHERE collection = ? AND state = ? ORDER BY time_last, number",
        (collection, RunState.LIVE),
    )
    for side, number, first, last, row_count, is_folded in rows:
        runs[Side(side)].append(
            Run(
                number=number,
                time_first=first,
                time_last=last,
                row_count=row_count,
                is_folded=bool(is_folded),
            )
        )
    return runs


def part_ids(run: int) -> tuple[int, int]:
    """The ids of a run's parts: first, and the one after the last possible."""
    return run << PART_BITS, (run + 1) << PART_BITS


def read_batches(
    connection: sqlite3.Connection, run: Run, schema: pa.Schema
) -> Iterator[pa.RecordBatch]:
    """A run's batches in order, one at a time.

    Raises:
        StoreUnusable: the content of one is not what was written.
    """
    first, stop = part_ids(run.number)
    while True:
        row = connection.execute(
            "SELECT id, content, checksum FROM part WHERE id >= ? AND id < ? ORDER BY id LIMIT 1",
            (first, stop),
        ).fetchone()
        if row is None:
            return
        place, content, expected = row
        check(expected, content, what=f"part {place} of run {run.number}")
        yield decode_batch(content, schema)
        first = place + 1


def source(connection: sqlite3.Connection, run: Run, lane: Lane) -> Source:
    return Source(read_batches(connection, run, lane.schema), run.is_sorted)


def read_commands(
    connection: sqlite3.Connection, start: Position, stop: Position
) -> Iterator[StoredCommand]:
    """start <= position < stop of the log, in pages. Within one moment: a fold takes some away."""
    while start < stop:
        page = connection.execute(
            "SELECT position, kind, subject, envelope, digest, appended_at_ms, checksum"
            " FROM command JOIN command_payload USING (position)"
            " WHERE position >= ? AND position < ? ORDER BY position LIMIT ?",
            (start, stop, COMMANDS_PAGE),
        ).fetchall()
        yield from map(_command, page)
        if not page:
            return
        start = Position(page[-1][0] + 1)


def read_base(connection: sqlite3.Connection) -> Iterator[StoredCommand]:
    """The commands of the base, in order."""
    rows = connection.execute(
        "SELECT position, kind, subject, envelope, digest, appended_at_ms, checksum"
        " FROM base_command JOIN base_payload USING (position) ORDER BY position"
    )
    return map(_command, rows)


def _command(row: tuple[int, str, int, bytes, bytes, int, int | None]) -> StoredCommand:
    position, kind, subject, envelope, digest, appended_at_ms, expected = row
    command = StoredCommand(
        position=Position(position),
        kind=kind,
        subject=CollectionId(subject),
        envelope=envelope,
        digest=digest,
        appended_at_ms=appended_at_ms,
    )
    if expected is not None and not _is_as_written(command, expected):
        raise ChainBroken(command.position, "the command is not what was written")
    return command


def _is_as_written(command: StoredCommand, expected: int) -> bool:
    try:
        return command_checksum(command) == expected
    except (struct.error, TypeError, AttributeError):  # damaged, it may be of another type
        return False


def command_checksum(command: StoredCommand) -> int:
    """Over the whole of it: the digest leaves out the envelope's header, subject and time."""
    # For each append, so with as few steps as can be.
    facts = _COMMAND_FACTS(command.position, command.subject, command.appended_at_ms)
    found = zlib.crc32(command.digest, zlib.crc32(command.envelope))
    return zlib.crc32(command.kind.encode(), zlib.crc32(facts, found))


def read_digest(connection: sqlite3.Connection, position: Position) -> bytes | None:
    if position == NO_POSITION:
        return EMPTY_DIGEST
    base, base_digest = connection.execute("SELECT base, base_digest FROM meta").fetchone()
    if position == base:
        return bytes(base_digest)
    row = connection.execute(
        "SELECT digest FROM command WHERE position = ?", (position,)
    ).fetchone()
    return None if row is None else row[0]


def verify_base(connection: sqlite3.Connection) -> None:
    """Compute the base's own digest again.

    Raises:
        ChainBroken
    """
    base, expected = connection.execute("SELECT base, base_check FROM meta").fetchone()
    try:
        found = base_check(read_base(connection))
    except MalformedEnvelope as error:
        raise ChainBroken(Position(base), str(error)) from error
    if found != expected:
        raise ChainBroken(Position(base), "what was folded up to there is another")


def verify_chain(connection: sqlite3.Connection, after: Position, head: Position) -> None:
    """Compute the digests after `after` up to `head` again, from the payloads.

    Raises:
        ChainBroken
    """
    digest = read_digest(connection, after)
    if digest is None:
        raise ChainBroken(after, "the command is missing")
    expected = after
    for command in read_commands(connection, Position(after + 1), Position(head + 1)):
        expected = Position(expected + 1)
        if command.position != expected:
            raise ChainBroken(expected, "the command is missing")
        try:
            payload = payload_of(command.envelope)
        except MalformedEnvelope as error:
            raise ChainBroken(expected, str(error)) from error
        digest = extend(digest, expected, command.kind, payload)
        if digest != command.digest:
            raise ChainBroken(expected, "the digest is another")
    if expected != head:
        raise ChainBroken(Position(expected + 1), "the command is missing")
