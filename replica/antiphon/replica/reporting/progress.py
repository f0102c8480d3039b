"""Frontier reports of one connection: monotone, and silent while nothing moved.

A connection starts with nothing said, so that the first report of each collection is full: the
controller never depends on what an earlier connection was told. From then on only the fields that
moved are sent; None means unchanged. A closed frontier is the largest of all and therefore said
once. A dropped collection is forgotten: its end is `Dropped`, not a frontier.

Collections of which the same is to be said share a report: a thousand views of one table move with
its ticks, and then together.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from antiphon.protocol.frontier import Frontier
from antiphon.protocol.ids import CollectionId
from antiphon.protocol.response import Frontiers


class Reached(NamedTuple):
    """How far a collection is; see `Frontiers`."""

    write: Frontier
    input: Frontier
    output: Frontier


class FrontierReports:
    """What the current connection has been told of each collection."""

    def __init__(self) -> None:
        self._told: dict[CollectionId, Reached] = {}

    def restart(self) -> None:
        """A new connection: everything is due again."""
        self._told.clear()

    def forget(self, collection: CollectionId) -> None:
        """The collection is gone."""
        self._told.pop(collection, None)

    def note(self, collection: CollectionId, reached: Reached) -> None:
        """It was told with others, elsewhere."""
        self._told[collection] = reached

    def report(self, now: Iterable[tuple[CollectionId, Reached]]) -> list[Frontiers]:
        """What is due about these collections, each of them once: what moved since it was told."""
        due: dict[tuple[Frontier | None, ...], list[CollectionId]] = {}
        for collection, reached in now:
            told = self._told.get(collection)
            if told != reached:
                self._told[collection] = reached
                due.setdefault(_moved(told, reached), []).append(collection)
        return [
            Frontiers(
                collection=collections[0],
                write_frontier=write,
                input_frontier=consumed,
                output_frontier=output,
                others=tuple(collections[1:]),
            )
            for (write, consumed, output), collections in due.items()
        ]


def _moved(told: Reached | None, reached: Reached) -> tuple[Frontier | None, ...]:
    if told is None:
        return reached
    for before, after in zip(told, reached, strict=True):
        assert before.less_equal(after), f"a frontier moves back: {before} -> {after}"
    return tuple(
        after if after != before else None for before, after in zip(told, reached, strict=True)
    )
