"""What replicas write back of materialized views: of each shard one append at a time.

All replicas compute a view, and all that may write append what it changed, so most appends come
second. Whether one does is known here as soon as the one before it is durable: it is answered
without a transaction of its own, which the writes of clients would have waited for.

An append that comes in pieces has its turn like any other, and keeps it until the last piece, or
until it is given up. So of a large change only one replica sends more than the first piece.

What waits is bounded, in number and in bytes: beyond that an append is refused, and the replica,
which has the change, comes again with what the shard then lacks. Of an append whose turn it is one
piece is here at a time, so those that follow the first are counted, and not refused.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace

from antiphon.controller.instance.event import ShardAdvanced
from antiphon.controller.kernel import Kernel
from antiphon.controller.ports import PieceReply, ShardReply
from antiphon.controller.request import ShardAppendReceived, ShardPieceReceived
from antiphon.history.store import Committed, Completion, InDraft, Refused, ShardAppend
from antiphon.protocol.delta import Delta
from antiphon.protocol.errors import EpochFenced, LimitExceeded, ReplicaFailed
from antiphon.protocol.ids import CollectionId
from antiphon.protocol.limits import WRITE_BACK_BYTES_MAX, WRITE_BACKS_WAITING_MAX


@dataclass(slots=True)
class _Draft:
    """An append in pieces whose turn it is, by its request."""

    begun: ShardAppendReceived  # without its delta
    piece_count: int = 0  # that were submitted


class WriteBack:
    """Compare-and-append, in the order of arrival."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        # Of each shard that an append is on its way to: those that wait for what becomes of it.
        self._waiting: dict[CollectionId, deque[ShardAppendReceived]] = {}
        self._drafts: dict[int, _Draft] = {}
        self._bytes = 0  # of these, and of what is on its way

    def append(self, event: ShardAppendReceived) -> None:
        """Only a replica that this very claim allowed may."""
        kernel = self._kernel
        if event.fence != kernel.fence:
            fenced = EpochFenced(
                f"epoch {kernel.fence.epoch} owns the instance, not {event.fence.epoch} or "
                "another claim of it",
                epoch=kernel.fence.epoch,
            )
            kernel.fail(event.request, fenced)
            return
        waiting = self._waiting.get(event.append.collection)
        if waiting is None and self._is_settled(event):
            return
        limit = self._limit_reached(event, 0 if waiting is None else len(waiting))
        if limit:
            error = LimitExceeded("too many changes of views wait for the store", limit=limit)
            kernel.fail(event.request, error)
            return
        self._bytes += _size(event.append)
        if waiting is None:
            self._begin(event)
        else:
            waiting.append(event)

    def _limit_reached(self, event: ShardAppendReceived, waiting_count: int) -> str:
        """Which limit it would pass; empty: none."""
        if waiting_count >= WRITE_BACKS_WAITING_MAX:
            return "WRITE_BACKS_WAITING_MAX"
        size = _size(event.append)
        too_large = self._bytes and size and self._bytes + size > WRITE_BACK_BYTES_MAX
        return "WRITE_BACK_BYTES_MAX" if too_large else ""

    def go_on(self, event: ShardPieceReceived) -> None:
        """The next piece. One of an append that is over was answered when that ended."""
        draft = self._drafts.get(event.request)
        if draft is None:
            return
        if self._is_wrong(draft.begun):
            self._give_up(event.request)
            return
        place = InDraft(draft=event.request, pieces_before=draft.piece_count)
        append = replace(draft.begun.append, delta=event.delta, place=place)
        self._bytes += _size(append)
        if event.last:
            del self._drafts[event.request]
            self._submit(event.request, append)
        else:
            self._submit_piece(event.request, append)

    def cancel(self, request: int) -> bool:
        """Nobody waits for the answer. False: there is nothing of this request to give up."""
        if request in self._drafts:
            self._give_up(request)
            return True
        for waiting in self._waiting.values():
            for event in waiting:
                if event.request == request:
                    waiting.remove(event)
                    self._bytes -= _size(event.append)
                    return True
        return False

    def _is_settled(self, event: ShardAppendReceived) -> bool:
        """Whether it was answered without a transaction."""
        return self._is_wrong(event) or self._comes_late(event)

    def _is_wrong(self, event: ShardAppendReceived) -> bool:
        """Answers one of a replica that is known to hold something else than the others. It asks
        again, and once it was repaired begins with what the shard then lacks."""
        replicas = self._kernel.instance.state.replicas
        found = None if event.replica is None else replicas.get(event.replica)
        if found is None or not found.wrong:
            return False
        error = ReplicaFailed(
            f"replica {found.id} holds something else than the others, and writes no view until"
            " it is repaired",
            replica=found.id,
        )
        self._kernel.fail(event.request, error)
        return True

    def _comes_late(self, event: ShardAppendReceived) -> bool:
        """Answers one that expects what is durably past. All else the store decides."""
        append = event.append
        found = self._kernel.instance.state.collections.get(append.collection)
        if found is None or found.shard_upper is None:
            return False
        late = append.expected_upper.less_than(found.shard_upper)
        if late:
            self._kernel.reply(event.request, ShardReply(applied=False, upper=found.shard_upper))
        return late

    def _begin(self, event: ShardAppendReceived) -> None:
        """Its turn: nothing else is on its way to the shard."""
        self._waiting.setdefault(event.append.collection, deque())
        if event.last:
            self._submit(event.request, event.append)
            return
        rest = replace(event, append=replace(event.append, delta=Delta()))
        self._drafts[event.request] = _Draft(rest)
        place = InDraft(draft=event.request, pieces_before=0)
        self._submit_piece(event.request, replace(event.append, place=place))

    def _submit(self, request: int, append: ShardAppend) -> None:
        kernel, collection = self._kernel, append.collection

        def done(completion: Completion) -> None:
            self._bytes -= _size(append)
            match completion:
                case Committed(shard_uppers=((applied, upper),)):
                    kernel.step(ShardAdvanced(collection=collection, upper=upper))
                    kernel.reply(request, ShardReply(applied=applied, upper=upper))
                case Committed():
                    raise AssertionError("one shard append has one answer")
                case Refused(error=error):
                    kernel.fail(request, error)
                    if append.place is not None:
                        self._discard(append.place.draft)
            self._next(collection)

        kernel.submit(done, shard_appends=(append,))

    def _submit_piece(self, request: int, append: ShardAppend) -> None:
        kernel, draft = self._kernel, self._drafts[request]
        draft.piece_count += 1

        def done(completion: Completion) -> None:
            self._bytes -= _size(append)
            if self._drafts.get(request) is not draft:
                return  # it was given up meanwhile
            match completion:
                case Committed():
                    kernel.reply(request, PieceReply())
                case Refused(error=error):
                    kernel.fail(request, error)
                    self._give_up(request)

        kernel.submit(done, drafted=(append,))

    def _give_up(self, request: int) -> None:
        draft = self._drafts.pop(request)
        self._discard(request)
        self._next(draft.begun.append.collection)

    def _discard(self, draft: int) -> None:
        self._kernel.submit(lambda _: None, discarded=(draft,))

    def _next(self, collection: CollectionId) -> None:
        waiting = self._waiting[collection]
        while waiting:
            event = waiting.popleft()
            if not self._is_settled(event):
                self._begin(event)
                return
            self._bytes -= _size(event.append)
        del self._waiting[collection]


def _size(append: ShardAppend) -> int:
    return sum(batch.nbytes for batch in (*append.delta.rows, *append.delta.errors))
