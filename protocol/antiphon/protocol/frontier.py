"""A frontier: the earliest logical time that may still change, or *closed* when nothing will.

Times are `u64` milliseconds on the instance's timeline and totally ordered, so a frontier is one
integer or nothing. The closed frontier is the largest of all; that is why frontiers are compared by
name, never by `<`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

TIME_MAX: Final = 2**64 - 2  # one below u64's end, so that `time + 1` is always a frontier


@dataclass(frozen=True, slots=True)
class Frontier:
    """`Frontier(t)`: updates before `t` are final. `CLOSED`: all updates are final."""

    time: int | None

    def __post_init__(self) -> None:
        assert self.time is None or 0 <= self.time <= TIME_MAX + 1, f"not a time: {self.time}"

    @property
    def is_closed(self) -> bool:
        return self.time is None

    def passes(self, time: int) -> bool:
        """Whether everything at `time` is final."""
        return self.time is None or self.time > time

    def less_equal(self, other: Frontier) -> bool:
        """Whether this frontier is at or before `other`."""
        if self.time is None:
            return other.time is None
        return other.time is None or self.time <= other.time

    def less_than(self, other: Frontier) -> bool:
        return self.time is not None and (other.time is None or self.time < other.time)

    def meet(self, other: Frontier) -> Frontier:
        """The earlier of the two."""
        return self if self.less_equal(other) else other

    def join(self, other: Frontier) -> Frontier:
        """The later of the two."""
        return other if self.less_equal(other) else self

    def step_back(self) -> Frontier:
        """The latest time that is final, as a frontier; the start stays the start."""
        assert self.time is not None, "the closed frontier has no last time"
        return Frontier(max(self.time - 1, 0))

    def __str__(self) -> str:
        return "[]" if self.time is None else f"[{self.time}]"


CLOSED: Final = Frontier(None)
START: Final = Frontier(0)


def meet_all(frontiers: list[Frontier]) -> Frontier:
    """The earliest; closed for none."""
    earliest = CLOSED
    for frontier in frontiers:
        earliest = earliest.meet(frontier)
    return earliest
