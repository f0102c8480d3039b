"""What others ask of this replica's state: digests, and the state itself for a peer's rebuild.

Both are answered beside the work. A digest is summed in slices before it is told. State goes out in
chunks, the next one when the last was taken, so that a peer that reads slowly costs nothing; rows
stand in canonical order, so that a chunk is the same whoever sends it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from antiphon.protocol.content_digest import digest_bytes
from antiphon.protocol.errors import CollectionMissing, ComputeError, LimitExceeded
from antiphon.protocol.frontier import Frontier
from antiphon.protocol.ids import CollectionId, show
from antiphon.protocol.schema import Schema
from antiphon.replica.dataflow.zset import Zset
from antiphon.replica.deltas import encode
from antiphon.replica.digest import ContentDigest, digest_of
from antiphon.replica.inputs import Inputs
from antiphon.replica.installed import InstalledExport
from antiphon.replica.ports import (
    DigestsAsked,
    DigestsTold,
    Request,
    StateAsked,
    StateEnded,
    StatePart,
    StateTold,
    StateWanted,
)

CHUNK_ROWS: Final = 1 << 16
DIGEST_ROWS: Final = 1 << 16  # that are summed in a slice
ASKS_MAX: Final = 16  # of each kind at a time; each holds on to what it reads

Asked = DigestsAsked | StateAsked | StateWanted | StateEnded


@dataclass(slots=True, kw_only=True)
class _Summing:
    time: int
    digests: dict[CollectionId, ContentDigest]


@dataclass(slots=True, kw_only=True)
class _Sending:
    schema: Schema
    content: Zset
    time: int
    next_chunk: int


class Asks:
    """`find`: an export that can be read. Answers are appended to `requests`."""

    def __init__(
        self,
        find: Callable[[CollectionId], InstalledExport | None],
        inputs: Inputs,
        requests: list[Request],
    ) -> None:
        self._find = find
        self._inputs = inputs
        self._requests = requests
        self._digests: dict[int, _Summing] = {}
        self._sending: dict[int, _Sending] = {}

    def handle(self, event: Asked) -> None:
        match event:
            case DigestsAsked(ask=ask):
                if len(self._digests) >= ASKS_MAX:
                    self._requests.append(DigestsTold(ask=ask, digests={}))
                else:
                    self._digests[ask] = self._summing(event)
            case StateAsked(ask=ask):
                try:
                    self._sending[ask] = self._opened(event)
                except ComputeError as error:
                    self._requests.append(StateTold(ask=ask, answer=error))
                else:
                    self._send(ask)
            case StateWanted(ask=ask):
                if ask in self._sending:
                    self._send(ask)
            case StateEnded(ask=ask):
                self._sending.pop(ask, None)

    def settle(self) -> bool:
        """Tells the digests that are summed; True: there is more to sum."""
        more = False
        for ask, summing in list(self._digests.items()):
            if any(digest.work(DIGEST_ROWS) for digest in summing.digests.values()):
                more = True
                continue
            del self._digests[ask]
            summed = {c: digest.at(summing.time) for c, digest in summing.digests.items()}
            told = {c: digest_bytes(sum_) for c, sum_ in summed.items() if sum_ is not None}
            self._requests.append(DigestsTold(ask=ask, digests=told))
        return more

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

    def _opened(self, asked: StateAsked) -> _Sending:
        """
        Raises:
            CollectionMissing, SinceViolation, NotComplete, LimitExceeded
        """
        if len(self._sending) >= ASKS_MAX:
            raise LimitExceeded(f"{ASKS_MAX} peers read state already", limit="ASKS_MAX")
        export = self._find(asked.collection)
        if export is not None and export.failure is None:
            content, time = export.trace.snapshot(asked.time), asked.time
            schema = export.schema
        else:
            feed = self._inputs.keyed_state(asked.collection, asked.time)
            if feed is None:
                raise CollectionMissing(f"no state of {show(asked.collection)} is kept here")
            schema, content, time = feed
        return _Sending(schema=schema, content=content, time=time, next_chunk=asked.first_chunk)

    def _send(self, ask: int) -> None:
        sending = self._sending[ask]
        content = sending.content
        index = sending.next_chunk
        sending.next_chunk += 1
        start = min(index * CHUNK_ROWS, content.row_count)
        stop = min(start + CHUNK_ROWS, content.row_count)
        last = stop == content.row_count
        rows = content.slice(start, stop - start)
        if last:
            rows = Zset(rows.columns, rows.diffs, content.errors)
            del self._sending[ask]
        self._requests.append(
            StateTold(
                ask=ask,
                answer=StatePart(
                    index=index,
                    delta=encode(sending.schema, [(sending.time, rows)]),
                    time=sending.time,
                    rows_total=content.row_count,
                    last=last,
                    digest=digest_bytes(digest_of(content)) if last else b"",
                ),
            )
        )
