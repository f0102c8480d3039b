"""Named holds: what a subscriber may still ask for, kept readable while it is away.

A hold stands in the store's catalog: what is subscribed to, as a dataflow that was planned once,
and the frontier up to which the subscriber has acknowledged what it got. Times from there on stay
readable, over restarts of whoever it may be, until the hold is released or its deadline passes
without a word from its subscriber. Then it is lost, and says so to whoever comes back.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from antiphon.protocol.dataflow import DataflowDescription
from antiphon.protocol.errors import HoldLost, InvalidArgument
from antiphon.protocol.frontier import Frontier
from antiphon.protocol.ids import CollectionId

# Where the store's catalog keeps holds: above all collections, below the replicas.
FIRST_ROW: Final = CollectionId(1 << 61)
LAST_ROW: Final = CollectionId((1 << 62) - 1)
NAME_CHARACTERS_MAX: Final = 200
HOLDS_MAX: Final = 256  # lost ones too, until they are released: each may pin a stretch of history
DEADLINE_MS: Final = 3_600_000  # if the subscriber does not say
DEADLINE_MS_MAX: Final = 30 * 86_400_000


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogHold:
    """One hold. `time` is what it keeps readable, just before what was acknowledged."""

    row: CollectionId
    name: str
    target: str  # a collection's name or a query, as the subscriber wrote it
    dataflow: DataflowDescription
    time: int
    acknowledged: Frontier | None = None  # None: nothing yet, so the snapshot is still to come
    deadline_ms: int = DEADLINE_MS  # after the subscriber's last word
    created_at_ms: int = 0
    lost: str = ""  # why it keeps nothing any more; empty: it does

    @property
    def imports(self) -> tuple[CollectionId, ...]:
        return tuple(wanted.collection for wanted in self.dataflow.imports)


def is_hold(row: CollectionId) -> bool:
    """Whether a row of the store's catalog is a hold."""
    return FIRST_ROW <= row <= LAST_ROW


def next_row(holds: Iterable[CatalogHold]) -> CollectionId:
    return CollectionId(max((found.row for found in holds), default=FIRST_ROW - 1) + 1)


def check_name(name: str) -> None:
    """Raises InvalidArgument: no hold can be called so."""
    if not name or len(name) > NAME_CHARACTERS_MAX or not name.isprintable():
        raise InvalidArgument(
            f"not a hold's name: {name!r} (1 to {NAME_CHARACTERS_MAX} printable characters)",
            name=name[:NAME_CHARACTERS_MAX],
        )


def check_deadline(deadline_ms: int) -> None:
    """Raises InvalidArgument: it is longer than anything may be held. 0: the default."""
    if deadline_ms > DEADLINE_MS_MAX:
        raise InvalidArgument(
            f"a hold's deadline is at most {DEADLINE_MS_MAX} ms", value=DEADLINE_MS_MAX
        )


def check_usable(hold: CatalogHold, target: str) -> None:
    """
    Raises:
        HoldLost: it keeps nothing any more.
        InvalidArgument: it is of something else than `target`, unless that is empty.
    """
    if hold.lost:
        raise HoldLost(
            f'the hold "{hold.name}" is lost: {hold.lost}; release it and subscribe anew',
            hold=hold.name,
        )
    if target and target != hold.target:
        raise InvalidArgument(
            f'the hold "{hold.name}" is of {hold.target}, not of {target}', hold=hold.name
        )
