"""Whether what a replica has rebuilt is what the others hold, before any of it counts.

A rebuild that is complete is compared, at one time, with a replica that is up to date: the content
digests of all that both maintain. What the other one has yet to fill is waited for. Only if they
are equal is it accepted. If they are not, it is refused, and that counts as a failure of what was
found. Where nobody is up to date there is nothing to compare with, and that is said; it is compared
as soon as somebody is (`comparing`).

What is compared stays readable while it is. Who was asked and does not tell is passed over; the
next one is asked, until none is left.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from antiphon.controller.instance import holds
from antiphon.controller.instance.event import DigestsTold
from antiphon.controller.instance.ready import AskDigests, Outbox
from antiphon.controller.instance.state import (
    Check,
    Finding,
    Holder,
    HoldKind,
    Replica,
    State,
)
from antiphon.protocol.frontier import Frontier
from antiphon.protocol.ids import CollectionId, ReplicaId, show
from antiphon.protocol.limits import UNARY_DEADLINE_MS

ANSWER_MS: Final = 60_000  # who has not told its digests by then is passed over
AGAIN_MS: Final = 1_000  # between two questions about what could not be told

Digests = Mapping[CollectionId, bytes]


def look(
    state: State,
    replica: Replica,
    out: Outbox,
    now_ms: int,
    *,
    collections: tuple[CollectionId, ...],
    own: tuple[int, Digests] | None = None,
) -> Finding | None:
    """What is known of the content; None: not yet, come again with the next responses. `own`: its
    digests, and their time, if it has told them itself. Begins, and goes on, on its own."""
    check = replica.check
    if check is not None and _is_over(state, check, now_ms):
        if now_ms >= check.deadline_ms and len(check.told[replica.id]) == len(check.collections):
            check.passed_over.append(check.other)  # else it was not for the other that it ended
        holds.release_all(state, check.collections, _holder(replica))
        check = None
    if check is None:
        begun = _begin(state, replica, collections, own, now_ms)
        if not isinstance(begun, Check):
            return begun
        check = begun
    missing = _missing(check)
    for name in missing:
        if now_ms >= check.ask_at_ms.get(name, now_ms):
            check.ask_at_ms[name] = now_ms + UNARY_DEADLINE_MS
            out.sends.append(
                AskDigests(replica=name, collections=check.collections, time=check.time)
            )
    if missing:
        return None
    end(state, replica)
    return _finding(check)


def on_told(state: State, event: DigestsTold, now_ms: int) -> None:
    """Digests that were asked for arrive. What could not be told yet is asked for again."""
    for replica in state.replicas.values():
        check = replica.check
        if check is not None and check.time == event.time and event.replica in check.told:
            told = check.told[event.replica]
            told.update({c: event.digests[c] for c in check.collections if c in event.digests})
            check.ask_at_ms[event.replica] = now_ms + AGAIN_MS


def settle(state: State, replica: Replica, found: Finding, *, is_empty: bool = False) -> None:
    """It is accepted for what was found. Who could not be compared is, soon, with whoever comes;
    of two that are equal neither is in doubt. `is_empty`: there was nothing to compare."""
    replica.uncompared = found.is_due and not is_empty
    if replica.uncompared:
        state.compare_at_ms = 0
    if found.other is not None:
        state.replicas[found.other].uncompared = False


def end(state: State, replica: Replica) -> None:
    """Nothing is to be compared any more."""
    check, replica.check = replica.check, None
    if check is not None:
        holds.release_all(state, check.collections, _holder(replica))


def _begin(
    state: State,
    replica: Replica,
    wanted: tuple[CollectionId, ...],
    own: tuple[int, Digests] | None,
    now_ms: int,
) -> Check | Finding | None:
    passed_over = [] if replica.check is None else replica.check.passed_over
    replica.check = None
    others = [one for one in up_to_date(state) if one is not replica]
    left = [one for one in others if one.id not in passed_over]
    if not left:
        if passed_over:
            names = ", ".join(passed_over)
            return Finding(f"{names} did not tell what to compare with", is_due=True)
        if is_awaiting(state, replica):
            return None
        return Finding("no other replica is up to date to compare with", is_due=True)
    waits = False
    for other in sorted(left, key=lambda one: (one.uncompared, one.id)):
        if own is None and any(_is_filling(other, one) for one in wanted):
            waits = True  # what is not compared would be believed
            continue
        collections = tuple(one for one in wanted if keeps(other, one))
        if not collections:
            continue
        time = own[0] if own is not None else _time(replica, other, collections)
        if not all(_is_readable(state, one, time) for one in collections):
            waits = True  # it has yet to catch up with what the others still know
            continue
        told: dict[ReplicaId, dict[CollectionId, bytes]] = {replica.id: {}, other.id: {}}
        if own is not None:
            told[replica.id].update(own[1])
        check = Check(
            other=other.id,
            time=time,
            collections=collections,
            told=told,
            deadline_ms=now_ms + ANSWER_MS,
            passed_over=passed_over,
        )
        holds.acquire_all(state, collections, _holder(replica), time)
        replica.check = check
        return check
    return None if waits and own is None else Finding("no other replica holds any of it")


def up_to_date(state: State) -> list[Replica]:
    """Replicas whose content others are compared with."""
    return [r for r in state.open_replicas() if is_up_to_date(r)]


def is_up_to_date(replica: Replica) -> bool:
    return replica.accepted and not replica.troubled and not replica.wrong


def is_awaiting(state: State, replica: Replica) -> bool:
    """Whether another one may yet turn out to be up to date: nothing was heard of it so far."""
    return any(other.is_awaited for other in state.replicas.values() if other is not replica)


def keeps(replica: Replica, collection: CollectionId) -> bool:
    """Whether its content of the collection can be asked for."""
    found = replica.installed.get(collection)
    if found is None or found.dropping or found.is_transient or not found.hydrated:
        return False
    return found.output_frontier.time is not None


def _is_filling(replica: Replica, collection: CollectionId) -> bool:
    """Whether it will keep the collection, and can be asked then."""
    found = replica.installed.get(collection)
    if found is None or found.dropping or found.is_transient or found.hydrated:
        return False
    return replica.status is None or collection not in replica.status.failed


def _time(replica: Replica, other: Replica, collections: tuple[CollectionId, ...]) -> int:
    """The last that both have reached in all of them."""
    reached = [
        one.installed[each].output_frontier.time for each in collections for one in (replica, other)
    ]
    return min(time for time in reached if time is not None) - 1


def _is_readable(state: State, collection: CollectionId, time: int) -> bool:
    found = state.collections.get(collection)
    return found is not None and found.dropped_at is None and found.since.less_equal(Frontier(time))


def _is_over(state: State, check: Check, now_ms: int) -> bool:
    other = state.replicas.get(check.other)
    is_there = other is not None and other.is_open and is_up_to_date(other)
    gone = any(not _is_readable(state, one, check.time) for one in check.collections)
    return not is_there or gone or now_ms >= check.deadline_ms


def _missing(check: Check) -> list[ReplicaId]:
    return [name for name, told in check.told.items() if len(told) < len(check.collections)]


def _finding(check: Check) -> Finding:
    mine, theirs = ({**told} for told in check.told.values())
    differing = tuple(one for one in check.collections if mine[one] != theirs[one])
    names = ", ".join(show(one) for one in differing)
    words = (
        f"its content of {names} at {check.time} is not that of {check.other}"
        if differing
        else f"its content at {check.time} is that of {check.other}"
    )
    return Finding(
        words,
        check.other,
        differing,
        b"".join(mine[one] for one in check.collections),
        b"".join(theirs[one] for one in check.collections),
    )


def _holder(replica: Replica) -> Holder:
    return Holder(HoldKind.CHECK, 0, replica.id)
