"""What others ask of this replica's state: digests, and the state itself for a peer's rebuild.

Both are answered beside the work, in slices: reads, ticks and commands go on meanwhile. State goes
out in chunks, the next one made when the last was taken, so that a peer that reads slowly costs
what it holds on to and nothing else; one that has stopped reading loses that. Rows stand in
canonical order, so that a chunk is the same whoever sends it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from antiphon.protocol.content_digest import digest_bytes
from antiphon.protocol.errors import CollectionMissing, ComputeError, LimitExceeded, Unavailable
from antiphon.protocol.frontier import Frontier
from antiphon.protocol.ids import CollectionId, show
from antiphon.protocol.limits import STATE_RETAIN_MS
from antiphon.replica.importing.inputs import Inputs
from antiphon.replica.installing.exported import InstalledExport
from antiphon.replica.ports import (
    DigestsAsked,
    DigestsTold,
    Request,
    StateAsked,
    StateEnded,
    StateTold,
    StateWanted,
)
from antiphon.replica.rebuilding.chunks import Chunks, Content
from antiphon.replica.reporting.digest import ContentDigest

ASKS_MAX: Final = 16  # of each kind at a time; each holds on to what it reads

Asked = DigestsAsked | StateAsked | StateWanted | StateEnded


@dataclass(slots=True, kw_only=True)
class _Summing:
    time: int
    digests: dict[CollectionId, ContentDigest]


@dataclass(slots=True, kw_only=True)
class _Sending:
    """`asked_at_ms`: when its peer last asked for more."""

    chunks: Chunks
    asked_at_ms: int
    is_wanted: bool = True


class Asks:
    """`find`: an export that can be read; `copies`: those that hold a table as it is. Answers are
    appended to `requests`."""

    def __init__(
        self,
        find: Callable[[CollectionId], InstalledExport | None],
        copies: Callable[[CollectionId], Iterable[InstalledExport]],
        inputs: Inputs,
        requests: list[Request],
        chunk_rows: int,
    ) -> None:
        self._find = find
        self._copies = copies
        self._inputs = inputs
        self._requests = requests
        self._chunk_rows = chunk_rows
        self._digests: dict[int, _Summing] = {}
        self._sending: dict[int, _Sending] = {}

    def handle(self, event: Asked, now_ms: int) -> None:
        """Takes it in, and refuses what cannot be served; answers come of `work`."""
        match event:
            case DigestsAsked(ask=ask):
                if len(self._digests) >= ASKS_MAX:
                    self._requests.append(DigestsTold(ask=ask, digests={}))
                else:
                    self._digests[ask] = self._summing(event)
            case StateAsked(ask=ask):
                try:
                    chunks = Chunks(self._opened(event), event.first_chunk, self._chunk_rows)
                except ComputeError as error:
                    self._requests.append(StateTold(ask=ask, answer=error))
                else:
                    self._sending[ask] = _Sending(chunks=chunks, asked_at_ms=now_ms)
            case StateWanted(ask=ask):
                if (sending := self._sending.get(ask)) is not None:
                    sending.is_wanted = True
                    sending.asked_at_ms = now_ms
            case StateEnded(ask=ask):
                self._sending.pop(ask, None)

    @property
    def unfinished(self) -> tuple[str, ...]:
        """What was asked for and was not given whole."""
        digests = (f"digests for {ask}" for ask in self._digests)
        return (*digests, *(f"state for {ask}" for ask in self._sending))

    @property
    def is_busy(self) -> bool:
        """Whether `work` has something to do."""
        return bool(self._digests) or any(one.is_wanted for one in self._sending.values())

    @property
    def wake_at_ms(self) -> int | None:
        """When a peer has stopped reading for too long, unless it goes on."""
        stopped = (one.asked_at_ms for one in self._sending.values() if not one.is_wanted)
        first = min(stopped, default=None)
        return None if first is None else first + STATE_RETAIN_MS

    def work(self, fuel_rows: int, now_ms: int) -> None:
        """One slice, shared by all who wait; tells what is done."""
        self._expire(now_ms)
        sending = [(ask, one) for ask, one in self._sending.items() if one.is_wanted]
        waiting = len(self._digests) + len(sending)
        share = max(1, fuel_rows // max(1, waiting))
        for ask, summing in list(self._digests.items()):
            self._sum(ask, summing, share)
        for ask, one in sending:
            _, part = one.chunks.work(share)
            if part is not None:
                one.is_wanted = False
                if one.chunks.is_done:
                    del self._sending[ask]
                self._requests.append(StateTold(ask=ask, answer=part))

    def _expire(self, now_ms: int) -> None:
        for ask, one in list(self._sending.items()):
            if not one.is_wanted and now_ms - one.asked_at_ms >= STATE_RETAIN_MS:
                del self._sending[ask]
                error = Unavailable(f"nobody has read for {STATE_RETAIN_MS} ms: ask again")
                self._requests.append(StateTold(ask=ask, answer=error))

    def _sum(self, ask: int, summing: _Summing, fuel_rows: int) -> None:
        for digest in summing.digests.values():
            if digest.work(fuel_rows):
                return
        del self._digests[ask]
        summed = {c: digest.at(summing.time) for c, digest in summing.digests.items()}
        told = {c: digest_bytes(sum_) for c, sum_ in summed.items() if sum_ is not None}
        self._requests.append(DigestsTold(ask=ask, digests=told))

    def _summing(self, asked: DigestsAsked) -> _Summing:
        """Of the content as it is held, row by row: a sum that followed the changes would not see
        what became of the rows since. What is not here (any more), or not complete, is left out."""
        time, digests = asked.time, {}
        for collection in asked.collections:
            export = self._find(collection)
            if export is None or export.failure is not None:
                continue
            trace = export.trace
            if trace.since.less_equal(Frontier(time)) and trace.upper.passes(time):
                digests[collection] = ContentDigest(time, trace.parts(time))
        return _Summing(time=time, digests=digests)

    def _opened(self, asked: StateAsked) -> Content:
        """
        Raises:
            CollectionMissing, SinceViolation, NotComplete, LimitExceeded
        """
        if len(self._sending) >= ASKS_MAX:
            raise LimitExceeded(f"{ASKS_MAX} peers read state already", limit="ASKS_MAX")
        export = self._holding(asked.collection)
        feed = self._inputs.keyed_state(asked.collection, asked.time)
        if feed is not None and (export is None or feed.time == asked.time):
            return feed
        if export is None:
            raise CollectionMissing(f"no state of {show(asked.collection)} is kept here")
        batches, errors = export.trace.held(asked.time)
        return Content(schema=export.schema, time=asked.time, batches=batches, errors=errors)

    def _holding(self, collection: CollectionId) -> InstalledExport | None:
        """An export of that name, or one that holds a table of that name as it is."""
        export = self._find(collection)
        if export is not None:
            return export if export.failure is None else None
        return next((copy for copy in self._copies(collection) if copy.owner.hydrated), None)
