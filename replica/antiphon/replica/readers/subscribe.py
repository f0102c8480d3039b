"""One subscribe: the changes of a dataflow as contiguous batches.

The batches of a subscribe cover [0, f1), [f1, f2), ... without gap or overlap. The first reaches
just past as_of and carries the content there, unless the subscriber has seen it: then it is empty,
and only changes after as_of follow. It ends once: with a batch whose upper is closed, with a
failure, or with `SubscribeDropped`. After that it is silent.
"""

from __future__ import annotations

from antiphon.protocol.errors import LimitExceeded
from antiphon.protocol.failure import failure_of
from antiphon.protocol.frontier import START, Frontier
from antiphon.protocol.ids import CollectionId
from antiphon.protocol.response import (
    Failure,
    SubscribeBatch,
    SubscribeDropped,
    SubscribeResponse,
)
from antiphon.protocol.schema import Schema
from antiphon.replica.importing.deltas import Ticks, encode
from antiphon.replica.readers.data_errors import data_failure


class Subscription:
    """What was published and not yet sent. Nothing is kept once it has ended."""

    def __init__(
        self, collection: CollectionId, schema: Schema, as_of: int, *, with_snapshot: bool
    ) -> None:
        self.collection = collection
        self.ended = False
        self._schema = schema
        self._as_of = as_of
        self._first_time = as_of if with_snapshot else as_of + 1
        self._sent = START  # the upper of the last batch
        self._upper = START
        self._ticks: Ticks = []
        self._failure: Failure | None = None

    def publish(self, ticks: Ticks, upper: Frontier) -> None:
        """The dataflow's changes up to `upper`."""
        if self.ended:
            return
        self._upper = self._upper.join(upper)
        for time, change in ticks:
            if time < self._first_time:
                continue
            if self._failure is None:
                self._failure = data_failure(change.errors)
            if change.row_count:
                self._ticks.append((time, change))

    def fail(self, failure: Failure) -> None:
        """The dataflow cannot run: say so, and end."""
        if self._failure is None:
            self._failure = failure

    def flush(self, bytes_max: int) -> SubscribeResponse | None:
        """The batch that is due, if any: everything since the last one."""
        if self.ended or (self._failure is None and self._upper == self._sent):
            return None
        failure = self._failure
        if failure is not None and self._upper == self._sent:
            # A batch covers something, also when all it says is that nothing will follow.
            self._upper = Frontier((self._sent.time or self._as_of) + 1)
        batches: tuple[bytes, ...] = ()
        if failure is None:
            batches = encode(self._schema, self._ticks).rows
            failure = _too_large(batches, bytes_max)
        self.ended = failure is not None or self._upper.is_closed
        response = SubscribeResponse(
            collection=self.collection,
            result=SubscribeBatch(
                lower=self._sent,
                upper=self._upper,
                batches=batches if failure is None else (),
                failure=failure,
            ),
        )
        self._ticks = []
        self._sent = self._upper
        return response

    def drop(self) -> SubscribeResponse | None:
        """The subscribe's last word, unless it had it; what was not flushed is not sent."""
        if self.ended:
            return None
        self.ended = True
        self._ticks = []
        return SubscribeResponse(collection=self.collection, result=SubscribeDropped(at=self._sent))


def _too_large(batches: tuple[bytes, ...], bytes_max: int) -> Failure | None:
    byte_count = sum(len(batch) for batch in batches)
    if byte_count <= bytes_max:
        return None
    return failure_of(
        LimitExceeded(
            f"a subscribe's batch has {byte_count} bytes, more than"
            f" subscribe_bytes_max = {bytes_max}",
            limit="subscribe_bytes_max",
            value=bytes_max,
            found=byte_count,
        )
    )
