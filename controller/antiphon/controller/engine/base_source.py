"""Where a rebuild takes the content from that it starts with, and why: one choice, in words.

Every input of a dataflow is read at exactly one time, its as_of, and what changes afterwards comes
from the tail. The content at that time is the same whoever gives it: the store, or another replica
that holds it. So a rebuild may change its source as often as it has to; what has not arrived whole
begins again.

    the store    has every input, and nobody who serves has to work for it
    a replica    up to date, holding at least one input; the one that holds most, and of equal ones
                 the one with the first name. If the store gives nothing, or first, if so configured
    the store    again, if nobody else is left: what it cannot give it refuses, which ends the
                 session, and the next one recomputes everything at other times
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from types import MappingProxyType
from typing import Final

from antiphon.protocol.ids import ReplicaId

STORE: Final = "the store"


class FromPeers(IntEnum):
    """When other replicas are asked; the numbers are those of the setting."""

    NEVER = 0
    LAST = 1
    FIRST = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Giver:
    """A replica that is up to date, and how many of the inputs it holds."""

    replica: ReplicaId
    input_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseCase:
    """All that the choice depends on. `failed`: who did not give it, the last one last, and why."""

    input_count: int  # tables and feeds that are to be read
    givers: Sequence[Giver] = ()
    failed: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    from_peers: FromPeers = FromPeers.LAST
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
    failed = "".join(f"{name} failed: {why}" for name, why in failure)
    asked = case.from_peers is FromPeers.FIRST or STORE in case.failed
    if case.doubt or case.from_peers is FromPeers.NEVER or not asked or not left:
        because = failed or case.doubt or _why_the_store(case, able)
        return BaseChoice(peer=None, reason=f"base from the store because {because}")
    best = min(left, key=lambda giver: (-giver.input_count, giver.replica))
    held = _held(best.input_count, case.input_count)
    because = failed or f"it is up to date and holds {held}"
    return BaseChoice(peer=best.replica, reason=f"base from {best.replica} because {because}")


def _why_the_store(case: BaseCase, able: Sequence[Giver]) -> str:
    if case.from_peers is FromPeers.NEVER:
        return "rebuild_from_peers is 0"
    if not case.givers:
        return "no other replica is up to date"
    if not able:
        return "no replica that is up to date holds what is read"
    return "it has every input and spares the replicas that serve"


def _held(held: int, needed: int) -> str:
    if held < needed:
        return f"{held} of the {needed} inputs"
    return "the one input" if needed == 1 else f"all {needed} inputs"
