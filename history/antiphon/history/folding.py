"""Folding: a prefix of the log becomes part of the reduced base. Pure; `retention` says how far.

The law: the reduction of base and log together is the same before and after. Folding therefore
reduces with no compaction map: what readers have let go of since is live state, and is applied when
the whole set is sent. A map that was folded in would move an as_of for good, past what a dataflow
later in the log may still need.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from antiphon.history.journal import Record
from antiphon.history.reduction import reduce
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
