"""The store that the replica under test reads and writes: in memory, honest unless it is told not
to be.

Everything that the replica asks of it is written down, because that is how a check sees from
outside whether a replica read its inputs again or wrote what it was not allowed to write.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final

from antiphon.proof.conformance.content import Change, Row, summed
from antiphon.protocol.errors import (
    CollectionMissing,
    EpochFenced,
    NotComplete,
    SinceViolation,
)
from antiphon.protocol.frontier import START, Frontier
from antiphon.protocol.ids import NO_EPOCH, ClaimId, CollectionId, Epoch, show

FIRST_UPPER: Final = 20  # of a check's store; its tables are filled before
FILLED_AT: Final = 5
OVERLAP: Final = 6  # by so much a batch that overlaps begins too early

ErrorChange = tuple[str, int, int]  # (code, time, diff)


class Mischief(Enum):
    """How the next push goes wrong. A push is a hint: a replica must bear all of these."""

    NONE = auto()
    DOUBLED = auto()  # it arrives twice
    OVERLAPPING = auto()  # it begins before the end of the last one
    LOST = auto()  # it never arrives, and the one after it leaves a gap
    BROKEN = auto()  # the call ends instead


@dataclass(slots=True, kw_only=True)
class Stored:
    """A table, or a feed with its key -> row overwrites; rows and errors."""

    is_feed: bool = False
    changes: list[Change] = field(default_factory=list)
    errors: list[ErrorChange] = field(default_factory=list)


@dataclass(slots=True)
class Shard:
    """A materialized view's durable content."""

    upper: Frontier = START
    changes: list[Change] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Append:
    """One compare-and-append that the replica asked for, and what came of it."""

    collection: CollectionId
    epoch: Epoch
    applied: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Push:
    """One batch of a tail."""

    lower: int
    upper: int
    changes: Mapping[CollectionId, list[Change]]
    errors: Mapping[CollectionId, list[ErrorChange]]


class ScriptedStore:
    """The collections of one check. Times up to `FIRST_UPPER` are complete when it begins."""

    def __init__(self) -> None:
        self.upper = FIRST_UPPER
        self.mischief = Mischief.NONE
        self.is_early = False  # every push begins OVERLAP too early, before what was asked for too
        self.is_held = False  # snapshots are given once it is not
        self.snapshots: list[tuple[CollectionId, int]] = []  # as they were asked for
        self.tails: list[Mapping[CollectionId, int]] = []  # each with its lower
        self.appends: list[Append] = []
        self._collections: dict[CollectionId, Stored] = {}
        self._shards: dict[CollectionId, Shard] = {}
        self._epoch = NO_EPOCH
        self._claim_id: ClaimId | None = None

    # What a check does.

    def create(self, collection: CollectionId, *, is_feed: bool = False) -> None:
        self._collections[collection] = Stored(is_feed=is_feed)

    def create_shard(
        self, collection: CollectionId, upper: int = 0, changes: tuple[Change, ...] = ()
    ) -> None:
        self._shards[collection] = Shard(Frontier(upper), list(changes))

    def fill(self, collection: CollectionId, *rows: Row) -> None:
        """Rows that are there from before any dataflow."""
        self._collections[collection].changes += [(row, FILLED_AT, 1) for row in rows]

    def tamper(self, collection: CollectionId, row: Row) -> None:
        """What a later snapshot holds, and those who have read it already do not."""
        self.fill(collection, row)

    def append(
        self,
        time: int,
        collection: CollectionId,
        *changes: tuple[Row, int],
        errors: tuple[tuple[str, int], ...] = (),
    ) -> None:
        """One tick: changes at `time`, which is then complete, in all collections."""
        assert time >= self.upper, f"{time} is before {self.upper}"
        stored = self._collections[collection]
        stored.changes += [(row, time, diff) for row, diff in changes]
        stored.errors += [(code, time, diff) for code, diff in errors]
        self.upper = time + 1

    def obey(self, epoch: Epoch, claim_id: ClaimId) -> None:
        """From now on only this claim may write."""
        assert epoch >= self._epoch, f"epoch {epoch} after {self._epoch}"
        self._epoch, self._claim_id = epoch, claim_id

    def content(self, collection: CollectionId, time: int) -> Counter[Row]:
        """The rows at `time`."""
        return summed(self._content(collection, time))

    def shard(self, collection: CollectionId) -> Shard:
        return self._shards[collection]

    def reads(self, collection: CollectionId) -> int:
        """How many snapshots of the collection were asked for."""
        return sum(one == collection for one, _ in self.snapshots)

    def applied(self, collection: CollectionId) -> int:
        """How many appends to the shard took effect."""
        return sum(one.collection == collection and one.applied for one in self.appends)

    # What the replica asks for.

    def snapshot(
        self, collection: CollectionId, as_of: int
    ) -> tuple[list[Change], list[ErrorChange]]:
        """The content at `as_of`, all of it at that time.

        Raises:
            CollectionMissing: there is none of that id.
            NotComplete: `as_of` is not before upper.
            SinceViolation: `as_of` is before everything that was ever there.
        """
        self.snapshots.append((collection, as_of))
        shard = self._shards.get(collection)
        if shard is None and collection not in self._collections:
            raise CollectionMissing(f"the store holds no {show(collection)}", collection=collection)
        if as_of < 0:
            raise SinceViolation(f"{as_of} is before since", time=as_of)
        upper = Frontier(self.upper) if shard is None else shard.upper
        if not upper.passes(as_of):
            raise NotComplete(f"{as_of} is not before {upper}", time=as_of)
        changes = [
            (row, as_of, count) for row, count in summed(self._content(collection, as_of)).items()
        ]
        errors: Counter[str] = Counter()
        if shard is None:
            for code, time, diff in self._collections[collection].errors:
                if time <= as_of:
                    errors[code] += diff
        return changes, [(code, as_of, count) for code, count in errors.items() if count]

    def compare_and_append(
        self,
        collection: CollectionId,
        expected_upper: Frontier,
        new_upper: Frontier,
        changes: list[Change],
        writer: tuple[Epoch, ClaimId],
    ) -> tuple[bool, Frontier]:
        """Whether it was applied, and the shard's upper afterwards.

        Raises:
            CollectionMissing: there is no such shard.
            EpochFenced: the writer is not the one that is obeyed.
        """
        shard = self._shards.get(collection)
        if shard is None:
            raise CollectionMissing(f"the store holds no {show(collection)}", collection=collection)
        fenced = writer != (self._epoch, self._claim_id)
        applied = not fenced and shard.upper == expected_upper
        self.appends.append(Append(collection=collection, epoch=writer[0], applied=applied))
        if fenced:
            raise EpochFenced(f"epoch {writer[0]} may not write", epoch=writer[0])
        if applied:
            shard.changes += changes
            shard.upper = new_upper
        return applied, shard.upper

    def tail(self, lowers: Mapping[CollectionId, int]) -> Tail:
        """Raises CollectionMissing."""
        for collection in lowers:
            if collection not in self._collections:
                name = show(collection)
                raise CollectionMissing(f"the store holds no {name}", collection=collection)
        self.tails.append(dict(lowers))
        return Tail(self, lowers)

    def between(self, collection: CollectionId, lower: int, upper: int) -> list[Change]:
        changes = self._collections[collection].changes
        return [change for change in changes if lower <= change[1] < upper]

    def errors_between(self, collection: CollectionId, lower: int, upper: int) -> list[ErrorChange]:
        errors = self._collections[collection].errors
        return [error for error in errors if lower <= error[1] < upper]

    def _content(self, collection: CollectionId, time: int) -> list[Change]:
        if collection in self._shards:
            changes = self._shards[collection].changes
        else:
            stored = self._collections[collection]
            changes = stored.changes
            if stored.is_feed:
                return _latest(changes, time)
        return [change for change in changes if change[1] <= time]


