"""A small honest store: tables and feeds on one timeline, and the views that are written back."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from antiphon.protocol.frontier import START, Frontier
from antiphon.protocol.ids import CollectionId
from tests.replica.scripted import FEED, TABLE, Change, Row


@dataclass
class Shard:
    """A materialized view in the store."""

    upper: Frontier = START
    changes: list[Change] = field(default_factory=list)


@dataclass
class Store:
    """Tables and feeds on one timeline; a feed's changes are overwrites."""

    upper: int = 10
    since: int = 0
    changes: dict[CollectionId, list[Change]] = field(default_factory=lambda: {TABLE: [], FEED: []})
    shards: dict[CollectionId, Shard] = field(default_factory=dict)
    fenced: bool = False

    def append(self, time: int, collection: CollectionId, *rows: tuple[Row, int]) -> None:
        assert time >= self.upper, f"{time} is before {self.upper}"
        self.changes[collection] += [(row, time, diff) for row, diff in rows]

    def content(self, collection: CollectionId, time: int) -> Counter[Row]:
        """The rows at `time`: what every view is compared with."""
        found: Counter[Row] = Counter()
        if collection == FEED:
            live: dict[object, Row] = {}
            for row, when, diff in self.changes[FEED]:
                if when <= time:
                    live.pop(row[0], None)
                    if diff > 0:
                        live[row[0]] = row
            return Counter(live.values())
        changes = self.shards[collection].changes if collection in self.shards else None
        for row, when, diff in self.changes[collection] if changes is None else changes:
            if when <= time:
                found[row] += diff
        assert all(count >= 0 for count in found.values()), f"negative: {found}"
        return Counter({row: count for row, count in found.items() if count})

    def snapshot(self, collection: CollectionId, as_of: int) -> list[Change]:
        return [(row, as_of, count) for row, count in self.content(collection, as_of).items()]

    def between(self, collection: CollectionId, lower: int, upper: int) -> list[Change]:
        return [change for change in self.changes[collection] if lower <= change[1] < upper]
