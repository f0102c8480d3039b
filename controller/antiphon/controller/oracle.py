"""The oracle: gives every write its time, and says which time is readable.

It owns the timeline's durable upper and the appends that wait for a tick. One tick is in flight at
a time; whatever arrives meanwhile shares the next one, at one time: that is the group commit, and
it needs no timer. Only under overload does a tick wait (see `pace`). Without writes there are no
ticks, but while some view depends on the clock: then there is one in each second. A write is
readable, and answered, once its tick is durable; a strict read is at `upper - 1`, the latest time
at which everything is final.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from antiphon.history.store import Append, Tick
from antiphon.protocol.errors import ClockJumped, LimitExceeded
from antiphon.protocol.limits import APPEND_BYTES_MAX, CLOCK_JUMP_MAX_MS, MESSAGE_BYTES_MAX, MIB

TICK_APPENDS_MAX: Final = 4_096  # one tick's appends: bounds a transaction, not the throughput
TICK_BYTES_MAX: Final = 32 * MIB  # one tick's columns: what it changes must fit a tail's message
CLOCK_STEP_MS: Final = 1_000  # what depends on the clock sees whole seconds
PENDING_APPENDS_MAX: Final = 65_536  # beyond it clients are refused, and nothing was done
PENDING_BYTES_MAX: Final = 512 * MIB  # of appended columns that wait, for the same reason

assert TICK_BYTES_MAX >= APPEND_BYTES_MAX, "every append fits a tick"
assert TICK_BYTES_MAX <= MESSAGE_BYTES_MAX // 2, "a tick fits a message, with room to spare"


@dataclass(frozen=True, slots=True)
class PendingAppend:
    """An append and the request that waits for it."""

    request: int
    append: Append
    bytes: int  # of its columns; asking Arrow is not free


class Oracle:
    """The timeline of one instance."""

    def __init__(self, *, upper: int, allow_clock_jump: bool = False) -> None:
        assert upper >= 1, f"time 0 is complete and empty, so upper is at least 1, not {upper}"
        self._upper = upper
        self._allow_clock_jump = allow_clock_jump
        self._trusted_now_ms: int | None = None
        self._pending: deque[PendingAppend] = deque()
        self._pending_bytes = 0
        self._in_flight: tuple[Tick, tuple[PendingAppend, ...]] | None = None
        self._not_before_ms = 0
        self.follows_clock = False  # whether something depends on what the clock says

    @property
    def upper(self) -> int:
        """The first time that may still change. Durable."""
        return self._upper

    def follow(self, upper: int) -> None:
        """Of a standby: another controller has moved the timeline."""
        assert self._in_flight is None, "who follows gives no times"
        assert upper >= self._upper, f"time moves back: {self._upper} -> {upper}"
        self._upper = upper

    @property
    def read_time(self) -> int:
        """The latest time at which everything is final: where strict reads are."""
        return self._upper - 1

    @property
    def pending_count(self) -> int:
        return len(self._pending)

    def observe_clock(self, now_ms: int) -> None:
        """A look at the clock. A jump forward is not believed, now or later, until it is undone;
        looks must be closer to each other than the jump they are to notice."""
        trusted = self._trusted_now_ms
        if trusted is not None and now_ms > trusted + CLOCK_JUMP_MAX_MS:
            return
        self._trusted_now_ms = now_ms if trusted is None else max(trusted, now_ms)

    def enqueue(self, request: int, append: Append, now_ms: int) -> None:
        """Let an append wait for the next tick.

        Raises:
            LimitExceeded: too much waits already.
            ClockJumped: the clock cannot be believed; a time from it could never be taken back.
        """
        self.observe_clock(now_ms)
        self._check_clock(now_ms)
        if len(self._pending) >= PENDING_APPENDS_MAX:
            raise LimitExceeded(
                f"{PENDING_APPENDS_MAX} appends wait already", limit="PENDING_APPENDS_MAX"
            )
        if self._pending_bytes >= PENDING_BYTES_MAX:
            raise LimitExceeded(
                f"appends of {self._pending_bytes} bytes wait already", limit="PENDING_BYTES_MAX"
            )
        pending = PendingAppend(request, append, append.rows.nbytes)
        self._pending.append(pending)
        self._pending_bytes += pending.bytes

    def _check_clock(self, now_ms: int) -> None:
        trusted = self._trusted_now_ms
        assert trusted is not None, "the clock was looked at before"
        if now_ms > trusted + CLOCK_JUMP_MAX_MS and not self._allow_clock_jump:
            raise ClockJumped(
                f"the clock jumped {(now_ms - trusted) // 1000} s forward; set it right, or "
                "restart the controller to accept it",
                now_ms=now_ms,
                trusted_ms=trusted,
            )

    @property
    def wake_at_ms(self) -> int | None:
        """When the next tick may begin; None: nothing is to come, or one is in flight."""
        if self._in_flight is not None:
            return None
        if self._pending:
            return self._not_before_ms
        return max(self._next_second_ms, self._not_before_ms) if self.follows_clock else None

    @property
    def _next_second_ms(self) -> int:
        """When the clock says something else than at the latest complete time."""
        return (self.read_time // CLOCK_STEP_MS + 1) * CLOCK_STEP_MS

    def _is_second_due(self, now_ms: int) -> bool:
        if not self.follows_clock or now_ms < self._next_second_ms:
            return False
        trusted = self._trusted_now_ms
        if trusted is not None and now_ms <= trusted + CLOCK_JUMP_MAX_MS:
            return True
        # A clock that cannot be believed moves nothing by itself; look again later.
        self._not_before_ms = now_ms + CLOCK_STEP_MS
        return False

    def begin_tick(self, now_ms: int, spacing_ms: int = 0) -> Tick | None:
        """The next tick to make durable. None: nothing waits, one is in flight already, or the last
        one began less than its `spacing_ms` ago."""
        if self._in_flight is not None or not (self._pending or self._is_second_due(now_ms)):
            return None
        # A clock that went back does not hold ticks up for longer than the spacing.
        if now_ms < self._not_before_ms <= now_ms + spacing_ms:
            return None
        self._not_before_ms = now_ms + spacing_ms
        batch = self._next_batch()
        # A clock behind the upper yields the upper itself: time never goes back.
        tick = Tick(
            time=max(now_ms, self._upper), appends=tuple(pending.append for pending in batch)
        )
        self._in_flight = (tick, batch)
        return tick

    def _next_batch(self) -> tuple[PendingAppend, ...]:
        """The oldest appends that fit one tick; none if the clock alone asks for it."""
        batch: list[PendingAppend] = []
        batch_bytes = 0
        while self._pending and len(batch) < TICK_APPENDS_MAX:
            rows_bytes = self._pending[0].bytes
            if batch and batch_bytes + rows_bytes > TICK_BYTES_MAX:
                break
            batch.append(self._pending.popleft())
            batch_bytes += rows_bytes
        self._pending_bytes -= batch_bytes
        return tuple(batch)

    def commit_tick(self) -> tuple[Tick, Sequence[int]]:
        """The tick in flight is durable: the upper moves. Returns it and its requests, in order."""
        tick, batch = self._take_in_flight()
        assert tick.time >= self._upper, f"time moves back: {self._upper} -> {tick.time + 1}"
        self._upper = tick.time + 1
        return tick, [pending.request for pending in batch]

    def refuse_tick(self) -> Sequence[int]:
        """The tick in flight failed as a whole. Returns its requests, in order."""
        _, batch = self._take_in_flight()
        return [pending.request for pending in batch]

    def _take_in_flight(self) -> tuple[Tick, tuple[PendingAppend, ...]]:
        assert self._in_flight is not None, "no tick is in flight"
        in_flight, self._in_flight = self._in_flight, None
        return in_flight
