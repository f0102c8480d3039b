"""A replica reads another's state, as `FetchState` gives it: one chunk on its way, one in the
making. Either side may die, and the line be cut, between any two of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from antiphon.proof.simulation.network import Network, Stream
from antiphon.protocol.errors import (
    ComputeError,
    EpochFenced,
    InstanceMismatch,
    Unavailable,
)
from antiphon.replica.ports import ReadSnapshot, SnapshotFailed, SnapshotPart, StatePart

if TYPE_CHECKING:
    from antiphon.proof.simulation.replica_process import ReplicaProcess

MORE = "more"


def read_state(
    network: Network, reader: ReplicaProcess, peer: ReplicaProcess, request: ReadSnapshot
) -> Stream:
    """`reader` hears `SnapshotPart`s, or one `SnapshotFailed`."""
    stream = network.open(reader.process, peer.process)
    is_over = False

    def receive(answer: StatePart | ComputeError) -> None:
        nonlocal is_over
        if isinstance(answer, ComputeError):
            is_over = True
            reader.deliver(SnapshotFailed(snapshot=request.snapshot, error=answer))
            return
        is_over = answer.last
        if not is_over:
            stream.send(0, MORE)
        reader.deliver(
            SnapshotPart(
                snapshot=request.snapshot,
                delta=answer.delta,
                rows_total=answer.rows_total,
                last=answer.last,
                index=answer.index,
                time=answer.time,
                digest=answer.digest,
            )
        )
        if is_over:
            stream.close(0, "all of it has come")

    def lost(reason: str) -> None:
        if not is_over:
            reader.deliver(SnapshotFailed(snapshot=request.snapshot, error=Unavailable(reason)))

    stream.attach(0, receive, lost)
    if peer.process.alive:
        _Serving(peer, stream)
        stream.send(0, request)
    else:
        reader.world.after(0, lambda: stream.cut("nobody listens"), reader.process)
    return stream


class _Serving:
    """The peer's end."""

    def __init__(self, peer: ReplicaProcess, stream: Stream) -> None:
        self._peer = peer
        self._stream = stream
        self._ask: int | None = None
        stream.attach(1, self._receive, self._lose)

    def _receive(self, message: ReadSnapshot | str) -> None:
        if isinstance(message, ReadSnapshot):
            facts = self._peer.facts()
            if message.epoch < facts.highest_epoch:
                self._stream.send(1, EpochFenced(f"epoch {message.epoch} is over"))
                return
            if message.history_id is not None and message.history_id != facts.history_id:
                self._stream.send(1, InstanceMismatch("it is of another history"))
                return
            self._ask = self._peer.ask_state(message.collection, message.as_of, self._tell)
        elif self._ask is not None:
            self._peer.more_state(self._ask)

    def _tell(self, answer: StatePart | ComputeError) -> None:
        self._stream.send(1, answer)

    def _lose(self, reason: str) -> None:
        if self._ask is not None:
            self._peer.end_state(self._ask)
