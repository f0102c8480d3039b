"""What `antiphon promote` waits for: the replicas of the standby are to have what was there when it
was asked for, and then what came meanwhile.

Each of the two is fixed when its turn comes. Who creates views all the time always has one that is
being filled, so that a wait for all of them need never end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from antiphon.v1 import control_pb2 as wire

NAMED_MAX = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Awaited:
    """`collections`: by name, those that are not as far; `state`: how it is, if that is not all."""

    replica: str
    state: str = ""
    collections: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """As of one status."""

    head: int  # of the history
    upper: int  # of the timeline
    collections: frozenset[int]


class Warmth:
    """Is told the status of one standby again and again."""

    def __init__(self) -> None:
        self._replicas: dict[str, None] = {}  # that were ever seen
        self._wanted: dict[str, _Wanted] = {}  # by replica, once it is connected
        self._is_last = False

    def awaited(self, status: wire.GetStatusResponse) -> tuple[Awaited, ...]:
        """Empty: it may be promoted. So it is also when there is nothing to wait for: who is live
        already says so when asked."""
        if status.role != "standby":
            return ()
        missing = self._missing(status)
        if not missing and not self._is_last:
            self._is_last = True
            self._wanted.clear()
            missing = self._missing(status)
        return missing

    def _missing(self, status: wire.GetStatusResponse) -> tuple[Awaited, ...]:
        found = {replica.name: replica for replica in status.replicas}
        self._replicas.update(dict.fromkeys(found))
        # A standby that begins anew has none for a moment, and is no warmer for that.
        each = (self._lacking(name, found.get(name), status) for name in self._replicas)
        return tuple(awaited for awaited in each if awaited is not None)

    def _lacking(
        self, name: str, replica: wire.ReplicaInfo | None, status: wire.GetStatusResponse
    ) -> Awaited | None:
        """What was dropped meanwhile is not waited for."""
        if replica is None or replica.link != "connected":
            return Awaited(replica=name, state="absent" if replica is None else replica.link)
        upper = status.timeline_upper.time
        if name not in self._wanted:
            there = frozenset(c.collection for c in replica.collections)
            self._wanted[name] = _Wanted(head=status.history_head, upper=upper, collections=there)
        wanted = self._wanted[name]
        # Filled is not enough: it begins seconds back, and goes through what came since. Reads
        # would wait for that, and once the store has folded it, the next controller fills it anew.
        unfilled = tuple(
            c.name
            for c in replica.collections
            if c.collection in wanted.collections
            and not c.failed  # nor will it be filled; the next controller finds it the same
            and not _is_there(c, upper - c.lag_ms >= wanted.upper)
        )
        if unfilled:
            return Awaited(replica=name, collections=unfilled)
        if replica.applied_position < wanted.head:
            state = f"at position {replica.applied_position} of {wanted.head}"
            return Awaited(replica=name, state=state)
        # Whose content did not count yet would build it anew for the next controller. That ends: a
        # session is about what was there when it began.
        return None if replica.accepted else Awaited(replica=name, state="not accepted yet")


def _is_there(collection: wire.ReplicaCollectionInfo, has_reached: bool) -> bool:
    """The next controller believes the replica itself, whose word is later than what the standby
    knows: its heartbeats say what it still fills, as of the position that they name."""
    return collection.hydrated and has_reached and not collection.HasField("progress")


def described(awaited: Sequence[Awaited]) -> str:
    """For people; one line."""
    return "; ".join(_described(one) for one in awaited)


def _described(awaited: Awaited) -> str:
    if awaited.state:
        return f"replica {awaited.replica}, which is {awaited.state}"
    names, more = awaited.collections[:NAMED_MAX], len(awaited.collections) - NAMED_MAX
    return f"{', '.join(names)}{f' and {more} more' if more > 0 else ''} on {awaited.replica}"
