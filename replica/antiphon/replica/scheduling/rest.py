"""Dataflows at rest: they have taken in all that concerns them, and only time passes.

A tick of a table concerns two of the thousand views of it, and moves the frontiers of all. The
others rest: nothing is delivered to them and nothing of them runs. Where they are is where the
sources are that they read; it is written down in each once somebody looks, and told of all of them
at once. A change that concerns one of them, or a reader that comes to it, wakes it.
"""

from __future__ import annotations

from collections.abc import Iterator

from antiphon.protocol.frontier import Frontier, meet_all
from antiphon.protocol.response import Frontiers
from antiphon.replica.importing.input import Fills
from antiphon.replica.installing.installed import InstalledDataflow
from antiphon.replica.installing.reconcile import Key


class Rest:
    """Those that read the same sources."""

    def __init__(self, sources: tuple[Fills, ...]) -> None:
        self.sources = sources
        self.noted: Frontier | None = None  # by the front
        self._told: Frontier | None = None  # to the controller, of all that were there
        # What was told of each on this connection.
        self._members: dict[InstalledDataflow, Frontier | None] = {}

    @property
    def frontier(self) -> Frontier:
        return meet_all([source.frontier for source in self.sources])

    def __len__(self) -> int:
        return len(self._members)

    def add(self, dataflow: InstalledDataflow) -> None:
        self._members[dataflow] = None

    def remove(self, dataflow: InstalledDataflow) -> Frontier | None:
        return self._members.pop(dataflow)

    def told(self, dataflow: InstalledDataflow, reached: Frontier) -> None:
        """That was told of one alone."""
        self._members[dataflow] = reached

    @property
    def is_news(self) -> bool:
        """Whether there is something to tell the controller of all of them."""
        return self._told != self.frontier

    def tell(self) -> Frontiers | None:
        """Where all are of whom that was not told yet, for the controller. O(members)."""
        reached = self._told = self.frontier
        collections = [
            export.collection
            for dataflow, told in self._members.items()
            if told != reached
            for export in dataflow.exports
        ]
        self._members = dict.fromkeys(self._members, reached)
        if not collections:
            return None
        return Frontiers(
            collection=collections[0],
            write_frontier=reached,
            input_frontier=reached,
            output_frontier=reached,
            others=tuple(collections[1:]),
        )

    def note(self) -> tuple[Frontier, tuple[Key, ...]]:
        """Where all of them are, which the front is told now, and their keys. O(members)."""
        self.noted = self.frontier
        return self.noted, tuple(dataflow.key for dataflow in self._members)

    def restart(self) -> None:
        """A new connection, on which nothing was told."""
        self._told = None
        self._members = dict.fromkeys(self._members, None)


class Rests:
    """All that rests, by what it reads."""

    def __init__(self) -> None:
        self._all: dict[tuple[Fills, ...], Rest] = {}

    def __iter__(self) -> Iterator[Rest]:
        return iter(self._all.values())

    def enter(self, dataflow: InstalledDataflow) -> None:
        """It rests from now on, if that is possible."""
        if not dataflow.may_rest:
            return
        sources = tuple(reader.source for reader in dataflow.inputs if reader.source is not None)
        if len(sources) < len(dataflow.inputs):
            return
        rest = self._all.get(sources) or Rest(sources)
        if dataflow.frontier != rest.frontier or not dataflow.start.less_equal(dataflow.frontier):
            return
        self._all[sources] = rest
        rest.add(dataflow)
        dataflow.rest = rest
        for reader, source in zip(dataflow.inputs, sources, strict=True):
            source.rest(reader, dataflow.guard(reader.collection))

    def leave(self, dataflow: InstalledDataflow) -> Frontier | None:
        """It goes on from where it is; what was told of it on this connection."""
        rest = dataflow.rest
        if not isinstance(rest, Rest):
            return None
        dataflow.settle()  # what was told of it stays so
        dataflow.rest = None
        for reader, source in zip(dataflow.inputs, rest.sources, strict=True):
            source.wake(reader)
        told = rest.remove(dataflow)
        if not len(rest):
            del self._all[rest.sources]
        return told
