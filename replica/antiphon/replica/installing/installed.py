"""Dataflows that are installed on this replica: their inputs, their exports, their progress.

A dataflow runs one time after another: once all its inputs have passed a time with changes, it
takes the changes of that time, and what comes out goes to its exports' traces, to the dataflows
that import them, to its subscribes. Times without changes move frontiers and run nothing.

An export that was dropped lives on inside for as long as another dataflow or a waiting peek reads
it. What an export's trace must remember is the earliest of what the controller allows, what its
dependents have yet to load, what waiting peeks read and what its sink has yet to write.
"""

from __future__ import annotations

from typing import Final, Protocol

from antiphon.protocol.dataflow import (
    DataflowDescription,
)
from antiphon.protocol.facts import DataflowFacts
from antiphon.protocol.fingerprint import fingerprint_of
from antiphon.protocol.frontier import CLOSED, TIME_MAX, Frontier, meet_all
from antiphon.protocol.ids import CollectionId
from antiphon.protocol.response import Failure, HydrationProgress
from antiphon.protocol.schema import Schema
from antiphon.protocol.verbatim import copy_of
from antiphon.replica.dataflow.arrangements.trace import Trace
from antiphon.replica.dataflow.columns.zset import Zset
from antiphon.replica.dataflow.graph import Dataflow
from antiphon.replica.importing.deltas import Ticks
from antiphon.replica.importing.input import Input
from antiphon.replica.importing.lookups import Lookups
from antiphon.replica.installing.exported import InstalledExport
from antiphon.replica.installing.guard import Guard, guard_of
from antiphon.replica.installing.reconcile import Key, Standing
from antiphon.replica.reporting.profile import profile

# A part of the content at as_of, in the fuel of a slice. Larger parts than ticks have: each costs
# every operator a step, and its output merges that a larger one would not need.
HYDRATION_FUEL: Final = 3


class Resting(Protocol):
    """Those that rest with a dataflow."""

    @property
    def frontier(self) -> Frontier: ...

    def told(self, dataflow: InstalledDataflow, reached: Frontier) -> None: ...


