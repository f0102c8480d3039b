"""Peeks: one read at one time, asked of every replica, answered by the first that can.

A peek holds its time on what it reads from before it is sent until after its cancellation is: a
replica that has not answered yet must not find the time compacted away. Peeks are live state: they
are sent again to a replica that connects, and a controller that dies forgets them.
"""

from __future__ import annotations

from heapq import heappop, heappush

from antiphon.controller.instance import holds
from antiphon.controller.instance.content import verifying
from antiphon.controller.instance.event import PeekRequested
from antiphon.controller.instance.ready import Outbox, live
from antiphon.controller.instance.state import (
    Holder,
    HoldKind,
    PendingPeek,
    Replica,
    State,
)
from antiphon.controller.ports import ErrorReply, RowsReply, StashReply
from antiphon.protocol.command import CancelPeek, Peek, Sent
from antiphon.protocol.errors import (
    CollectionMissing,
    ComputeError,
    LimitExceeded,
    NotComplete,
    ReplicaFailed,
    ReplicaMissing,
    Unavailable,
)
from antiphon.protocol.failure import error_of
from antiphon.protocol.ids import CollectionId, PeekId, ReplicaId, show
from antiphon.protocol.limits import PEEKS_PENDING_MAX
from antiphon.protocol.response import (
    Failure,
    PeekCanceled,
    PeekResponse,
    PeekRows,
    PeekStashed,
)

# Failures that any replica would give: they are the answer, there is nothing to wait for.
ANSWERS = frozenset({"data_error", "limit_exceeded", "not_served"})


def begin(state: State, event: PeekRequested, out: Outbox, now_ms: int) -> None:
    """Hold the time, then ask; or reply with the reason why not."""
    time = state.read_time if event.time is None else event.time
    try:
        _check(state, event, time)
    except ComputeError as error:
        out.reply(event.request, ErrorReply(error))
        return
    command = Peek(
        peek_id=event.peek_id,
        time=time,
        target=event.target,
        schema=event.schema,
        finishing=event.finishing,
        rows_max=event.rows_max,
        bytes_max=event.bytes_max,
    )
    holder = Holder(HoldKind.PEEK, event.peek_id.value)
    holds.acquire_all(state, event.imports, holder, time)
    peek = PendingPeek(
        request=event.request, command=command, imports=event.imports, replica=event.replica
    )
    state.peeks[event.peek_id] = peek
    state.peek_of_request[event.request] = event.peek_id
    heappush(state.peek_deadlines, (now_ms + state.config.peek_wait_ms, event.peek_id.value))
    for replica in readers(state, event.replica):
        peek.asked.add(replica.id)
        out.send(replica.id, live(command))


def _check(state: State, event: PeekRequested, time: int) -> None:
    if len(state.peeks) >= PEEKS_PENDING_MAX:
        raise LimitExceeded(
            f"{PEEKS_PENDING_MAX} reads are pending already", limit="PEEKS_PENDING_MAX"
        )
    if time > state.read_time:
        raise NotComplete(
            f"time {time} is not complete; the latest readable time is {state.read_time}",
            time=time,
            upper=state.timeline_upper,
        )
    for collection in event.imports:
        holds.check_readable(state, collection, time)
    check_target(state, event.replica)


def check_target(state: State, replica: ReplicaId | None) -> None:
    """
    Raises:
        ReplicaMissing: no replica has that name.
        ReplicaFailed: it is not connected.
    """
    if replica is None:
        return
    found = state.replicas.get(replica)
    if found is None:
        raise ReplicaMissing(f"no replica is called {replica}", replica=replica)
    if not found.is_open:
        raise ReplicaFailed(f"replica {replica} is not connected", replica=replica)


def readers(state: State, target: ReplicaId | None) -> list[Replica]:
    """Who is asked now. One that is still being brought up to date, or whose worker is silent, or
    whose content is yet to be compared, is not, while there is another that could answer: what it
    has may not be all, and nobody gains by its work on reads. Where there is none, those that are
    connected are asked, and answer as soon as what is read is filled: all of it is built from the
    store, or from who was up to date. But what another controller saw begin is asked only once
    there is word of every other replica: one of them may be up to date, and is heard of at once."""
    connected = list(state.open_replicas())
    accepted = [r for r in connected if verifying.is_up_to_date(r)]
    able = [r for r in accepted if not r.uncompared] or accepted
    if not able:
        able = [r for r in connected if not (r.is_unproven and verifying.is_awaiting(state, r))]
    return [replica for replica in able if target is None or replica.id == target]


