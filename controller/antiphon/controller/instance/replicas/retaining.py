"""How much of the history's log stays unedited: pins of replicas, and folding when that pays.

The rules are those of `antiphon.history.retention`; here they meet replicas, sessions and the
store. A replica's pin is reserved when it answers a probe, before anything is decided about it, at
the position that its process has; it follows what the replica says it has applied.

A fold is submitted and not waited for. From that moment nobody is sent what it folds, so whether it
became durable makes no difference to a replica, and a controller that starts again reads from the
store how far it is.
"""

from __future__ import annotations

from antiphon.controller.instance.ready import FoldEntry, Outbox
from antiphon.controller.instance.state import Replica, State
from antiphon.history.retention import Pin, PinState
from antiphon.protocol.facts import ReplicaFacts
from antiphon.protocol.ids import Position, ReplicaId
from antiphon.protocol.stage import Stage


def follow(state: State, now_ms: int) -> None:
    """Count what was appended to the log since the last look."""
    retention = state.retention
    while retention.head < state.log.head:
        following = Position(retention.head + 1)
        retention.appended(byte_count=state.log.byte_count(following), now_ms=now_ms)


def reserve(state: State, facts: ReplicaFacts, now_ms: int) -> None:
    """Before a start is chosen: it could be folded away in between."""
    follow(state, now_ms)
    if facts.history_id == state.config.history_id:
        state.retention.reserve(facts.replica, facts.applied_position)
    else:
        state.retention.release(facts.replica)


def acknowledged(state: State, replica: Replica, now_ms: int) -> None:
    """What the replica has applied it needs no more. One that lost its pin, or had none because it
    was sent everything, has one again from where it is."""
    status = replica.status
    if status is None or status.stage < Stage.READ_ONLY:
        return
    position = status.applied_position
    pin = state.retention.pins.get(replica.id)
    if pin is not None and not pin.is_lost and position <= pin.position:
        return
    follow(state, now_ms)
    if pin is not None and not pin.is_lost:
        state.retention.advance(replica.id, position)
    elif state.retention.suffix_sound(position):
        state.retention.reserve(replica.id, position)


def lost_pins(state: State, now_ms: int) -> tuple[ReplicaId, ...]:
    """Whose pins asked for too much by now."""
    follow(state, now_ms)
    return tuple(pin.owner for pin in state.retention.enforce(now_ms))


def fold(state: State, out: Outbox) -> None:
    """Take into the base what nobody needs unedited, once it is as long as the base is. The history
    is folded by who writes it."""
    to = state.retention.fold_target(_base_count(state))
    if to is None or state.config.standby:
        return
    out.entries.append(FoldEntry(to=to))
    state.retention.folded(to)
    state.log.fold(to)


def pin_of(state: State, replica: ReplicaId) -> tuple[Pin, PinState] | None:
    pin = state.retention.pins.get(replica)
    return None if pin is None else (pin, state.retention.state_of(pin))


def _base_count(state: State) -> int:
    """Commands that the base comes to: what is maintained, and the configuration."""
    base = state.log.base
    return 1 + sum(1 for each in state.live_dataflows() if each.position <= base)
