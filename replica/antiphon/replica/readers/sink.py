"""One materialized view's way into the store.

Every replica computes the view; those that may write append its changes to the shard by
compare-and-append, so that whoever is first wins and the others adopt what the shard says. The
first write after a start corrects: it reads what the shard holds and appends the difference to
what it should hold, so that an earlier mistake, a half-done hand-over or a changed plan heals
instead of adding up. What no message has room for, a large first write or a tick that changes
much, is one append in pieces: each leaves when there is room for it, all of them count or none.

States: silent (may not write) -> asking (where does the shard stand?) -> reading (what does it
hold there?) -> writing. A failure that may pass goes back to asking after a pause; a fence is for
good, until a new connection allows writing again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from enum import Enum, auto
from typing import Final, assert_never

from antiphon.protocol.errors import EpochFenced
from antiphon.protocol.frontier import CLOSED, TIME_MAX, Frontier
from antiphon.protocol.ids import ClaimId, CollectionId, Epoch
from antiphon.protocol.limits import MIB
from antiphon.protocol.schema import Schema
from antiphon.replica.dataflow.arrangements.trace import Trace
from antiphon.replica.dataflow.columns.zset import Zset
from antiphon.replica.importing.deltas import Ticks, decode, encode, in_pieces
from antiphon.replica.ports import (
    AppendPiece,
    AppendShard,
    CancelAppend,
    CancelSnapshot,
    EncodedDelta,
    ReadSnapshot,
    Request,
    ShardAppended,
    ShardAppendFailed,
    ShardPieceWanted,
    SnapshotPart,
)

RETRY_MS: Final = 1_000
# Nobody waits for a change to be in the store: what is not there yet is computed again. So a write
# waits for the ticks that follow, as each is a transaction.
WRITE_WAIT_MS: Final = 50
# Of one message: well below MESSAGE_BYTES_MAX, since rows are estimated before they are encoded,
# and a transaction of its own, for which the writes of clients do not wait long.
PIECE_BYTES_MAX: Final = 4 * MIB
# No shard stands here: an append that expects it changes nothing and is told the upper.
_NOWHERE: Final = Frontier(TIME_MAX)


class _State(Enum):
    SILENT = auto()
    ASKING = auto()
    READING = auto()
    WRITING = auto()
    PAUSED = auto()


class Sink:
    """Writes one view. At most one request is under way; its number says which answer counts."""

    def __init__(
        self,
        collection: CollectionId,
        schema: Schema,
        trace: Trace,
        number: Callable[[], int],
        requests: list[Request],
        *,
        piece_bytes: int = PIECE_BYTES_MAX,
    ) -> None:
        self.collection = collection
        self.shard_upper: Frontier | None = None  # as last heard; None: never
        self._schema = schema
        self._trace = trace
        self._number = number
        self._requests = requests
        self._piece_bytes = piece_bytes
        self._state = _State.SILENT
        self._writer: tuple[Epoch, ClaimId] | None = None
        self._waiting: int | None = None  # the number of the request under way
        self._persisted: list[Zset] | None = None  # what the shard holds; None: what it should
        self._pieces: deque[Ticks] = deque()  # of what is being written, those to be sent yet
        self._retry_at_ms = 0
        self.write_at_ms: int | None = None  # None: the shard lacks nothing

    def allow(self, epoch: Epoch, claim_id: ClaimId) -> None:
        """Writes may begin. Repeating it changes nothing."""
        if self._writer == (epoch, claim_id):
            return
        self._writer = (epoch, claim_id)
        if self._state is _State.SILENT:
            self._ask()

    def forbid(self) -> None:
        """The permission ended with its connection. What is under way is fenced by its epoch."""
        if self._state is _State.READING and self._waiting is not None:
            self._requests.append(CancelSnapshot(snapshot=self._waiting))
        if self._pieces and self._waiting is not None:
            self._requests.append(CancelAppend(append=self._waiting))
        self._writer = None
        self._waiting = None
        self._persisted = None
        self._pieces.clear()
        self._state = _State.SILENT

    @property
    def hold(self) -> Frontier:
        """What of the trace the sink still needs: everything the shard lacks."""
        if self._state is _State.SILENT or self.shard_upper is None:
            return CLOSED
        return self.shard_upper

    def owns(self, number: int) -> bool:
        return number == self._waiting

    def handle(
        self, event: ShardPieceWanted | ShardAppended | ShardAppendFailed, now_ms: int
    ) -> None:
        """What the store says of the request under way."""
        match event:
            case ShardPieceWanted():
                self._write_piece()
            case ShardAppended():
                self._appended(event)
            case ShardAppendFailed():
                self._append_failed(event, now_ms)
            case _:
                assert_never(event)

    def _write_piece(self) -> None:
        """What was sent before is on its way."""
        assert self._waiting is not None, "asked for a piece of what is over"
        piece = self._pieces.popleft()
        self._requests.append(
            AppendPiece(
                append=self._waiting,
                delta=encode(self._schema, piece),
                last=not self._pieces,
            )
        )

    def _appended(self, answer: ShardAppended) -> None:
        self._waiting = None
        self._pieces.clear()
        known = self.shard_upper
        self.shard_upper = answer.upper if known is None else known.join(answer.upper)
        if self._state is _State.ASKING:
            self._read()
        elif answer.applied:
            self._persisted = None
        elif self._persisted is not None:
            self._read()  # somebody wrote meanwhile: what we read is no longer what is there

    def _append_failed(self, answer: ShardAppendFailed, now_ms: int) -> None:
        self._waiting = None
        if isinstance(answer.error, EpochFenced):
            self.forbid()
        else:
            self._pause(now_ms)

    def snapshot_part(self, part: SnapshotPart) -> None:
        """Raises SchemaMismatch if the part is not of the view."""
        assert self._persisted is not None, "a part that was not asked for"
        self._persisted += [change for _, change in decode(part.delta, self._schema)]
        if part.last:
            self._waiting = None
            self._state = _State.WRITING

    def snapshot_failed(self, now_ms: int) -> None:
        """For one, the shard may have been compacted past what we knew: ask again."""
        self._waiting = None
        self._pause(now_ms)

    def work(self, now_ms: int) -> int | None:
        """Writes what is due; when to come again, if at all. Call it whenever the trace moved."""
        if self._state is _State.PAUSED:
            if now_ms < self._retry_at_ms:
                return self._retry_at_ms
            self._ask()
        if self._state is not _State.WRITING or self._waiting is not None:
            return None
        lower, upper = self.shard_upper, self._trace.upper
        assert lower is not None, "writing without knowing where"
        if lower.time is None or upper.less_equal(lower):
            self.write_at_ms = None
            return None
        if self.write_at_ms is None:
            self.write_at_ms = now_ms + WRITE_WAIT_MS
        if now_ms < self.write_at_ms:
            return self.write_at_ms
        self.write_at_ms = None
        self._write(lower, upper)
        return None

    def _write(self, lower: Frontier, upper: Frontier) -> None:
        assert lower.time is not None, "nothing follows a closed shard"
        changes = self._changes(lower.time, upper)
        if changes is not None:
            first, *rest = in_pieces(changes, self._piece_bytes)
            self._pieces.extend(rest)
            self._append(lower, upper, encode(self._schema, first))

    def _changes(self, lower: int, upper: Frontier) -> Ticks | None:
        """What the shard lacks from `lower` on; None: the trace has not come so far.

        Where it holds what the trace holds, that is the trace's own changes. Otherwise one
        correction at the first time that both reach, and the changes after it.
        """
        stop = TIME_MAX + 1 if upper.time is None else upper.time
        since = self._trace.since
        assert since.time is not None, "a dropped view is not written"
        if since.time < lower:
            # Once both agree, others may write as well as we. Else all of the shard would be read
            # again, each time that they were faster.
            held = self._persisted
            if held is not None and self._correction(held, lower - 1).is_empty:
                self._persisted = None
            if self._persisted is None:
                return self._trace.updates(lower, stop)
        if self._persisted is None:
            self._read()  # others wrote, and then did not, for longer than the trace remembers
            return None
        first = max(lower, since.time)
        if not upper.passes(first):
            return None
        correction = self._correction(self._persisted, first)
        changes = [] if correction.is_empty else [(first, correction)]
        if first + 1 < stop:
            changes += self._trace.updates(first + 1, stop)
        return changes

    def _correction(self, persisted: list[Zset], time: int) -> Zset:
        """What the shard lacks, or has too much, to hold what the trace holds at `time`."""
        parts = [self._trace.snapshot(time), *(part.negated() for part in persisted)]
        return Zset.concat(self._schema, parts).consolidated()

    def _ask(self) -> None:
        self._state = _State.ASKING
        self._append(_NOWHERE, CLOSED, EncodedDelta())

    def _append(self, lower: Frontier, upper: Frontier, delta: EncodedDelta) -> None:
        assert self._writer is not None, "a write that was not allowed"
        self._waiting = self._number()
        epoch, claim_id = self._writer
        self._requests.append(
            AppendShard(
                append=self._waiting,
                collection=self.collection,
                expected_upper=lower,
                new_upper=upper,
                delta=delta,
                epoch=epoch,
                claim_id=claim_id,
                last=not self._pieces,
            )
        )

    def _read(self) -> None:
        """What the shard holds: nothing before its first write."""
        assert self.shard_upper is not None, "reading a shard that was not asked"
        self._persisted = []
        if self.shard_upper.time is None or self.shard_upper.time == 0:
            self._state = _State.WRITING
            return
        self._state = _State.READING
        self._waiting = self._number()
        self._requests.append(
            ReadSnapshot(
                snapshot=self._waiting,
                collection=self.collection,
                as_of=self.shard_upper.time - 1,
            )
        )

    def _pause(self, now_ms: int) -> None:
        self._persisted = None
        self._pieces.clear()
        self._state = _State.PAUSED
        self._retry_at_ms = now_ms + RETRY_MS