class InstalledDataflow:
    """One dataflow, from its snapshot at as_of on.

    `engine` None: it cannot run, and `failure` says why; it stays, answers with that, and waits to
    be dropped, because a dataflow that broke its session would break the next one as well.
    """

    def __init__(
        self,
        description: DataflowDescription,
        engine: Dataflow | None,
        failure: Failure | None,
    ) -> None:
        assert description.as_of.time is not None, "a dataflow starts at a time"
        self.description = description
        self.as_of = description.as_of.time
        self.start = description.as_of  # as the session in force asks for: reports begin there
        self.failure = failure
        self.scheduled = False
        self.awaited = False  # its inputs keep what they read until it starts
        self.hydrated = False
        self.is_in_force = True  # False: it is rebuilt beside the one that is
        self.rest: Resting | None = None  # where it is with others that rest, if it does
        self._frontier = Frontier(self.as_of)
        self.inputs: list[Input] = []
        self.upstream: list[tuple[InstalledExport, Input]] = []
        self.exports = [InstalledExport(export, self) for export in description.exports]
        self.fingerprint = fingerprint_of(description)
        self.copy_of = copy_of(description)  # what it holds, row by row, if it is a collection
        self.lookups = Lookups(engine, self._copies)
        self._engine = engine
        self._is_brought = False  # whether content of imports that are looked up is in the inputs
        self._hydrating_since_ms: int | None = None
        self._guards: dict[CollectionId, Guard | None] = {}

    @property
    def frontier(self) -> Frontier:
        """Everything before it is published."""
        self.settle()
        return self._frontier

    def settle(self) -> None:
        """At rest, time has passed that nobody has written down yet."""
        if self.rest is not None and self._frontier != (reached := self.rest.frontier):
            self._publish([], reached)

    @property
    def may_rest(self) -> bool:
        """Whether nothing but a change of an input could make it run, and nobody follows it."""
        return (
            self.hydrated
            and self._engine is not None
            and self.rest is None
            and bool(self.inputs)
            and self.is_in_force
            and not (self._engine.is_timed or self.upstream)
            and self.description.until is None
            and all(export.is_only_read for export in self.exports)
            and not any(reader.pending_count for reader in self.inputs)
        )

    def guard(self, collection: CollectionId) -> Guard | None:
        """What a row of an import must be to concern it."""
        if collection not in self._guards:
            assert self._engine is not None, f"{self.description.name} cannot run"
            self._guards[collection] = guard_of(self._engine.plan, collection)
        return self._guards[collection]

    @property
    def is_ready(self) -> bool:
        """Whether `advance` would get further."""
        if self._engine is None or not self.scheduled or self.rest is not None:
            return False
        if not self.hydrated:
            there = all(reader.loaded for reader in self.inputs) and self.lookups.are_complete
            return there and self._reach.passes(self.as_of)
        return self.frontier.less_than(self._reach)

    @property
    def _copies(self) -> list[Trace]:
        """The traces that hold its import as it is, if nothing else comes of it."""
        keyed = [each.kept for each in self.exports if each.kept is not None]
        is_copy = self.copy_of is not None and len(keyed) == len(self.exports)
        return keyed if is_copy and all(trace.key_columns for trace in keyed) else []

    @property
    def reads_from(self) -> int:
        """No time before it is read any more: it looks at what is before its next change."""
        if not self.hydrated:
            return self.as_of
        return TIME_MAX if self.frontier.time is None else self.frontier.time - 1

    @property
    def _reach(self) -> Frontier:
        """Everything before it has arrived."""
        reach = meet_all([reader.frontier for reader in self.inputs])
        return _until(reach, self.description.until)

    def advance(self, fuel_rows: int) -> int:
        """Runs the next time that is complete, or moves the frontier if none has changes. The
        number of rows that went in and out, at least one. The content at as_of is computed in
        parts whose size goes by `fuel_rows`; later times are never cut."""
        assert self._engine is not None, f"{self.description.name} cannot run"
        if not self.hydrated:
            return self._hydrate(self._engine, fuel_rows)
        first = self._due
        if first is None or not self._reach.passes(first):
            self._publish([], self._reach)
            return 1
        time = first
        changes = {}
        for reader in self.inputs:
            change = reader.take(time)
            if change is not None:
                changes[reader.collection] = change
        output = self._engine.step(time, changes)
        silent = output.is_empty or not _wanted(time, self.description.until)
        self._publish([] if silent else [(time, output)], self._next)
        return 1 + output.row_count + sum(change.row_count for change in changes.values())

    def _hydrate(self, engine: Dataflow, fuel_rows: int) -> int:
        """Computes a part of the content at as_of. Outer sides come last; of the others small ones
        come first: each part of a large one then finds all of them."""
        room = HYDRATION_FUEL * fuel_rows
        sorted_rows = self.lookups.sort(room)
        if sorted_rows:
            return sorted_rows
        if not self._is_brought:
            self._is_brought = True
            for reader in self.inputs:
                self.lookups.bring(reader, self.as_of, self._schema_of(reader.collection))
        changes: dict[CollectionId, Zset] = {}

        def turn(reader: Input) -> tuple[int, int]:
            return engine.turn_of(reader.collection), reader.rows_total

        for reader in sorted(self.inputs, key=turn):
            parts = reader.take_content(room)
            if parts:
                change = Zset.concat(self._schema_of(reader.collection), parts)
                changes[reader.collection] = change
                room -= change.row_count
        output = engine.load(self.as_of, changes)
        if not output.is_empty and _wanted(self.as_of, self.description.until):
            for export in self.exports:
                export.load(self.as_of, output)
        if not any(reader.has_content for reader in self.inputs):
            self.hydrated = True
            engine.mark_loaded()
            lower, self._frontier = self._frontier, self._next
            for export in self.exports:
                export.complete(self.as_of, lower, self._frontier)
        return 1 + output.row_count + sum(change.row_count for change in changes.values())

    @property
    def state_bytes(self) -> int:
        """Of its operators, and of what it keeps for readers; not of what others look up too."""
        kept = sum(export.kept.byte_count for export in self.exports if export.kept is not None)
        return kept + (0 if self._engine is None else self._engine.state_bytes)

    def profile(self) -> Zset:
        """Of one that can run."""
        assert self._engine is not None, f"{self.description.name} cannot run"
        kept = [(each.collection, each.kept) for each in self.exports if each.kept is not None]
        return profile(self._engine, kept, [reading for _, reading in self.lookups.readings])

    def fail(self, failure: Failure) -> None:
        """It cannot go on."""
        self._engine = None
        self.failure = failure
        for reader in self.inputs:
            reader.forget_content()

    def maintain(self, fuel_rows: int) -> bool:
        """Background work; True: there is more."""
        more = self._engine is not None and self._engine.maintain(fuel_rows)
        for export in self.exports:
            if export.kept is not None:
                more = export.kept.maintain(fuel_rows) or more
            more = export.arrangements.maintain(fuel_rows) or more
            if export.digest is not None:
                more = export.digest.work(fuel_rows) or more
        return more

    def facts(self) -> DataflowFacts:
        return DataflowFacts(
            exports=self._live,
            fingerprint=self.fingerprint,
            since=self.since,
            upper=self.frontier,
            hydrated=self.hydrated,
        )

    def standing(self) -> Standing:
        """What reconciliation has to know of it."""
        return Standing(
            key=self.key,
            fingerprint=self.fingerprint,
            as_of=Frontier(self.as_of),
            since=self.since,
            inputs_upper=self._inputs_upper,
            runs=self.failure is None,
        )

    def resume(self, as_of: Frontier) -> None:
        """It stays in a new session, which reads it from `as_of` on."""
        self.start = as_of
        for export in self.exports:
            export.allowed = as_of

    @property
    def is_usable(self) -> bool:
        """Whether a later session could go on with it."""
        return self.failure is None and not self.is_dropped

    @property
    def failed(self) -> tuple[CollectionId, ...]:
        """What nobody will get from it."""
        return () if self.failure is None else self._live

    @property
    def is_dropped(self) -> bool:
        return all(export.dropped for export in self.exports)

    @property
    def key(self) -> Key:
        """Its exports that are not dropped, sorted."""
        return tuple(sorted(self._live))

    @property
    def _live(self) -> tuple[CollectionId, ...]:
        return tuple(export.collection for export in self.exports if not export.dropped)

    @property
    def since(self) -> Frontier:
        """What it holds can be read from here on."""
        since = [export.kept.since for export in self.exports if export.kept is not None]
        return meet_all(since) if since else self.frontier

    @property
    def _inputs_upper(self) -> Frontier:
        if self.frontier.is_closed:
            return self.frontier
        local = [reader for _, reader in self.upstream]
        stored = [each for each in self.inputs if not any(each is other for other in local)]
        if len(self.inputs) < len(self.description.imports):
            return Frontier(self.as_of)  # not started: it has yet to ask for them
        return meet_all([reader.frontier for reader in stored])

    def progress(self, now_ms: int) -> HydrationProgress:
        """As far as is known: an input that has not begun counts nothing yet."""
        if self._hydrating_since_ms is None and self.scheduled:
            self._hydrating_since_ms = now_ms
        since_ms = now_ms if self._hydrating_since_ms is None else self._hydrating_since_ms
        counted = [self.lookups.progress(reader) for reader in self.inputs]
        known = [reader.refusal for reader in self.inputs] + self.lookups.refusals
        refusals = (refusal for refusal in known if refusal is not None)
        peer_failed, peer_failure = next(refusals, ("", ""))
        return HydrationProgress(
            collection=self.exports[0].collection,
            rows_done=sum(done for done, _, _ in counted),
            rows_total=sum(total for _, _, total in counted),
            rows_received=sum(received for _, received, _ in counted),
            elapsed_ms=now_ms - since_ms,
            peer_failed=peer_failed,
            peer_failure=peer_failure,
        )

    @property
    def pending_ticks(self) -> int:
        return max((reader.pending_count for reader in self.inputs), default=0)

    def _schema_of(self, collection: CollectionId) -> Schema:
        for imported in self.description.imports:
            if imported.collection == collection:
                return imported.schema
        raise AssertionError(f"{collection} is not imported")

    @property
    def _due(self) -> int | None:
        """The earliest time that is wanted and has changes, in an input or by the clock."""
        times = [reader.next_time for reader in self.inputs if reader.next_time is not None]
        alone = None if self._engine is None else self._engine.next_time
        if alone is not None:
            times.append(alone)
        first = min(times, default=None)
        until = self.description.until
        return None if first is None or not _wanted(first, until) else first

    @property
    def _next(self) -> Frontier:
        """How far everything is known: to the next change, or all there is."""
        due = self._due
        return self._reach if due is None else self._reach.meet(Frontier(due))

    def _publish(self, ticks: Ticks, upper: Frontier) -> None:
        lower, self._frontier = self._frontier, upper
        for export in self.exports:
            export.publish(lower, upper, ticks)


def _wanted(time: int, until: Frontier | None) -> bool:
    return until is None or until.passes(time)


def _until(reach: Frontier, until: Frontier | None) -> Frontier:
    """Nothing is produced from `until` on, so that what is before it is all there will be."""
    return CLOSED if until is not None and until.less_equal(reach) else reach
