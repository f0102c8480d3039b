"""Copy-to: the content of a query at one time, written to one file by one replica.

One replica is asked at a time, so there is one file. When it is lost, or cannot write, another is
asked, from the start: the file is complete under its name or absent, so what the first one left
does no harm. The time is held until the answer is in.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from antiphon.controller.instance import holds, peeks, subscribes
from antiphon.controller.instance.event import CopyRequested
from antiphon.controller.instance.ready import Outbox, live
from antiphon.controller.instance.state import CopyTo, Holder, HoldKind, Replica, State
from antiphon.controller.ports import DoneReply, ErrorReply
from antiphon.protocol.command import AllowCompaction, CreateDataflow, Schedule, Sent
from antiphon.protocol.dataflow import CopyToExport, Export
from antiphon.protocol.errors import (
    CollectionMissing,
    ComputeError,
    LimitExceeded,
    NotComplete,
    ReplicaFailed,
    Unavailable,
)
from antiphon.protocol.failure import error_of
from antiphon.protocol.frontier import CLOSED, Frontier
from antiphon.protocol.ids import CollectionId, show
from antiphon.protocol.response import CopyToDropped, CopyToResponse, CopyToRows, Failure

COPIES_ACTIVE_MAX: Final = 16  # each holds its whole content at a replica
# Failures that any replica would give.
ANSWERS: Final = frozenset({"data_error", "limit_exceeded", "invalid_argument"})
FORMAT: Final = "parquet"


def begin(state: State, event: CopyRequested, out: Outbox, now_ms: int) -> None:
    """Hold the time, then ask one replica; or reply with the reason why not."""
    time = state.read_time if event.time is None else event.time
    try:
        _check(state, event, time)
    except ComputeError as error:
        out.reply(event.request, ErrorReply(error))
        return
    kind = CopyToExport(uri=event.uri, format=FORMAT)
    copy = CopyTo(
        request=event.request,
        collection=event.collection,
        dataflow=replace(
            event.dataflow,
            as_of=Frontier(time),
            until=Frontier(time + 1),
            exports=(Export(collection=event.collection, kind=kind),),
        ),
        imports=event.imports,
        replica=event.replica,
        deadline_ms=now_ms + state.config.peek_wait_ms,
    )
    holds.acquire_all(state, event.imports, _holder(copy), time)
    state.copies[event.collection] = copy
    _ask_somebody(state, copy, out)


def _check(state: State, event: CopyRequested, time: int) -> None:
    if len(state.copies) >= COPIES_ACTIVE_MAX:
        raise LimitExceeded(f"{COPIES_ACTIVE_MAX} copies are active", limit="COPIES_ACTIVE_MAX")
    if time > state.read_time:
        raise NotComplete(
            f"time {time} is not complete; the latest readable time is {state.read_time}",
            time=time,
            upper=state.timeline_upper,
        )
    for collection in event.imports:
        holds.check_readable(state, collection, time)
    peeks.check_target(state, event.replica)


def _holder(copy: CopyTo) -> Holder:
    return Holder(HoldKind.COPY, copy.collection)


def _ask_somebody(state: State, copy: CopyTo, out: Outbox) -> None:
    """The first replica that has not failed at it; one that reads are asked of, while there is
    one. Nobody: it waits for one."""
    able = peeks.readers(state, copy.replica)
    others = [r for r in state.open_replicas() if copy.replica in (None, r.id)]
    for replica in (*able, *others):
        if replica.id not in copy.failures:
            out.send(replica.id, *_install(state, copy, replica))
            return


def _install(state: State, copy: CopyTo, replica: Replica) -> list[Sent]:
    installed = subscribes.installed_on(copy.dataflow, copy.collection)
    installed.scheduled = True
    replica.installed[copy.collection] = installed
    subscribes.hold_inputs(state, replica, copy.collection, installed)
    copy.asked = replica.id
    schedule = Schedule(collection=copy.collection)
    return [live(CreateDataflow(dataflow=copy.dataflow)), live(schedule)]


def replay(state: State, replica: Replica) -> list[Sent]:
    """What waits for a replica is asked of one that connects."""
    commands: list[Sent] = []
    for copy in state.copies.values():
        if copy.asked is None and copy.replica in (None, replica.id):
            copy.failures.pop(replica.id, None)
            commands += _install(state, copy, replica)
    return commands


def on_response(state: State, replica: Replica, response: CopyToResponse, out: Outbox) -> None:
    """Its one answer, unless another replica was asked since."""
    copy = state.copies.get(response.collection)
    if copy is None or copy.asked != replica.id:
        return
    match response.result:
        case CopyToRows(row_count=count, path=path):
            _end(state, copy, out)
            where = f"{replica.id} wrote {path}" if path else f"{replica.id} wrote it"
            time = copy.dataflow.as_of.time
            done = DoneReply(tag=f"COPY {count}", row_count=count, time=time, notices=(where,))
            out.reply(copy.request, done)
        case Failure() as failure:
            _fail(state, copy, replica, failure, out)
        case CopyToDropped():
            failure = Failure(code="replica_failed", message=f"{replica.id} dropped a copy-to")
            _fail(state, copy, replica, failure, out)


def _fail(state: State, copy: CopyTo, replica: Replica, failure: Failure, out: Outbox) -> None:
    """What any replica would say is the answer; otherwise the next one is asked."""
    copy.failures[replica.id] = failure
    _drop(state, copy, out)
    if failure.code not in ANSWERS:
        _ask_somebody(state, copy, out)
    if copy.asked is None:
        _end(state, copy, out)
        out.reply(copy.request, ErrorReply(error_of(failure)))


def _drop(state: State, copy: CopyTo, out: Outbox) -> None:
    """The replica that was asked lets go of it."""
    asked, copy.asked = copy.asked, None
    replica = None if asked is None else state.replicas.get(asked)
    if replica is None or not replica.is_open:
        return
    installed = replica.installed.get(copy.collection)
    if installed is not None and not installed.dropping:
        installed.dropping = True
        drop = AllowCompaction(collection=copy.collection, frontier=CLOSED)
        out.send(replica.id, live(drop))


def _end(state: State, copy: CopyTo, out: Outbox) -> None:
    _drop(state, copy, out)
    del state.copies[copy.collection]
    holds.release_all(state, copy.imports, _holder(copy))


def cancel(state: State, request: int, out: Outbox) -> bool:
    """The caller is gone: no reply. False if no copy has this request."""
    for copy in list(state.copies.values()):
        if copy.request == request:
            _end(state, copy, out)
            return True
    return False


def on_collection_dropped(state: State, collection: CollectionId, out: Outbox) -> None:
    """What reads it ends: no replica could start it again."""
    for copy in list(state.copies.values()):
        if collection in copy.imports:
            _end(state, copy, out)
            error = CollectionMissing(f"{show(collection)} was dropped", collection=collection)
            out.reply(copy.request, ErrorReply(error))


def on_replica_lost(state: State, replica: Replica, out: Outbox) -> None:
    """What it was asked, another is; what was addressed to it alone ends."""
    for copy in list(state.copies.values()):
        if copy.replica == replica.id:
            _end(state, copy, out)
            error = ReplicaFailed(f"replica {replica.id} is gone", replica=replica.id)
            out.reply(copy.request, ErrorReply(error))
        elif copy.asked == replica.id:
            copy.asked = None
            _ask_somebody(state, copy, out)


def expire(state: State, out: Outbox, now_ms: int) -> None:
    """Nobody was there to ask for too long."""
    for copy in list(state.copies.values()):
        if copy.asked is not None:
            copy.deadline_ms = now_ms + state.config.peek_wait_ms
        elif copy.deadline_ms <= now_ms:
            _end(state, copy, out)
            seconds = state.config.peek_wait_ms // 1000
            error = Unavailable(f"no replica was connected for {seconds} s", waited_s=seconds)
            out.reply(copy.request, ErrorReply(error))


def next_deadline_ms(state: State) -> int | None:
    """When the first that nobody is asked has waited for long enough."""
    waiting = [copy.deadline_ms for copy in state.copies.values() if copy.asked is None]
    return min(waiting, default=None)
