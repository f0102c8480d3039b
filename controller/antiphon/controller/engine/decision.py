"""What a replica needs when it connects, from facts alone, and why.

Pure: equal observations give equal decisions, and every decision has a reason in words that logs,
CLI and console repeat. This version always sends the full set and has the replica build anew; the
reason says what an exact comparison would have found, so that a history of decisions is readable
once the other decisions are made.
"""

from __future__ import annotations

from dataclasses import dataclass

from antiphon.controller.engine.observation import Observation
from antiphon.protocol.command import SyncDecision
from antiphon.protocol.errors import VersionMismatch
from antiphon.protocol.ids import NO_POSITION, Position
from antiphon.protocol.version import choose

__all__ = ["Decision", "Observation", "Refusal", "Sync", "decide"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sync:
    """Open a session of this kind. `code` names the row of the table that chose it."""

    sync: SyncDecision
    protocol_version: int
    reason: str
    code: str = ""
    start: Position = NO_POSITION  # commands after it are sent
    target: Position = NO_POSITION  # frozen: the head at the moment of the decision
    # State counts as the same only if its content digest is: its commands are not those of ours.
    verify_content: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Open none. `code` is that of the error which people see."""

    code: str
    reason: str


Decision = Sync | Refusal


def decide(observation: Observation) -> Decision:
    """Refuse, or rebuild."""
    facts = observation.facts
    if facts.instance_id not in (None, observation.instance_id):
        return Refusal(
            code="instance_mismatch",
            reason=f"refused because it belongs to instance {facts.instance_id}, "
            f"not to {observation.instance_id}",
        )
    if facts.highest_epoch > observation.epoch:
        return Refusal(
            code="epoch_fenced",
            reason=f"refused because it has seen epoch {facts.highest_epoch}, "
            f"and ours is {observation.epoch}",
        )
    try:
        version = choose(observation.versions, facts.versions)
    except VersionMismatch as error:
        return Refusal(code=error.code, reason=f"refused because {error.message}")
    return Sync(
        sync=SyncDecision.REBUILD,
        protocol_version=version,
        reason=f"rebuild because {_finding(observation)}",
    )


def _finding(observation: Observation) -> str:
    facts = observation.facts
    if facts.history_id is None:
        return "it is new: it has applied nothing yet"
    if facts.history_id != observation.history_id:
        return f"its history is {facts.history_id}, not {observation.history_id}"
    if facts.applied_position > observation.head:
        return (
            f"it is at position {facts.applied_position}, beyond the head {observation.head}: "
            "it diverged"
        )
    if facts.applied_position == observation.head:
        if facts.command_digest == observation.head_digest:
            return f"a new session starts over, though it is at the head {observation.head}"
        return f"its digest differs at the head {observation.head}: it diverged"
    return (
        f"a new session starts over, though it is at position {facts.applied_position} "
        f"of {observation.head}"
    )
