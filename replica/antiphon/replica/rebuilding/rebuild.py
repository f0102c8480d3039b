"""Rebuild sessions: dataflows built anew beside those in force, from a base and what followed it.

    gathering    each table and feed that is read has both lanes open: base at b, live above b
    computing    all lanes are whole; fresh dataflows begin at the time where they met
    completed    every frontier has passed the target, the digests are known and were told
    in force     accepted: they take the places of those that they were rebuilt from

What was there before goes on untouched until the acceptance: it reports, answers and writes, or
does not, as the controller allows it. So a session may end at any moment (canceled, superseded by a
newer one, failed, cut off with its connection, killed with the process) and nothing is lost but its
own work; the next begins from scratch. Nothing that is rebuilt reports a frontier, answers a read
or is written before it is in force.

A session fails as a whole, when any part of its base fails, when the live lane outgrows its bound,
when the deadline passes. It never goes on with another base: two bases are of two moments.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final

from antiphon.protocol.command import AcceptRebuild, CancelRebuild, StartRebuild
from antiphon.protocol.content_digest import digest_bytes
from antiphon.protocol.dataflow import Import
from antiphon.protocol.errors import (
    CollectionMissing,
    ComputeError,
    InvalidArgument,
    LinkTimeout,
    SinceViolation,
    Unavailable,
)
from antiphon.protocol.failure import failure_of
from antiphon.protocol.frontier import Frontier
from antiphon.protocol.ids import NO_SESSION, CollectionId, Epoch, SessionId, is_transient, show
from antiphon.protocol.response import (
    Failure,
    RebuildCompleted,
    RebuildProgress,
    RebuildResult,
)
from antiphon.replica.held import STORED, Held
from antiphon.replica.importing.input import Input
from antiphon.replica.installing.exported import InstalledExport
from antiphon.replica.installing.installed import InstalledDataflow
from antiphon.replica.installing.render import render
from antiphon.replica.rebuilding.lanes import Lanes

DIGEST_ROWS: Final = 1 << 16  # of a slice

RebuildCommand = StartRebuild | CancelRebuild | AcceptRebuild


@dataclass(slots=True, kw_only=True)
class _Session:
    command: StartRebuild
    deadline_ms: int | None
    old: list[InstalledDataflow]  # inputs before those who read them
    exports: list[InstalledExport]  # theirs
    lanes: dict[CollectionId, Lanes]
    new: list[InstalledDataflow] = field(default_factory=list)  # in the order of `old`
    is_computing: bool = False
    is_completed: bool = False


class Rebuilds:
    """The one session of a worker, if there is one."""

    def __init__(self, held: Held) -> None:
        self._held = held
        self._session: _Session | None = None
        self._highest: SessionId = NO_SESSION  # of this connection

    def handle(self, command: RebuildCommand, epoch: Epoch, now_ms: int) -> None:
        match command:
            case StartRebuild():
                self._start(command, epoch, now_ms)
            case CancelRebuild(session_id=session_id):
                if self._session is not None and self._session.command.session_id == session_id:
                    self._end()
            case AcceptRebuild(session_id=session_id):
                self._accept(session_id)

    def abandon(self) -> None:
        """Its connection is over: nobody waits for the result, nobody can accept it."""
        self._highest = NO_SESSION
        self._end()

    def tail_failed(self, error: ComputeError) -> bool:
        """The tail cannot be served. True: it may be for the session's sake, which has ended."""
        session = self._session
        if session is None or session.is_computing:
            return False
        self._fail(session, failure_of(error))
        return True

    def settle(self, now_ms: int) -> bool:
        """Looks how far it is. True: there is more to do at once."""
        session = self._session
        if session is None or session.is_completed:
            return False
        try:
            if session.deadline_ms is not None and session.deadline_ms <= now_ms:
                message = "the deadline of the rebuild has passed"
                raise LinkTimeout(message, reason="deadline_exceeded")
            self._check(session)
            if not session.is_computing:
                return self._meet(session)
            return self._complete(session)
        except ComputeError as error:
            self._fail(session, failure_of(error))
            return False

    @property
    def progress(self) -> RebuildProgress | None:
        """How far the session is; None: there is none."""
        session = self._session
        if session is None:
            return None
        lanes = session.lanes.values()
        return RebuildProgress(
            session_id=session.command.session_id,
            base_chunks=sum(one.chunk_count for one in lanes),
            base_rows=sum(one.rows_received for one in lanes),
            base_rows_total=sum(max(one.rows_total, one.rows_received) for one in lanes),
            live_rows=sum(one.live_rows for one in lanes),
            dataflows_filled=sum(1 for new in session.new if new.hydrated),
            dataflows_total=len(session.old),
            is_completed=session.is_completed,
        )

    @property
    def unfinished(self) -> tuple[str, ...]:
        """The session, if there is one."""
        session = self._session
        return () if session is None else (f"rebuild {session.command.session_id}",)

    @property
    def wake_at_ms(self) -> int | None:
        session = self._session
        return None if session is None or session.is_completed else session.deadline_ms

    # Its beginning.

    def _start(self, command: StartRebuild, epoch: Epoch, now_ms: int) -> None:
        if command.session_id <= self._highest:
            older = Unavailable(f"rebuild {self._highest} is newer", reason="superseded")
            self._answer(command.session_id, failure_of(older))
            return
        try:
            old = self._named(command)
        except ComputeError as error:
            self._answer(command.session_id, failure_of(error))
            return
        # Only one that begins ends another; a start that is refused leaves it in place.
        if self._session is not None and not self._session.is_completed:
            newer = Unavailable(f"rebuild {command.session_id} began", reason="superseded")
            self._answer(self._session.command.session_id, failure_of(newer))
        self._end()
        self._highest = command.session_id
        lanes: dict[CollectionId, Lanes] = {}
        for imported in _stored_imports(old):
            lanes[imported.collection] = self._held.inputs.open_lanes(
                imported, command.base_time, command.peer, epoch
            )
        deadline_ms = now_ms + command.deadline_ms if command.deadline_ms else None
        self._session = _Session(
            command=command,
            deadline_ms=deadline_ms,
            old=old,
            exports=[export for dataflow in old for export in dataflow.exports],
            lanes=lanes,
        )

    def _named(self, command: StartRebuild) -> list[InstalledDataflow]:
        """The dataflows whose collections are named, in order of dependency.

        Raises:
            InvalidArgument, CollectionMissing
        """
        if not command.collections:
            raise InvalidArgument("a rebuild of no collection")
        if command.target_time < command.base_time:
            raise InvalidArgument(
                f"the target {command.target_time} is before the base {command.base_time}"
            )
        named: list[InstalledDataflow] = []
        for collection in command.collections:
            found = self._held.installed.find(collection)
            if found is None or found.dropped or is_transient(collection):
                raise CollectionMissing(f"{show(collection)} is not kept here")
            named.append(found.owner)
        self._check_readers(named)
        return [one for one in self._held.installed.dataflows if _among(one, named)]

    def _check_readers(self, named: list[InstalledDataflow]) -> None:
        """What reads of them was built from what they were: it has to be rebuilt with them."""
        for owner in self._held.installed.dataflows:
            if _is_transient(owner) or _among(owner, named):
                continue
            if any(_among(export.owner, named) for export, _ in owner.upstream):
                raise InvalidArgument(
                    f"{show(owner.exports[0].collection)} reads what is rebuilt: name it as well"
                )

    # Its middle.

    def _check(self, session: _Session) -> None:
        """Raises what speaks against going on."""
        self._check_readers(session.old)
        for lanes in session.lanes.values():
            if lanes.failure is not None:
                raise lanes.failure
        for export in session.exports:
            if export.dropped or self._held.installed.find(export.collection) is not export:
                raise CollectionMissing(f"{show(export.collection)} was dropped meanwhile")
        for dataflow in session.new:
            if dataflow.failure is not None:
                raise Unavailable(
                    f"{dataflow.description.name} cannot run: {dataflow.failure.message}"
                )

    def _meet(self, session: _Session) -> bool:
        """Once all lanes are whole at one time, the dataflows begin there."""
        lanes = list(session.lanes.values())
        if not all(one.is_whole for one in lanes):
            return False
        if any(one.frontier != lanes[0].frontier for one in lanes):
            return False
        start = session.command.base_time
        for one in lanes:
            start = one.settle()
        for old in session.old:
            session.new.append(self._fresh(session, old, start))
        for one in lanes:
            one.release()
        session.is_computing = True
        return True

    def _fresh(self, session: _Session, old: InstalledDataflow, start: int) -> InstalledDataflow:
        description = replace(old.description, as_of=Frontier(start))
        local = [each.collection for each in description.imports if each.kind not in STORED]
        # All are found before any is read: of one that is missing nothing is left to undo.
        upstreams = {each: self._upstream(session, each, start) for each in local}
        engine = render(description, self._held.clock, shares=True)
        new = InstalledDataflow(description, engine, None)
        new.is_in_force = False
        new.scheduled = True
        kept = [export.collection for export in old.exports]
        new.exports = [export for export in new.exports if export.collection in kept]
        for imported in description.imports:
            if imported.kind in STORED:
                new.inputs.append(_read(new, session.lanes[imported.collection], start))
                continue
            upstream = upstreams[imported.collection]
            reader = self._held.read_upstream(upstream, start)
            new.upstream.append((upstream, reader))
            new.inputs.append(reader)
            self._held.want(new, upstream, reader)
        self._held.follow(new)
        return new

    def _upstream(self, session: _Session, collection: CollectionId, start: int) -> InstalledExport:
        """What is rebuilt as well is read as it is rebuilt; anything else as it is."""
        for dataflow in session.new:
            for export in dataflow.exports:
                if export.collection == collection:
                    return export
        found = self._held.installed.readable(collection)
        if found is None:
            raise CollectionMissing(f"{show(collection)} is not kept here")
        if not found.trace.since.less_equal(Frontier(start)):
            raise SinceViolation(f"{show(collection)} at {start} is gone")
        return found

    # Its end.

    def _complete(self, session: _Session) -> bool:
        """Completed once everything is past the target, no frontier would move back, and the
        digests are known."""
        command = session.command
        target = Frontier(command.target_time)
        for old, new in zip(session.old, session.new, strict=True):
            if not target.less_than(new.frontier) or not old.frontier.less_equal(new.frontier):
                return False
        ends = [new.frontier.time - 1 for new in session.new if new.frontier.time is not None]
        achieved = min(ends, default=command.target_time)
        digests = {
            export.collection: export.start_digest(achieved)
            for new in session.new
            for export in new.exports
            if export.kept is not None
        }
        more = [digest.work(DIGEST_ROWS) for digest in digests.values()]
        if any(more):
            return True
        found = [digests[collection].at(achieved) for collection in command.collections]
        told = [digest_bytes(digest) for digest in found if digest is not None]
        if len(told) < len(found):
            return True
        session.is_completed = True
        result = RebuildCompleted(achieved_time=achieved, digest=b"".join(told))
        self._held.responses.append(RebuildResult(session_id=command.session_id, result=result))
        return False

    def _accept(self, session_id: SessionId) -> None:
        session = self._session
        if session is None or session.command.session_id != session_id or not session.is_completed:
            return
        try:
            self._check(session)
        except ComputeError:
            self._end()  # what it was rebuilt from was dropped meanwhile
            return
        self._session = None
        for old, new in zip(session.old, session.new, strict=True):
            self._held.installed.put_in_force(old, new)
            new.start = old.start.join(old.frontier)
            for before in old.exports:
                after = next(e for e in new.exports if e.collection == before.collection)
                self._take_place(before, after)
            self._held.stop_reading(old)

    def _take_place(self, before: InstalledExport, after: InstalledExport) -> None:
        held = self._held
        after.allowed = before.allowed
        after.mute = before.mute
        held.note_moved(after)
        held.compact_soon(after)
        if before.sink is not None:
            before.sink.forbid()
            # What is known of the shard stays known: its frontier does not move back.
            held.open_sink(after, before.sink.shard_upper)
        failure = failure_of(Unavailable(f"{show(before.collection)} was rebuilt: subscribe again"))
        for reader in before.dependents:
            for dataflow in held.installed.dataflows:
                if _is_transient(dataflow) and any(own is reader for _, own in dataflow.upstream):
                    self._fail_reader(dataflow, failure)

    def _fail_reader(self, dataflow: InstalledDataflow, failure: Failure) -> None:
        """A subscribe on what is gone: another replica goes on, or it begins again."""
        dataflow.fail(failure)
        for export in dataflow.exports:
            export.fail(failure)
            self._held.note_moved(export)
        self._held.stop_reading(dataflow)

    def _fail(self, session: _Session, failure: Failure) -> None:
        self._answer(session.command.session_id, failure)
        self._end()

    def _end(self) -> None:
        """Nothing is left of the session, as if it had not been."""
        session, self._session = self._session, None
        if session is None:
            return
        for dataflow in session.new:
            self._held.stop_reading(dataflow)
        for lanes in session.lanes.values():
            self._held.inputs.close_lanes(lanes)

    def _answer(self, session_id: SessionId, failure: Failure) -> None:
        self._held.responses.append(RebuildResult(session_id=session_id, result=failure))


