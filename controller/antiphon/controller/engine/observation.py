"""What a decision rests on: the facts that a replica reports, beside what the controller knows.

An observation is one moment. The pin that keeps the log for the replica is reserved before it is
made, so that what it says of the log cannot be folded away before the decision is carried out.
"""

from __future__ import annotations

from dataclasses import dataclass

from antiphon.history.digest import DIGEST_BYTES, EMPTY_DIGEST
from antiphon.protocol.facts import DataflowFacts, ReplicaFacts
from antiphon.protocol.frontier import START, Frontier
from antiphon.protocol.ids import (
    NO_POSITION,
    CollectionId,
    Epoch,
    HistoryId,
    InstanceId,
    Position,
    is_transient,
)
from antiphon.protocol.version import SPOKEN, VersionRange


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A dataflow of the full set, as far as reuse depends on it."""

    exports: tuple[CollectionId, ...]
    fingerprint: bytes
    as_of: Frontier
    local_imports: tuple[CollectionId, ...] = ()  # of other dataflows: they have to be reused too
    restarts: bool = False  # a subscribe or a copy-to: it begins anew on every connection
    position: Position = NO_POSITION  # of its creation; none: it is not expected anywhere
    readable_from: Frontier = START  # what it reads from the store is readable there, not before


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What the replica says, beside what the controller knows at the same moment."""

    facts: ReplicaFacts
    instance_id: InstanceId
    history_id: HistoryId
    epoch: Epoch
    head: Position
    head_digest: bytes
    versions: VersionRange = SPOKEN
    version_floor: int = 1  # the lowest version that the history still permits
    base: Position = NO_POSITION  # commands up to it are reduced, those after it unedited
    # Our chain's digest at the replica's position; None: we do not know it any more.
    digest_at_position: bytes | None = None
    wanted: tuple[Wanted, ...] = ()  # in order of creation

    @property
    def position(self) -> Position:
        """Where the replica is. It is the live process that reports, so what it has applied it
        holds; what is durable says where it would be after a restart."""
        return self.facts.applied_position

    @property
    def tail(self) -> Position:
        """The oldest position of the log; one past the head if it is empty."""
        return Position(self.base + 1)

    @property
    def has_suffix(self) -> bool:
        """Whether the log takes the replica to the head: pos + 1 >= tail, and pos <= head."""
        return self.base <= self.position <= self.head

    @property
    def digest_agrees(self) -> bool | None:
        """Whether the replica's commands are ours, up to its position; None: we cannot tell."""
        if self.position == NO_POSITION:
            return (self.facts.command_digest or EMPTY_DIGEST) == EMPTY_DIGEST
        ours = self.head_digest if self.position == self.head else self.digest_at_position
        return None if ours is None else self.facts.command_digest == ours

    @property
    def contradiction(self) -> str | None:
        """Why the facts cannot all be true, if they cannot."""
        facts = self.facts
        if facts.durable_position > facts.applied_position:
            return f"its durable position {facts.durable_position} is beyond {self.position}"
        if facts.history_id is None and self.position != NO_POSITION:
            return f"it is at position {self.position} of no history"
        if self.position != NO_POSITION and len(facts.command_digest) != DIGEST_BYTES:
            return f"it is at position {self.position} and has no digest"
        return None


def maintained(facts: ReplicaFacts) -> dict[tuple[CollectionId, ...], DataflowFacts]:
    """What the replica holds for more than a session, by its exports in order."""
    # Ids of transient work are larger than all others.
    return {
        each.exports if len(each.exports) == 1 else tuple(sorted(each.exports)): each
        for each in facts.dataflows
        if not is_transient(min(each.exports))
    }


def lacking(observation: Observation) -> tuple[Wanted, ...]:
    """What the replica should have at its position, and cannot go on with as it is: it is missing,
    is other work, or lies behind what is still kept for it."""
    held = maintained(observation.facts)
    position = observation.position
    return tuple(
        wanted
        for wanted in observation.wanted
        if NO_POSITION < wanted.position <= position
        and not _goes_on(held.get(_key(wanted)), wanted)
    )


def _key(wanted: Wanted) -> tuple[CollectionId, ...]:
    exports = wanted.exports
    return exports if len(exports) == 1 else tuple(sorted(exports))


def _goes_on(found: DataflowFacts | None, wanted: Wanted) -> bool:
    return (
        found is not None
        and found.fingerprint == wanted.fingerprint
        and found.since.less_equal(wanted.as_of)
        and wanted.readable_from.less_equal(needed_from(found))
    )


def needed_from(found: DataflowFacts) -> Frontier:
    """The earliest time of its inputs that an installed dataflow may still ask for."""
    if not found.hydrated:
        return found.since
    return found.upper if found.upper.is_closed else found.upper.step_back()


def reusable(observation: Observation) -> tuple[Wanted, ...]:
    """Which dataflows of the full set the replica can keep with their state.

    The same exports, the same plan, readable from where it is wanted, nothing that restarts, and
    all that it reads from other dataflows is kept as well: a dataflow that kept its state over an
    input that was built anew would hold on to the one that is gone.
    """
    held = maintained(observation.facts)
    kept: list[Wanted] = []
    kept_exports: set[CollectionId] = set()
    for wanted in observation.wanted:
        found = held.get(_key(wanted))
        if (
            found is not None
            and not wanted.restarts
            and found.fingerprint == wanted.fingerprint
            and found.since.less_equal(wanted.as_of)
            and kept_exports.issuperset(wanted.local_imports)
        ):
            kept.append(wanted)
            kept_exports.update(wanted.exports)
    return tuple(kept)
