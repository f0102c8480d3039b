"""What replicas write back of materialized views: of each shard one append at a time.

All replicas compute a view, and all that may write append what it changed, so most appends come
second. Whether one does is known here as soon as the one before it is durable: it is answered
without a transaction of its own, which the writes of clients would have waited for.

What waits is bounded, in number and in bytes: beyond that an append is refused, and the replica,
which has the change, comes again with what the shard then lacks.
"""

from __future__ import annotations

from collections import deque

from antiphon.controller.instance.event import ShardAdvanced
from antiphon.controller.kernel import Kernel
from antiphon.controller.ports import ShardReply
from antiphon.controller.request import ShardAppendReceived
from antiphon.history.store import Committed, Completion, Refused
from antiphon.protocol.errors import EpochFenced, LimitExceeded, ReplicaFailed
from antiphon.protocol.ids import CollectionId
from antiphon.protocol.limits import WRITE_BACK_BYTES_MAX, WRITE_BACKS_WAITING_MAX


class WriteBack:
    """Compare-and-append, in the order of arrival."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        # Of each shard that an append is on its way to: those that wait for what becomes of it.
        self._waiting: dict[CollectionId, deque[ShardAppendReceived]] = {}
        self._bytes = 0  # of these, and of those on their way

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
        self._bytes += _size(event)
        if waiting is None:
            self._submit(event)
        else:
            waiting.append(event)

    def _limit_reached(self, event: ShardAppendReceived, waiting_count: int) -> str:
        """Which limit it would pass; empty: none."""
        if waiting_count >= WRITE_BACKS_WAITING_MAX:
            return "WRITE_BACKS_WAITING_MAX"
        size = _size(event)
        too_large = self._bytes and size and self._bytes + size > WRITE_BACK_BYTES_MAX
        return "WRITE_BACK_BYTES_MAX" if too_large else ""

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

    def _submit(self, event: ShardAppendReceived) -> None:
        kernel, collection = self._kernel, event.append.collection

        def done(completion: Completion) -> None:
            self._bytes -= _size(event)
            match completion:
                case Committed(shard_uppers=((applied, upper),)):
                    kernel.step(ShardAdvanced(collection=collection, upper=upper))
                    kernel.reply(event.request, ShardReply(applied=applied, upper=upper))
                case Committed():
                    raise AssertionError("one shard append has one answer")
                case Refused(error=error):
                    kernel.fail(event.request, error)
            self._next(collection)

        self._waiting.setdefault(collection, deque())
        kernel.submit(done, shard_appends=(event.append,))

    def _next(self, collection: CollectionId) -> None:
        waiting = self._waiting[collection]
        while waiting:
            event = waiting.popleft()
            if not self._is_settled(event):
                self._submit(event)
                return
            self._bytes -= _size(event)
        del self._waiting[collection]


def _size(event: ShardAppendReceived) -> int:
    delta = event.append.delta
    return sum(batch.nbytes for batch in (*delta.rows, *delta.errors))
