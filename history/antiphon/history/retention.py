"""How much of the command history stays unedited, and for whom.

The history is a reduced *base*, which stands for all commands up to `base`, and an unedited *log*
of those after it, up to the head. Folding a prefix of the log into the base is the only edit there
is; `folding` does it, this module says how far it may go.

Why the log is not simply reduced in place: a reduction edits an earlier command because of a later
one. A replica that stands between the two would be sent a suffix from which the reason is missing,
and would keep what everybody else has dropped. With a base that is edited and a log that is not,
the test is one comparison: a suffix after `position` is sound if, and only if, nothing after it was
ever edited, which is `base <= position <= head`.

A replica's *pin* is the position after which it still needs the log. It is reserved *before* the
start of its session is chosen: chosen first, the start could be folded away in between. A pin moves
forward only, and a new start reserves a new one. It is

    reserved    what it needs would be kept without it
    extended    the log is longer because of it
    lost        it asked for more than the bounds allow: nothing is kept for it any more

so that a replica that never comes back does not keep the history for ever.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from antiphon.protocol.ids import NO_POSITION, Position, ReplicaId

# What one replica may keep of the log. An hour is a long restart; ten thousand commands are sent in
# a fraction of a second; and what is kept is read into memory when a controller starts.
LOG_COMMANDS_MAX: Final = 10_000
LOG_BYTES_MAX: Final = 64 << 20
LOG_AGE_MS_MAX: Final = 3_600_000
# What is kept for nobody in particular: a replica whose pin was lost, or that is new here, may yet
# be close behind.
LOG_SLACK_COMMANDS: Final = 1_000

assert LOG_SLACK_COMMANDS < LOG_COMMANDS_MAX, "a pin may keep more than is kept for nobody"


class PinState(Enum):
    RESERVED = "reserved"
    EXTENDED = "extended"
    LOST = "lost"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What one pin may keep, and what is kept for nobody. 0: nothing beyond the slack."""

    entries_max: int = LOG_COMMANDS_MAX
    bytes_max: int = LOG_BYTES_MAX
    age_ms_max: int = LOG_AGE_MS_MAX
    slack_entries: int = LOG_SLACK_COMMANDS

    def __post_init__(self) -> None:
        assert min(self.entries_max, self.bytes_max, self.age_ms_max, self.slack_entries) >= 0, (
            f"negative bounds: {self}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """`owner` needs the log after `position`."""

    owner: ReplicaId
    position: Position
    is_lost: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LogEntry:
    """What the bounds have to know of one command. `bytes_before`: of all commands before it."""

    byte_count: int
    bytes_before: int
    appended_at_ms: int


@dataclass(slots=True, kw_only=True)
class RetentionState:
    """Base, log and pins of one history. All that changes them are the methods below."""

    base: Position = NO_POSITION
    head: Position = NO_POSITION
    bounds: Bounds = field(default_factory=Bounds)
    pins: dict[ReplicaId, Pin] = field(default_factory=dict)
    lost_count: int = 0
    _log: deque[LogEntry] = field(default_factory=deque)  # of base + 1, base + 2, ... head
    _byte_total: int = 0  # of all commands that were ever appended here

    def __post_init__(self) -> None:
        assert self.base == self.head, "a log begins empty: append what it holds"

    @property
    def tail(self) -> Position:
        """The oldest position of the log; one past the head if it is empty."""
        return Position(self.base + 1)

    def appended(self, *, byte_count: int, now_ms: int) -> Position:
        """The next command is durable. Returns its position."""
        self.head = Position(self.head + 1)
        self._log.append(
            LogEntry(byte_count=byte_count, bytes_before=self._byte_total, appended_at_ms=now_ms)
        )
        self._byte_total += byte_count
        return self.head

    # Pins.

    def reserve(self, owner: ReplicaId, position: Position) -> Pin:
        """A new pin for a start that is yet to be chosen. It replaces the owner's former one.

        Lost at once if the log cannot serve `position` any more; the start is then not in it.
        """
        pin = Pin(owner=owner, position=position, is_lost=not self.suffix_sound(position))
        self.pins[owner] = pin
        return pin

    def advance(self, owner: ReplicaId, position: Position) -> Pin | None:
        """The owner acknowledged `position`. Acknowledgements arrive late or twice, so one that is
        behind the pin, or beyond the head, changes nothing; a lost pin stays lost."""
        pin = self.pins.get(owner)
        if pin is None or pin.is_lost or not pin.position < position <= self.head:
            return pin
        self.pins[owner] = moved = Pin(owner=owner, position=position)
        return moved

    def release(self, owner: ReplicaId) -> None:
        """The owner is gone for good."""
        self.pins.pop(owner, None)

    def state_of(self, pin: Pin) -> PinState:
        if pin.is_lost:
            return PinState.LOST
        return PinState.EXTENDED if pin.position < self._slack_start else PinState.RESERVED

    def enforce(self, now_ms: int) -> tuple[Pin, ...]:
        """Break the pins that keep more than the bounds allow. Returns those that were just lost,
        by owner; a session that ran on one of them fails."""
        broken = [
            pin
            for _, pin in sorted(self.pins.items())
            if not pin.is_lost and self._exceeds(pin.position, now_ms)
        ]
        for pin in broken:
            self.pins[pin.owner] = Pin(owner=pin.owner, position=pin.position, is_lost=True)
        self.lost_count += len(broken)
        return tuple(self.pins[pin.owner] for pin in broken)

    # Folding.

    def fold_limit(self) -> Position:
        """How far the log may be folded: to the lowest pin that holds, and never into the slack."""
        held = [pin.position for pin in self.pins.values() if not pin.is_lost]
        return Position(max(self.base, min([*held, self._slack_start])))

    def fold_target(self, base_count: int) -> Position | None:
        """The limit, if folding up to it pays: what is folded is at least as long as the base is,
        so that the work is linear in what was ever appended. None: not yet.

        `base_count`: how many commands the reduced base holds.
        """
        limit = self.fold_limit()
        return limit if limit - self.base > base_count else None

    def folded(self, to: Position) -> None:
        """The log up to `to` is in the base now, durably."""
        limit = self.fold_limit()
        assert self.base <= to <= limit, f"folding to {to}: not between {self.base} and {limit}"
        for _ in range(to - self.base):
            self._log.popleft()
        self.base = to

    def suffix_sound(self, position: Position) -> bool:
        """Whether the log after `position` takes a replica at `position` to the head: every command
        after it is there, and none was edited."""
        return self.base <= position <= self.head

    # Sizes.

    @property
    def entry_count(self) -> int:
        return len(self._log)

    @property
    def byte_count(self) -> int:
        """Of the log; the base is not counted."""
        return self._byte_total - self._log[0].bytes_before if self._log else 0

    @property
    def _slack_start(self) -> Position:
        return Position(max(self.head - self.bounds.slack_entries, NO_POSITION))

    def _exceeds(self, position: Position, now_ms: int) -> bool:
        """Whether a pin there keeps too much. What lies in the slack is kept anyway."""
        if position >= self._slack_start:
            return False
        oldest = self._log[max(position - self.base, 0)]
        return (
            self.head - position > self.bounds.entries_max
            or self._byte_total - oldest.bytes_before > self.bounds.bytes_max
            or now_ms - oldest.appended_at_ms > self.bounds.age_ms_max
        )


def restored(
    base: Position, entries: Iterable[tuple[int, int]], bounds: Bounds | None = None
) -> RetentionState:
    """The state of a history that is opened again: pins do not outlive a controller.

    `entries`: (bytes, time of the append) of the log, from the base on.
    """
    state = RetentionState(base=base, head=base, bounds=bounds or Bounds())
    for byte_count, appended_at_ms in entries:
        state.appended(byte_count=byte_count, now_ms=appended_at_ms)
    return state