def _candidates(state: State, target: ReplicaId | None) -> list[Replica]:
    """Who may yet answer, asked already or not."""
    return [r for r in state.open_replicas() if target is None or r.id == target]


def ask_waiting(state: State, out: Outbox) -> None:
    """Who may be asked has changed: ask those that have not been. O(pending peeks)."""
    for peek in list(state.peeks.values()):
        missing = _missing(state, peek)
        if missing is not None:
            # Whoever was asked before the drop answers; if nobody was, nobody can any more.
            if not peek.asked and _candidates(state, peek.replica):
                _end_as_dropped(state, peek, missing, out)
            continue
        _ask(state, peek, out)


def _ask(state: State, peek: PendingPeek, out: Outbox) -> None:
    for replica in readers(state, peek.replica):
        if replica.id not in peek.asked and replica.id not in peek.withdrawn:
            peek.asked.add(replica.id)
            out.send(replica.id, live(peek.command))


def withdraw(state: State, replica: Replica, out: Outbox) -> None:
    """It is not to be read from: reads that others were asked for as well wait for those. Once it
    may be read from again, it may be asked again."""
    for peek in state.peeks.values():
        waiting = peek.asked - peek.failures.keys()
        if peek.replica is None and replica.id in waiting and len(waiting) > 1:
            peek.asked.discard(replica.id)
            peek.withdrawn.add(replica.id)
            out.send(replica.id, live(CancelPeek(peek_id=peek.command.peek_id)))


def on_response(state: State, replica: Replica, response: PeekResponse, out: Outbox) -> None:
    """The first answer wins; late ones, and those of replicas that were not asked, are nothing."""
    peek = state.peeks.get(response.peek_id)
    if peek is None or (peek.replica is not None and peek.replica != replica.id):
        if isinstance(response.result, PeekStashed):
            out.send(replica.id, live(CancelPeek(peek_id=response.peek_id)))  # frees the stash
        return
    if replica.id in peek.withdrawn:
        peek.withdrawn.discard(replica.id)
        if isinstance(response.result, PeekStashed):
            out.send(replica.id, live(CancelPeek(peek_id=response.peek_id)))
        if _missing(state, peek) is None:
            _ask(state, peek, out)
        return
    match response.result:
        case PeekRows(batches=batches, row_count=row_count):
            finish(state, peek, out, answered_by=replica.id)
            reply = RowsReply(
                batches=batches,
                row_count=row_count,
                time=peek.command.time,
                replica=replica.id,
                last=True,
            )
            out.reply(peek.request, reply)
        case PeekStashed(row_count=row_count):
            finish(state, peek, out, answered_by=replica.id)
            stash = StashReply(
                peek_id=response.peek_id.value,
                replica=replica.id,
                row_count=row_count,
                time=peek.command.time,
            )
            out.reply(peek.request, stash)
        case Failure() as failure:
            _fail(state, peek, replica.id, failure, out)
        case PeekCanceled():
            # Legal only after CancelPeek, and then the peek is not pending: the replica is wrong.
            failure = Failure(code="internal", message=f"replica {replica.id} canceled a read")
            _fail(state, peek, replica.id, failure, out)


def _fail(
    state: State, peek: PendingPeek, replica: ReplicaId, failure: Failure, out: Outbox
) -> None:
    """A data error is an answer. A replica's own failure waits for the others, if there are any."""
    peek.failures[replica] = failure
    may_ask = _missing(state, peek) is None
    waiting = [
        candidate
        for candidate in _candidates(state, peek.replica)
        if candidate.id not in peek.failures and (may_ask or candidate.id in peek.asked)
    ]
    if failure.code in ANSWERS or not waiting:
        finish(state, peek, out, answered_by=replica)
        out.reply(peek.request, ErrorReply(error_of(failure)))


