"""Dataflows that are installed on this replica: their inputs, their exports, their progress.

A dataflow runs one time after another: once all its inputs have passed a time with changes, it
takes the changes of that time, and what comes out goes to its exports' traces, to the dataflows
that import them, to its subscribes. Times without changes move frontiers and run nothing.

An export that was dropped lives on inside for as long as another dataflow or a waiting peek reads
it. What an export's trace must remember is the earliest of what the controller allows, what its
dependents have yet to load, what waiting peeks read and what its sink has yet to write.
"""

from __future__ import annotations

from typing import Final

from antiphon.protocol.dataflow import (
    CopyToExport,
    DataflowDescription,
    Export,
    IndexExport,
    MaterializedViewExport,
    SubscribeExport,
)
from antiphon.protocol.facts import DataflowFacts
from antiphon.protocol.fingerprint import fingerprint_of
from antiphon.protocol.frontier import CLOSED, START, TIME_MAX, Frontier, meet_all
from antiphon.protocol.ids import CollectionId
from antiphon.protocol.response import Failure, HydrationProgress
from antiphon.protocol.schema import Schema
from antiphon.protocol.verbatim import copy_of
from antiphon.replica.copy_out import CopyOut
from antiphon.replica.dataflow.graph import Dataflow
from antiphon.replica.dataflow.trace import Trace
from antiphon.replica.dataflow.zset import Zset
from antiphon.replica.deltas import Ticks
from antiphon.replica.digest import ContentDigest
from antiphon.replica.profile import profile
from antiphon.replica.reconcile import Standing
from antiphon.replica.sink import Sink
from antiphon.replica.source import Input
from antiphon.replica.subscribe import Subscription

# A part of the content at as_of, in the fuel of a slice. Larger parts than ticks have: each costs
# every operator a step, and its output merges that a larger one would not need.
HYDRATION_FUEL: Final = 3


