"""What a worker tells its front of the dataflows that are installed: whatever changed, once.

A replica may have a thousand dataflows of which two change with a tick. Whoever changes one says
so, and only those are looked at when the worker tells how things are. `Told` is the other end: it
puts together again what came in parts.
"""

from __future__ import annotations

from typing import Generic, NamedTuple, Protocol, TypeVar

from antiphon.protocol.facts import DataflowFacts
from antiphon.protocol.frontier import Frontier
from antiphon.protocol.ids import NO_POSITION, CollectionId, ConnectionId
from antiphon.protocol.response import HydrationProgress
from antiphon.replica.installing.reconcile import Key, Verdict
from antiphon.replica.ports import Reached, WorkerProgress


class Reported(Protocol):
    """What an installed dataflow is here."""

    hydrated: bool

    @property
    def is_usable(self) -> bool: ...

    @property
    def since(self) -> Frontier: ...

    @property
    def failed(self) -> tuple[CollectionId, ...]: ...

    def facts(self) -> DataflowFacts: ...

    def progress(self, now_ms: int) -> HydrationProgress: ...


T = TypeVar("T", bound=Reported)


class Taken(NamedTuple):
    """The facts that are news, and the keys of those that hold no more; a key may be in both. Only
    dataflows that a later session could use have facts: not what was dropped, nor what could not
    run. `compacted`: whose since alone moved."""

    dataflows: tuple[DataflowFacts, ...]
    gone: tuple[Key, ...]
    compacted: Reached


class News(Generic[T]):
    """What of the dataflows in force has yet to be told."""

    def __init__(self) -> None:
        self._changed: dict[T, None] = {}
        self._compacted: dict[T, None] = {}
        self._told: dict[T, DataflowFacts] = {}
        self._gone: dict[Key, None] = {}  # told, and not so any more
        self._filling: dict[T, None] = {}
        self._failed: dict[T, tuple[CollectionId, ...]] = {}

    def changed(self, dataflow: T) -> None:
        """It is new, or what is told of it may be out of date."""
        self._changed[dataflow] = None

    def compacted(self, dataflow: T) -> None:
        """Its since moved, and nothing else."""
        self._compacted[dataflow] = None

    def forget(self, dataflow: T) -> None:
        """It is gone, or no longer in force."""
        self._compacted.pop(dataflow, None)
        self._withdraw(dataflow)
        self._changed.pop(dataflow, None)
        self._filling.pop(dataflow, None)
        self._failed.pop(dataflow, None)

    def take(self) -> Taken:
        """What is to be told now. O(what changed)."""
        news: list[DataflowFacts] = []
        compacted = self._take_compacted()
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
        return Taken(tuple(news), gone, compacted)

    def _take_compacted(self) -> Reached:
        """Those of which nothing else is news."""
        same: dict[Frontier, list[Key]] = {}
        for dataflow in self._compacted:
            told = self._told.get(dataflow)
            if told is not None and dataflow not in self._changed:
                same.setdefault(dataflow.since, []).append(key_of_facts(told))
        self._compacted.clear()
        return tuple((since, tuple(keys)) for since, keys in same.items())

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
        # Where some are by now, and from where on they can be read.
        self._passed: dict[Key, Frontier] = {}
        self._compacted: dict[Key, Frontier] = {}
        # Of the latest full set: whose it is, and what it meant for what there was.
        self.full_set: ConnectionId | None = None
        self.verdicts: tuple[Verdict, ...] = ()

    def take(self, progress: WorkerProgress) -> None:
        self.latest = progress
        if progress.full_set != self.full_set:
            self.full_set, self.verdicts = progress.full_set, progress.verdicts
        fresh = {key_of_facts(facts): facts for facts in progress.dataflows}
        for key in (*progress.gone, *fresh):
            self.dataflows.pop(key, None)
            self._passed.pop(key, None)
            self._compacted.pop(key, None)
        self.dataflows |= fresh
        for reached, known in (
            (progress.passed, self._passed),
            (progress.compacted, self._compacted),
        ):
            for frontier, keys in reached:
                known.update(dict.fromkeys(keys, frontier))

    @property
    def count(self) -> int:
        """Of the dataflows that a session could use."""
        return 0 if self.latest.spoiled else len(self.dataflows)

    def find(self, key: Key) -> DataflowFacts | None:
        """Of a dataflow that a session could use; there is none while the worker is spoiled."""
        if self.latest.spoiled or (found := self.dataflows.get(key)) is None:
            return None
        passed, compacted = self._passed.pop(key, None), self._compacted.pop(key, None)
        if passed is None and compacted is None:
            return found
        # Written down: a probe asks, and the session that follows from it asks again.
        known = self.dataflows[key] = DataflowFacts(
            exports=found.exports,
            fingerprint=found.fingerprint,
            since=compacted or found.since,
            upper=passed or found.upper,
            hydrated=found.hydrated,
            content_digest=found.content_digest,
        )
        return known


def key_of_facts(facts: DataflowFacts) -> Key:
    """The one of `reconcile`."""
    exports = facts.exports
    return exports if len(exports) == 1 else tuple(sorted(exports))