def _read(new: InstalledDataflow, lanes: Lanes, start: int) -> Input:
    """An input from the lanes. What it looks up is arranged there, for all that is rebuilt: what
    is in force has arrangements of its own, which may be wrong."""
    collection = lanes.imported.collection
    for each in new.lookups.sought(collection):
        found = lanes.arrangements.find(each, start, lanes.frontier)
        if found is None:
            found = lanes.arrangements.made(collection, each, start)
            lanes.attach(found)
        later = lanes.changes(start, found.arrangement.since)
        new.lookups.found(collection, found.read(new, start, later), each)
    reader = Input(collection, start)
    reader.looks_up = new.lookups.looks_up(collection)
    lanes.attach(reader)
    return reader


def _stored_imports(dataflows: list[InstalledDataflow]) -> list[Import]:
    """What they read of the store, each once."""
    found: dict[CollectionId, Import] = {}
    for dataflow in dataflows:
        for imported in dataflow.description.imports:
            if imported.kind in STORED:
                found.setdefault(imported.collection, imported)
    return list(found.values())


def _among(one: InstalledDataflow, many: list[InstalledDataflow]) -> bool:
    return any(one is other for other in many)


def _is_transient(dataflow: InstalledDataflow) -> bool:
    return all(is_transient(export.collection) for export in dataflow.exports)