class InstalledExport:
    """One output of a dataflow. Subscribes and copy-tos have no trace, all others have."""

    def __init__(self, export: Export, owner: InstalledDataflow) -> None:
        self.collection = export.collection
        self.owner = owner
        self.dropped = False  # by the controller
        self.mute = False  # dropped in an earlier session: nobody waits for a word about it
        self.allowed = Frontier(owner.as_of)  # compaction, by the controller
        self.kept: Trace | None = None
        self.subscription: Subscription | None = None
        self.sink: Sink | None = None
        self.copy: CopyOut | None = None
        self.dependents: list[Input] = []  # imports of other dataflows
        self.digest: ContentDigest | None = None  # None: nobody has asked
        self._loaded: list[Zset] = []  # of content that no trace keeps, until it is whole
        description = owner.description
        match export.kind:
            case IndexExport(key_columns=keys) | MaterializedViewExport(key_columns=keys):
                start = Frontier(owner.as_of)
                self.kept = Trace(description.schema, keys)
                # What was before as_of is not known here, and since says so.
                self.kept.insert(START, start, [])
                self.kept.allow_compaction(start)
            case SubscribeExport(with_snapshot=with_snapshot):
                self.subscription = Subscription(
                    export.collection,
                    description.schema,
                    owner.as_of,
                    with_snapshot=with_snapshot,
                )
            case CopyToExport():
                pass

    @property
    def trace(self) -> Trace:
        assert self.kept is not None, "subscribes and copy-tos keep no trace"
        return self.kept

    @property
    def schema(self) -> Schema:
        return self.owner.description.schema

    @property
    def failure(self) -> Failure | None:
        return self.owner.failure

    def profile(self) -> Zset:
        """What the operators that keep it have done: rows of `PROFILE`."""
        return self.owner.profile()

    def load(self, time: int, content: Zset) -> None:
        """A part of the content at as_of, which `publish` then completes."""
        if self.kept is not None:
            self.kept.load(time, content)
        else:
            self._loaded.append(content)

    def complete(self, time: int, lower: Frontier, upper: Frontier) -> None:
        """All of the content at as_of was loaded, and nothing changes before `upper`."""
        parts, self._loaded = self._loaded, []
        whole = Zset.concat(self.schema, parts).consolidated()
        self.publish(lower, upper, [] if whole.is_empty else [(time, whole)])

    def publish(self, lower: Frontier, upper: Frontier, ticks: Ticks) -> None:
        if self.kept is not None:
            self.kept.insert(lower, upper, ticks)
        if self.digest is not None:
            self.digest.add(ticks)
        if self.subscription is not None:
            self.subscription.publish(ticks, upper)
        if self.copy is not None:
            self.copy.publish(ticks, upper)
        for reader in self.dependents:
            if reader.loaded:
                reader.deliver(ticks, upper)

    def start_digest(self, time: int) -> ContentDigest:
        """One that reaches back to `time`, which is readable; once there is one, that one."""
        if self.digest is None or not self.digest.reaches(time):
            stop = _end(self.trace.upper)
            self.digest = ContentDigest(time, self.trace.parts(time))
            self.digest.add(self.trace.updates(time + 1, stop))
        return self.digest

    def fail(self, failure: Failure) -> None:
        """Its dataflow cannot go on, and whoever waits for a last word gets it."""
        if self.subscription is not None:
            self.subscription.fail(failure)
        if self.copy is not None:
            self.copy.fail(failure)

    def load_dependents(self) -> None:
        """Gives newcomers the content at their as_of, and what changed since."""
        for reader in self.dependents:
            if reader.loaded or not reader.wanted or not self.owner.frontier.passes(reader.as_of):
                continue
            parts = self.trace.parts(reader.as_of)
            reader.rows_total = sum(part.row_count for part in parts)
            for part in parts:
                reader.load(part)
            reader.loaded = True
            stop = _end(self.trace.upper)
            later = self.trace.updates(reader.as_of + 1, stop) if reader.as_of + 1 < stop else []
            reader.deliver(later, self.trace.upper)

    def compact(self, peeks_hold: Frontier) -> bool:
        """Lets the trace forget what nobody needs any more; True: that is more than before."""
        if self.kept is None:
            return False
        frontier = self.allowed.meet(peeks_hold)
        if self.sink is not None:
            frontier = frontier.meet(_before(self.sink.hold))
        for reader in self.dependents:
            if not reader.loaded:  # scheduled or not: it was promised its as_of when created
                frontier = frontier.meet(Frontier(reader.as_of))
        if frontier.is_closed or not self.kept.since.less_than(frontier):
            return False
        self.kept.allow_compaction(frontier)
        if self.digest is not None and frontier.time is not None:
            self.digest.forget(min(frontier.time, _end(self.kept.upper) - 1))
        return True


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
        self.frontier = Frontier(self.as_of)  # everything before it is published
        self.inputs: list[Input] = []
        self.upstream: list[tuple[InstalledExport, Input]] = []
        self.exports = [InstalledExport(export, self) for export in description.exports]
        self.fingerprint = fingerprint_of(description)
        self.copy_of = copy_of(description)  # what it holds, row by row, if it is a collection
        self._engine = engine
        self._hydrating_since_ms: int | None = None

    @property
    def is_ready(self) -> bool:
        """Whether `advance` would get further."""
        if self._engine is None or not self.scheduled:
            return False
        if not self.hydrated:
            return all(reader.loaded for reader in self.inputs) and self._reach.passes(self.as_of)
        return self.frontier.less_than(self._reach)

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
        """Computes a part of the content at as_of. Small inputs come first: each part of a large
        one then finds all of them."""
        changes: dict[CollectionId, Zset] = {}
        room = HYDRATION_FUEL * fuel_rows
        for reader in sorted(self.inputs, key=lambda one: one.rows_total):
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
            lower, self.frontier = self.frontier, self._next
            for export in self.exports:
                export.complete(self.as_of, lower, self.frontier)
        return 1 + output.row_count + sum(change.row_count for change in changes.values())

    @property
    def state_bytes(self) -> int:
        """Of its operators, and of what it keeps for readers."""
        kept = sum(export.kept.byte_count for export in self.exports if export.kept is not None)
        return kept + (0 if self._engine is None else self._engine.state_bytes)

    def profile(self) -> Zset:
        """Of one that can run."""
        assert self._engine is not None, f"{self.description.name} cannot run"
        kept = [(each.collection, each.kept) for each in self.exports if each.kept is not None]
        return profile(self._engine, kept)

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
            if export.digest is not None:
                more = export.digest.work(fuel_rows) or more
        return more

    def facts(self) -> DataflowFacts:
        return DataflowFacts(
            exports=self._live,
            fingerprint=self.fingerprint,
            since=self._since,
            upper=self.frontier,
            hydrated=self.hydrated,
        )

    def standing(self) -> Standing:
        """What reconciliation has to know of it."""
        return Standing(
            key=tuple(sorted(self._live)),
            fingerprint=self.fingerprint,
            as_of=Frontier(self.as_of),
            since=self._since,
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
    def _live(self) -> tuple[CollectionId, ...]:
        return tuple(export.collection for export in self.exports if not export.dropped)

    @property
    def _since(self) -> Frontier:
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
        refusals = (reader.refusal for reader in self.inputs if reader.refusal is not None)
        peer_failed, peer_failure = next(refusals, ("", ""))
        return HydrationProgress(
            collection=self.exports[0].collection,
            rows_done=sum(reader.rows_taken for reader in self.inputs),
            rows_total=sum(max(r.rows_total, r.rows_received) for r in self.inputs),
            rows_received=sum(reader.rows_received for reader in self.inputs),
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
        lower, self.frontier = self.frontier, upper
        for export in self.exports:
            export.publish(lower, upper, ticks)


def _wanted(time: int, until: Frontier | None) -> bool:
    return until is None or until.passes(time)


def _until(reach: Frontier, until: Frontier | None) -> Frontier:
    """Nothing is produced from `until` on, so that what is before it is all there will be."""
    return CLOSED if until is not None and until.less_equal(reach) else reach


def _before(frontier: Frontier) -> Frontier:
    """Updates from `frontier` on are readable if since is before it."""
    return frontier if frontier.is_closed else frontier.step_back()


def _end(upper: Frontier) -> int:
    return TIME_MAX + 1 if upper.time is None else upper.time
