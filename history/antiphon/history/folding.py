"""Folding: a prefix of the log becomes part of the reduced base. Pure; `retention` says how far.

The law: the reduction of base and log together is the same before and after. Folding therefore
reduces with no compaction map: what readers have let go of since is live state, and is applied when
the whole set is sent. A map that was folded in would move an as_of for good, past what a dataflow
later in the log may still need.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from antiphon.history import envelope as envelopes
from antiphon.history.digest import EMPTY_DIGEST, extend
from antiphon.history.envelope import MalformedEnvelope
from antiphon.history.journal import Record, record_of
from antiphon.history.reduction import reduce
from antiphon.history.store import StoredCommand
from antiphon.protocol.errors import AntiphonError
from antiphon.protocol.frontier import Frontier
from antiphon.protocol.ids import NO_POSITION, CollectionId, Position


class SuffixUnsound(AntiphonError):
    """Commands after the position were edited, or it is beyond the head."""

    def __init__(self, position: Position, base: Position, head: Position) -> None:
        super().__init__(f"no suffix after {position}: the log reaches from {base} to {head}")
        self.position = position


@dataclass(frozen=True, slots=True, kw_only=True)
class Folded:
    """A history: what stands for the commands up to `position`, and all commands after it."""

    position: Position = NO_POSITION
    base: tuple[Record, ...] = ()
    log: tuple[Record, ...] = ()  # at position + 1, position + 2, ...

    @property
    def head(self) -> Position:
        return Position(self.position + len(self.log))

    def appended(self, record: Record) -> Folded:
        assert record.position == self.head + 1, f"{record.position} after {self.head}"
        return Folded(position=self.position, base=self.base, log=(*self.log, record))


def fold(history: Folded, to: Position) -> Folded:
    """The same history with the log up to `to` in its base.

    Raises:
        MalformedEnvelope: see `reduction.reduce`.
    """
    assert history.position <= to <= history.head, f"{to} is not in the log"
    cut = to - history.position
    return Folded(
        position=to,
        base=reduce((*history.base, *history.log[:cut]), {}),
        log=history.log[cut:],
    )


def full_set(history: Folded, compaction: Mapping[CollectionId, Frontier]) -> tuple[Record, ...]:
    """What a replica that starts from nothing is sent, up to the head."""
    return reduce((*history.base, *history.log), compaction)


def suffix(history: Folded, position: Position) -> tuple[Record, ...]:
    """The commands after `position`, unedited.

    Raises:
        SuffixUnsound: it would not lead to the head.
    """
    if not history.position <= position <= history.head:
        raise SuffixUnsound(position, history.position, history.head)
    return history.log[position - history.position :]


# The same, of what a store keeps.


def fold_stored(
    base: Iterable[StoredCommand], prefix: Iterable[StoredCommand]
) -> tuple[StoredCommand, ...]:
    """The base that stands for an earlier one and the commands that followed it.

    Envelopes stay byte for byte where nothing in their command had to change, and all but the
    command where something had. A digest stays that of the chain at the command's position, as it
    was first appended: it can no longer be computed from the base.

    Raises:
        MalformedEnvelope: see `reduction.reduce`; or a command allows compaction that no base can
            hold, because it is live state and has no position.
    """
    stored = {command.position: command for command in (*base, *prefix)}
    records = reduce((record_of(command) for command in stored.values()), {})
    if any(record.position not in stored for record in records):
        raise MalformedEnvelope("what is allowed to compact belongs to no base")
    return tuple(_stored(stored[record.position], record) for record in records)


def _stored(before: StoredCommand, record: Record) -> StoredCommand:
    envelope = envelopes.decode(before.envelope)
    if envelope.payload == record.payload:
        return before
    edited = envelopes.encode(replace(envelope, payload=record.payload))
    return replace(before, envelope=edited)


def base_check(base: Iterable[StoredCommand]) -> bytes:
    """A digest of the base as it stands, by which damage to it is found.

    Raises:
        MalformedEnvelope: a command that cannot be read is damage as well.
    """
    digest = EMPTY_DIGEST
    for command in base:
        payload = envelopes.payload_of(command.envelope)
        digest = extend(digest, command.position, command.kind, payload)
    return digest
