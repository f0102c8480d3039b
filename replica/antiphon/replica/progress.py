"""Frontier reports of one connection: monotone, and silent while nothing moved.

A connection starts with nothing said, so that the first report of each collection is full: the
controller never depends on what an earlier connection was told. From then on only the fields that
moved are sent; None means unchanged. A closed frontier is the largest of all and therefore said
once. A dropped collection is forgotten: its end is `Dropped`, not a frontier.
"""

from __future__ import annotations

from antiphon.protocol.frontier import Frontier
from antiphon.protocol.ids import CollectionId
from antiphon.protocol.response import Frontiers


class FrontierReports:
    """What the current connection has been told of each collection."""

    def __init__(self) -> None:
        self._told: dict[CollectionId, tuple[Frontier, Frontier, Frontier]] = {}

    def restart(self) -> None:
        """A new connection: everything is due again."""
        self._told.clear()

    def forget(self, collection: CollectionId) -> None:
        """The collection is gone."""
        self._told.pop(collection, None)

    def report(
        self,
        collection: CollectionId,
        *,
        write_frontier: Frontier,
        input_frontier: Frontier,
        output_frontier: Frontier,
    ) -> Frontiers | None:
        """The report that is due, or None if nothing moved since the last one."""
        now = (write_frontier, input_frontier, output_frontier)
        told = self._told.get(collection)
        if told == now:
            return None
        self._told[collection] = now
        if told is None:
            return Frontiers(
                collection=collection,
                write_frontier=write_frontier,
                input_frontier=input_frontier,
                output_frontier=output_frontier,
            )
        for before, after in zip(told, now, strict=True):
            assert before.less_equal(after), f"a frontier moves back: {before} -> {after}"
        write, consumed, output = (
            after if after != before else None for before, after in zip(told, now, strict=True)
        )
        return Frontiers(
            collection=collection,
            write_frontier=write,
            input_frontier=consumed,
            output_frontier=output,
        )
