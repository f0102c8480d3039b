"""Messages between a replica's front process and its worker process.

One socket pair, both ways the same: eight bytes of length, then one pickled value. Pickle is sound
here and nowhere else: both ends are the same program, the pair has no name in the file system, and
what comes from the network is decoded and checked before it is put on the pipe. Arrow data crosses
as the bytes that came in, opened by the worker alone. Commands and responses, which are many and
small, cross in the wire's own encoding: it is several times faster than pickling their values.
"""

from __future__ import annotations

import io
import pickle
import struct
from dataclasses import dataclass
from typing import Any, Final

from antiphon.protocol.codec import (
    commands_from_batch,
    commands_to_batch,
    responses_from_batch,
    responses_to_batch,
)
from antiphon.protocol.facts import DataflowFacts
from antiphon.protocol.frontier import Frontier
from antiphon.protocol.ids import CollectionId, ConnectionId, RandomId
from antiphon.protocol.response import HydrationProgress
from antiphon.replica.ports import (
    CommandsReceived,
    Event,
    FileRequest,
    Request,
    WorkerProgress,
    WorkerReady,
)
from antiphon.v1 import command_pb2, response_pb2

_LENGTH: Final = struct.Struct("<Q")
READ_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class ToWorker:
    events: tuple[Event, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FromWorker:
    """`handled`: how many events the worker has handled since it started."""

    handled: int
    ready: tuple[WorkerReady, ...]


def encode(message: ToWorker | FromWorker) -> bytes:
    buffer = io.BytesIO(_LENGTH.pack(0))
    buffer.seek(_LENGTH.size)
    _Pickler(buffer, protocol=5).dump(message)
    length = buffer.tell() - _LENGTH.size
    buffer.seek(0)
    buffer.write(_LENGTH.pack(length))
    return buffer.getvalue()


class _Pickler(pickle.Pickler):
    """Takes the wire's encoding where there is one."""

    def reducer_override(self, value: object) -> Any:
        match value:
            # A frozen dataclass pickles slowly by itself; these are in every message.
            case ToWorker(events=events):
                return ToWorker, (events,)
            case FromWorker(handled=handled, ready=ready):
                return _from_worker, (handled, ready)
            case RandomId(value=random):
                return type(value), (random,)
            case Frontier(time=time):
                return Frontier, (time,)
            case CommandsReceived(connection_id=connection_id, commands=commands, encoded=encoded):
                batch = encoded or commands_to_batch(commands).SerializeToString()
                return _commands_received, (connection_id, batch)
            case WorkerReady(responses=responses, connection_id=ConnectionId() as id_) if responses:
                batch = responses_to_batch(id_, responses).SerializeToString()
                rest = (value.requests, value.files, value.progress, value.wake_at_ms, value.busy)
                return _worker_ready, (batch, *rest)
            # One for each dataflow, several times a second.
            case DataflowFacts(exports=exports, fingerprint=fingerprint, hydrated=hydrated):
                times = (value.since.time, value.upper.time)
                return _facts, (exports, fingerprint, *times, hydrated, value.content_digest)
            case HydrationProgress(collection=collection, rows_done=done, rows_total=total):
                failed = (value.peer_failed, value.peer_failure)
                more = (value.rows_received, value.elapsed_ms, *failed)
                return _hydration, (collection, done, total, *more)
            case _:
                return NotImplemented


def _from_worker(handled: int, ready: tuple[WorkerReady, ...]) -> FromWorker:
    return FromWorker(handled=handled, ready=ready)


def _commands_received(connection_id: ConnectionId, batch: bytes) -> CommandsReceived:
    commands = commands_from_batch(command_pb2.CommandBatch.FromString(batch))
    return CommandsReceived(connection_id=connection_id, commands=commands)


def _worker_ready(
    batch: bytes,
    requests: tuple[Request, ...],
    files: tuple[FileRequest, ...],
    progress: WorkerProgress | None,
    wake_at_ms: int | None,
    busy: bool,
) -> WorkerReady:
    connection_id, responses = responses_from_batch(response_pb2.ResponseBatch.FromString(batch))
    return WorkerReady(
        requests=requests,
        files=files,
        responses=responses,
        connection_id=connection_id,
        progress=progress,
        wake_at_ms=wake_at_ms,
        busy=busy,
    )


def _facts(
    exports: tuple[CollectionId, ...],
    fingerprint: bytes,
    since: int | None,
    upper: int | None,
    hydrated: bool,
    content_digest: bytes,
) -> DataflowFacts:
    return DataflowFacts(
        exports=exports,
        fingerprint=fingerprint,
        since=Frontier(since),
        upper=Frontier(upper),
        hydrated=hydrated,
        content_digest=content_digest,
    )


def _hydration(
    collection: CollectionId,
    done: int,
    total: int,
    received: int,
    elapsed_ms: int,
    peer_failed: str,
    peer_failure: str,
) -> HydrationProgress:
    return HydrationProgress(
        collection=collection,
        rows_done=done,
        rows_total=total,
        rows_received=received,
        elapsed_ms=elapsed_ms,
        peer_failed=peer_failed,
        peer_failure=peer_failure,
    )


class Decoder:
    """Cuts the byte stream into messages again."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[Any]:
        """The messages that `data` completes, in order."""
        self._buffer += data
        messages: list[Any] = []
        start = 0
        while len(self._buffer) - start >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._buffer, start)
            stop = start + _LENGTH.size + length
            if len(self._buffer) < stop:
                break
            with memoryview(self._buffer) as view:
                messages.append(pickle.loads(view[start + _LENGTH.size : stop]))
            start = stop
        # Cut once, not per message: each cut moves the rest of the buffer.
        del self._buffer[:start]
        return messages