def finish(
    state: State, peek: PendingPeek, out: Outbox, *, answered_by: ReplicaId | None = None
) -> None:
    """Cancel at all others, and only then let go of the time: releasing it may allow compaction,
    which must reach a replica after the cancellation."""
    peek_id = peek.command.peek_id
    for replica in state.open_replicas():
        is_waiting = replica.id in peek.asked and replica.id not in peek.failures
        if is_waiting and replica.id != answered_by:
            out.send(replica.id, live(CancelPeek(peek_id=peek_id)))
    del state.peeks[peek_id]
    del state.peek_of_request[peek.request]
    holds.release_all(state, peek.imports, Holder(HoldKind.PEEK, peek_id.value))


def cancel(state: State, request: int, out: Outbox) -> bool:
    """The caller is gone: no reply. False if no peek has this request."""
    peek_id = state.peek_of_request.get(request)
    if peek_id is None:
        return False
    finish(state, state.peeks[peek_id], out)
    return True


def replay(state: State, replica: Replica, out: Outbox) -> list[Sent]:
    """What a replica that connects must answer. A peek whose collections were dropped while it was
    away can no longer be answered there; if nobody else can, that is the answer."""
    commands: list[Sent] = []
    for peek in list(state.peeks.values()):
        if peek.replica is not None and peek.replica != replica.id:
            continue
        _forget(peek, replica)
        missing = _missing(state, peek)
        if missing is not None:
            if not peek.asked:
                _end_as_dropped(state, peek, missing, out)
            continue
        if replica in readers(state, peek.replica):
            peek.asked.add(replica.id)
            commands.append(live(peek.command))
    return commands


def _missing(state: State, peek: PendingPeek) -> CollectionId | None:
    """What it reads, and nobody can be told of any more."""
    return next((c for c in peek.imports if not _is_live(state, c)), None)


def _end_as_dropped(state: State, peek: PendingPeek, missing: CollectionId, out: Outbox) -> None:
    assert not peek.asked, "somebody may still answer"
    finish(state, peek, out)
    error = CollectionMissing(f"{show(missing)} was dropped", collection=missing)
    out.reply(peek.request, ErrorReply(error))


def _is_live(state: State, collection: CollectionId) -> bool:
    found = state.collections.get(collection)
    return found is not None and found.dropped_at is None


def on_replica_lost(state: State, replica: Replica, out: Outbox) -> None:
    """Reads addressed to it end; the others go on with who is left, or wait for somebody."""
    for peek in list(state.peeks.values()):
        if peek.replica == replica.id:
            finish(state, peek, out)
            error = ReplicaFailed(f"replica {replica.id} is gone", replica=replica.id)
            out.reply(peek.request, ErrorReply(error))
            continue
        _forget(peek, replica)
        left = _candidates(state, None)
        if left and all(other.id in peek.failures for other in left):
            failure = peek.failures[left[0].id]
            finish(state, peek, out)
            out.reply(peek.request, ErrorReply(error_of(failure)))


def _forget(peek: PendingPeek, replica: Replica) -> None:
    """Its connection is over, and with it all that was said on it."""
    peek.failures.pop(replica.id, None)
    peek.asked.discard(replica.id)
    peek.withdrawn.discard(replica.id)


def expire(state: State, out: Outbox, now_ms: int) -> None:
    """Reads that waited too long while nobody was there. With a replica connected, a read takes
    the time that it takes."""
    while state.peek_deadlines and state.peek_deadlines[0][0] <= now_ms:
        _, peek_id = heappop(state.peek_deadlines)
        peek = state.peeks.get(PeekId(peek_id))
        if peek is None:
            continue
        if _candidates(state, peek.replica):
            heappush(state.peek_deadlines, (now_ms + state.config.peek_wait_ms, peek_id))
            continue
        finish(state, peek, out)
        seconds = state.config.peek_wait_ms // 1000
        error = Unavailable(f"no replica was connected for {seconds} s", waited_s=seconds)
        out.reply(peek.request, ErrorReply(error))


def next_deadline_ms(state: State) -> int | None:
    """O(1) amortised: deadlines of answered peeks are forgotten on the way."""
    while state.peek_deadlines and PeekId(state.peek_deadlines[0][1]) not in state.peeks:
        heappop(state.peek_deadlines)
    return state.peek_deadlines[0][0] if state.peek_deadlines else None
