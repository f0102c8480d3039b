"""Where a rebuild takes the content from that it starts with, and why: one choice, in words.

Every input of a dataflow is read at exactly one time, its as_of, and what changes afterwards comes
from the tail. The content at that time is the same whoever gives it: another replica that holds it,
or the store. So a rebuild may change its source as often as it has to; what has not arrived whole
begins again.

    a replica    up to date, holding at least one input; the one that holds most, and of equal ones
                 the one with the first name. It spares the store, and the controller in between
    the store    what no such replica holds, what is in doubt, and all that has failed elsewhere

The store is always right, so it is the last resort and never fails for good: what it cannot give
it refuses, which ends the session, and the next one begins at other times.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from antiphon.protocol.ids import ReplicaId


@dataclass(frozen=True, slots=True, kw_only=True)
class Giver:
    """A replica that is up to date, and how many of the inputs it holds."""

    replica: ReplicaId
    input_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseCase:
    """All that the choice depends on."""

    input_count: int  # tables and feeds that are to be read
    givers: Sequence[Giver] = ()
    failed: Mapping[ReplicaId, str] = field(default_factory=lambda: MappingProxyType({}))
    from_peers: bool = True  # whether that is allowed
    doubt: str = ""  # why no replica is to be believed


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseChoice:
    """`peer` None: the store."""

    peer: ReplicaId | None
    reason: str


def choose_base(case: BaseCase) -> BaseChoice:
    """The first that applies, with its reason. The newest failure is the reason for what follows
    it."""
    able = [giver for giver in case.givers if giver.input_count]
    left = [giver for giver in able if giver.replica not in case.failed]
    failure = list(case.failed.items())[-1:]
    because = "".join(f"{name} failed: {why}" for name, why in failure)
    if not case.from_peers:
        because = because or "rebuild_from_peers is 0"
    elif case.doubt:
        because = because or case.doubt
    elif left:
        best = min(left, key=lambda giver: (-giver.input_count, giver.replica))
        held = _held(best.input_count, case.input_count)
        because = because or f"it is up to date and holds {held}"
        return BaseChoice(peer=best.replica, reason=f"base from {best.replica} because {because}")
    elif not because:
        whose = "no replica that is up to date" if case.givers else "no other replica"
        because = f"{whose} holds what is read" if case.givers else f"{whose} is up to date"
    return BaseChoice(peer=None, reason=f"base from the store because {because}")


def _held(held: int, needed: int) -> str:
    if held < needed:
        return f"{held} of the {needed} inputs"
    return "the one input" if needed == 1 else f"all {needed} inputs"
