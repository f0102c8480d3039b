"""What an installed dataflow puts out: whoever reads it, and how much of it must be remembered."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from antiphon.protocol.dataflow import (
    CopyToExport,
    Export,
    IndexExport,
    MaterializedViewExport,
    SubscribeExport,
)
from antiphon.protocol.frontier import START, TIME_MAX, Frontier
from antiphon.protocol.response import Failure
from antiphon.protocol.schema import Schema
from antiphon.protocol.selection import ALL
from antiphon.replica.dataflow.arrangements.reading import Reader, Reading
from antiphon.replica.dataflow.arrangements.trace import Trace
from antiphon.replica.dataflow.columns.zset import Zset
from antiphon.replica.importing.arrangements import Arrangements, Arranging
from antiphon.replica.importing.deltas import Ticks
from antiphon.replica.importing.input import Input
from antiphon.replica.importing.lookups import Sought
from antiphon.replica.readers.copy_out import CopyOut
from antiphon.replica.readers.sink import Sink
from antiphon.replica.readers.subscribe import Subscription
from antiphon.replica.reporting.digest import ContentDigest

if TYPE_CHECKING:
    from antiphon.replica.installing.installed import InstalledDataflow


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
        self.arrangements = Arrangements(len(owner.description.schema))  # for those
        self._own: Arranging | None = None  # the one of them in which its trace has its rows
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
        self.owner.settle()
        return self.kept

    @property
    def is_only_read(self) -> bool:
        """Whether nobody follows it: it is looked at now and then, and gives nothing on."""
        followed = self.sink is not None or self.dependents or self.dropped or self.mute
        return self.kept is not None and not followed

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
            if self._own is not None:
                self._own.load(content)
        else:
            self._loaded.append(content)

    def complete(self, time: int, lower: Frontier, upper: Frontier) -> None:
        """All of the content at as_of was loaded, and nothing changes before `upper`."""
        parts, self._loaded = self._loaded, []
        whole = Zset.concat(self.schema, parts).consolidated()
        if self._own is not None:
            self._own.loaded = True
        self.publish(lower, upper, [] if whole.is_empty else [(time, whole)])

    def publish(self, lower: Frontier, upper: Frontier, ticks: Ticks) -> None:
        if self.kept is not None:
            self.kept.insert(lower, upper, ticks)
        if self._own is not None:
            self._own.deliver(ticks, upper)
        if self.digest is not None:
            self.digest.add(ticks)
        if self.subscription is not None:
            self.subscription.publish(ticks, upper)
        if self.copy is not None:
            self.copy.publish(ticks, upper)
        for reader in self.dependents:
            if reader.loaded:
                reader.deliver(ticks, upper)
        for arranging in self.arrangements.settled():
            self._detach(arranging)

    def look_up(self, sought: Sought, as_of: int, reader: Reader) -> Reading:
        """Where the collection is arranged so."""
        found = self.arrangements.find(sought, as_of, self.owner.frontier)
        if found is None and self._keeps(sought):
            found = self._shared_out(sought)
        if found is None:
            found = self.arrangements.made(self.collection, sought, as_of)
            self.dependents.append(found)
            self.load_dependents()
        since = found.arrangement.since
        later = self.trace.updates(as_of + 1, since + 1) if as_of < since else []
        return found.read(reader, as_of, later)

    def _keeps(self, sought: Sought) -> bool:
        """Whether its trace has these rows of its own by this key, and goes on to."""
        kept = self.kept
        if kept is None or kept.shared is not None or self.owner.frontier.is_closed:
            return False
        return tuple(sorted(kept.key_columns)) == sought.key and sought.selection == ALL

    def _shared_out(self, sought: Sought) -> Arranging:
        """What its trace holds, from now on for others too: the trace is one of the readers."""
        since, content, later = self.trace.handed_over(self.owner.as_of)
        whole = replace(sought, columns=tuple(range(len(self.schema))))
        own = self._own = self.arrangements.made(self.collection, whole, since)
        own.has_own_snapshot = True
        for part in content:
            own.load(part)
        self.trace.look_up(own.read(self.owner, since, ()))
        if self.owner.hydrated:
            own.loaded = True
            own.deliver(later, self.owner.frontier)
        return own

    def look_no_more(self, reading: Reading) -> None:
        """The dataflow is gone; an arrangement for it alone goes too."""
        free = self.arrangements.release(reading)
        if free is not None:
            self._detach(free)

    def _detach(self, reader: Input) -> None:
        self.dependents = [other for other in self.dependents if other is not reader]

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
            parts = [] if reader.looks_up else self.trace.parts(reader.as_of)
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


def _before(frontier: Frontier) -> Frontier:
    """Updates from `frontier` on are readable if since is before it."""
    return frontier if frontier.is_closed else frontier.step_back()


def _end(upper: Frontier) -> int:
    return TIME_MAX + 1 if upper.time is None else upper.time
