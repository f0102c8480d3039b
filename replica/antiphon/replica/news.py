"""What a worker tells its front of the dataflows that are installed: whatever changed, once.

A replica may have a thousand dataflows of which two change with a tick. Whoever changes one says
so, and only those are looked at when the worker tells how things are. `Told` is the other end: it
puts together again what came in parts.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Generic, Protocol, TypeVar

from antiphon.protocol.facts import DataflowFacts
from antiphon.protocol.frontier import Frontier
from antiphon.protocol.ids import NO_POSITION, CollectionId, ConnectionId
from antiphon.protocol.response import HydrationProgress
from antiphon.replica.ports import WorkerProgress
from antiphon.replica.reconcile import Key, Verdict


class Reported(Protocol):
    """What an installed dataflow is here."""

    hydrated: bool

    @property
    def is_usable(self) -> bool: ...

    @property
    def failed(self) -> tuple[CollectionId, ...]: ...

    def facts(self) -> DataflowFacts: ...

    def progress(self, now_ms: int) -> HydrationProgress: ...


T = TypeVar("T", bound=Reported)


class News(Generic[T]):
    """What of the dataflows in force has yet to be told."""

    def __init__(self) -> None:
        self._changed: dict[T, None] = {}
        self._told: dict[T, DataflowFacts] = {}
        self._gone: dict[Key, None] = {}  # told, and not so any more
        self._filling: dict[T, None] = {}
        self._failed: dict[T, tuple[CollectionId, ...]] = {}

    def changed(self, dataflow: T) -> None:
        """It is new, or what is told of it may be out of date."""
        self._changed[dataflow] = None

    def forget(self, dataflow: T) -> None:
        """It is gone, or no longer in force."""
        self._withdraw(dataflow)
        self._changed.pop(dataflow, None)
        self._filling.pop(dataflow, None)
        self._failed.pop(dataflow, None)

    def take(self) -> tuple[tuple[DataflowFacts, ...], tuple[Key, ...]]:
        """The facts that are news, and the keys of those that hold no more; a key may be in both.
        O(what changed). Only dataflows that a later session could use have facts: not what was
        dropped, nor what could not run."""
        news: list[DataflowFacts] = []
        for dataflow in self._changed:
            self._note(dataflow)
            facts = dataflow.facts() if dataflow.is_usable else None
            told = self._told.get(dataflow)
            if facts == told:
                continue
            if facts is None or (told is not None and key_of_facts(told) != key_of_facts(facts)):
                self._withdraw(dataflow)
            if facts is not None:
                self._told[dataflow] = facts
                news.append(facts)
        self._changed.clear()
        gone, self._gone = tuple(self._gone), {}
        return tuple(news), gone

    def hydration(self, now_ms: int) -> tuple[HydrationProgress, ...]:
        """Of the dataflows that are being filled, as of the last `take`."""
        return tuple(dataflow.progress(now_ms) for dataflow in self._filling)

    @property
    def failed(self) -> tuple[CollectionId, ...]:
        """The exports of dataflows that cannot run, as of the last `take`."""
        return tuple(sorted(each for found in self._failed.values() for each in found))

    def _note(self, dataflow: T) -> None:
        if dataflow.hydrated:
            self._filling.pop(dataflow, None)
        else:
            self._filling[dataflow] = None
        if dataflow.failed:
            self._failed[dataflow] = dataflow.failed
        else:
            self._failed.pop(dataflow, None)

    def _withdraw(self, dataflow: T) -> None:
        told = self._told.pop(dataflow, None)
        if told is not None:
            self._gone[key_of_facts(told)] = None


class Told:
    """What a worker has told so far."""

    def __init__(self) -> None:
        self.latest = WorkerProgress(applied_position=NO_POSITION)
        self.dataflows: dict[Key, DataflowFacts] = {}
        self._passed: dict[Key, Frontier] = {}  # where some are by now
        # Of the latest full set: whose it is, and what it meant for what there was.
        self.full_set: ConnectionId | None = None
        self.verdicts: tuple[Verdict, ...] = ()

    def take(self, progress: WorkerProgress) -> None:
        self.latest = progress
        if progress.full_set != self.full_set:
            self.full_set, self.verdicts = progress.full_set, progress.verdicts
        for key in progress.gone:
            self.dataflows.pop(key, None)
            self._passed.pop(key, None)
        for facts in progress.dataflows:
            key = key_of_facts(facts)
            self.dataflows[key] = facts
            self._passed.pop(key, None)
        for frontier, keys in progress.passed:
            self._passed |= dict.fromkeys(keys, frontier)

    @property
    def count(self) -> int:
        """Of the dataflows that a session could use."""
        return 0 if self.latest.spoiled else len(self.dataflows)

    def find(self, key: Key) -> DataflowFacts | None:
        """Of a dataflow that a session could use; there is none while the worker is spoiled."""
        if self.latest.spoiled or (found := self.dataflows.get(key)) is None:
            return None
        passed = self._passed.get(key)
        return found if passed is None else replace(found, upper=passed)


def key_of_facts(facts: DataflowFacts) -> Key:
    """The one of `reconcile`."""
    exports = facts.exports
    return exports if len(exports) == 1 else tuple(sorted(exports))