def _latest(overwrites: list[Change], time: int) -> list[Change]:
    """A feed's rows: the last overwrite of each key, unless that was its end."""
    rows: dict[object, Row] = {}
    for row, when, diff in overwrites:
        if when <= time:
            rows.pop(row[0], None)
            if diff > 0:
                rows[row[0]] = row
    return [(row, time, 1) for row in rows.values()]


class TailBroken(Exception):
    """The call ends here, as the script wants it."""


class Tail:
    """One open tail: what it delivers next."""

    def __init__(self, store: ScriptedStore, lowers: Mapping[CollectionId, int]) -> None:
        self._store = store
        self._lowers = dict(lowers)
        self._reached = min(lowers.values(), default=store.upper)
        self._opening = True

    @property
    def is_due(self) -> bool:
        return self._reached < self._store.upper or (
            self._store.mischief is Mischief.BROKEN and not self._opening
        )

    def pushes(self) -> Iterator[Push]:
        """What has not been delivered. The first push of a tail, which catches it up, is honest.

        Raises:
            TailBroken: the script ends the call.
        """
        store = self._store
        mischief = Mischief.NONE if self._opening else store.mischief
        if not self._opening:
            store.mischief = Mischief.NONE
        self._opening = False
        lower, self._reached = self._reached, store.upper
        match mischief:
            case Mischief.NONE:
                yield self._push(lower)
            case Mischief.DOUBLED:
                yield self._push(lower)
                yield self._push(lower)
            case Mischief.OVERLAPPING:
                yield self._push(max(lower - OVERLAP, min(self._lowers.values())))
            case Mischief.LOST:
                pass
            case Mischief.BROKEN:
                raise TailBroken

    def _push(self, lower: int) -> Push:
        store = self._store
        asked = self._lowers
        if store.is_early:
            lower = max(0, lower - OVERLAP)
            asked = dict.fromkeys(self._lowers, lower)
        changes: dict[CollectionId, list[Change]] = {}
        errors: dict[CollectionId, list[ErrorChange]] = {}
        for collection, first in asked.items():
            changes[collection] = store.between(collection, max(lower, first), store.upper)
            errors[collection] = store.errors_between(collection, max(lower, first), store.upper)
        return Push(lower=lower, upper=store.upper, changes=changes, errors=errors)
