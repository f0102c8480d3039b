"""What must hold of the history, its pins and the sync sessions, at the moment when it is used.

*Kept*: no fold passes a pin that is not lost. *Known*: a suffix is sent only to who agrees with the
history where it stands. *Accepted*: who is being brought up to date does not write, and is neither
read from nor subscribed to while another replica is up to date; nor is who is being repaired.
*Settled*: once all is well, every replica stands at the head, with the history's digest.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from antiphon.controller.engine.policy import Policy
from antiphon.history.retention import Bounds
from antiphon.proof.simulation.checkers import Violation
from antiphon.proof.simulation.randomness import Randomness
from antiphon.protocol.command import (
    AllowWrites,
    Command,
    CommandSet,
    CreateDataflow,
    Hello,
    Peek,
    Sent,
)
from antiphon.protocol.dataflow import SubscribeExport
from antiphon.protocol.facts import ReplicaFacts
from antiphon.protocol.ids import NO_POSITION, Position, ReplicaId

if TYPE_CHECKING:
    from antiphon.controller.instance.state import State
    from antiphon.history.memory import MemoryStore


def tiny_policy(random: Randomness) -> Policy:
    """A log of a few commands, so that a run folds often and breaks pins."""
    bounds = Bounds(
        entries_max=random.choose((3, 8, 30)),
        age_ms_max=random.choose((2_000, 3_600_000)),
        slack_entries=random.choose((0, 1, 4)),
    )
    return Policy(bounds=bounds)


def check_fold(state: State, to: Position) -> None:
    """
    Raises:
        Violation
    """
    for owner, pin in sorted(state.retention.pins.items()):
        if not pin.is_lost and pin.position < to:
            raise Violation(f"a fold up to {to} takes what {owner} needs after {pin.position}")


def check_suffix(hello: Hello, facts: ReplicaFacts, store: MemoryStore) -> None:
    """
    Raises:
        Violation
    """
    if hello.command_set is not CommandSet.SUFFIX or facts.applied_position == NO_POSITION:
        return
    ours = store.digest_at(facts.applied_position)
    if ours is not None and ours != facts.command_digest:
        raise Violation(
            f"{facts.replica} is sent a suffix, though its digest at {facts.applied_position} "
            "is not ours"
        )


def check_sent(state: State, replica: ReplicaId, commands: Iterable[Sent]) -> None:
    """
    Raises:
        Violation
    """
    view = state.sync.view(replica)
    wrong = state.replicas[replica].wrong
    if view is not None and view.is_synced and not wrong:
        return
    others = [
        other.replica
        for other in state.sync.views
        if other.serves and not state.replicas[other.replica].wrong
    ]
    for sent in commands:
        if not wrong and isinstance(sent.command, AllowWrites):
            raise Violation(f"{replica} may write before its session was accepted")
        if others and (verb := _read_by(sent.command)):
            why = "repaired" if wrong else "brought up to date"
            raise Violation(f"{replica} is {verb} while it is {why}, not {others}")


def _read_by(command: Command) -> str:
    """How a command reads from whom it is sent to; empty: it does not."""
    match command:
        case Peek():
            return "read from"
        case CreateDataflow(dataflow=dataflow):
            subscribes = (isinstance(each.kind, SubscribeExport) for each in dataflow.exports)
            return "subscribed to" if any(subscribes) else ""
        case _:
            return ""


def check_settled(store: MemoryStore, facts: Mapping[ReplicaId, ReplicaFacts]) -> None:
    """
    Raises:
        Violation
    """
    opened = store.opened()
    for replica, found in sorted(facts.items()):
        if found.applied_position != opened.head or found.command_digest != opened.head_digest:
            raise Violation(
                f"{replica} stands at {found.applied_position}, the head is {opened.head}; "
                f"digests {'agree' if found.command_digest == opened.head_digest else 'differ'}"
            )
    store.verify()
