"""Subscribes: one sequence of intervals for the client, whichever replicas it comes from.

Every replica that is read from runs the dataflow and reports contiguous batches. What the client
has not seen of the first batch that reaches beyond its frontier is delivered, trimmed to start
exactly there: no gap, no repeat. The time before the frontier stays readable, so that a replica
that comes back, or is read from again, can start the dataflow again where the client is.
"""

from __future__ import annotations

from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from antiphon.controller.instance import holds, peeks
from antiphon.controller.instance.clocked import depends_on_clock
from antiphon.controller.instance.event import SubscribeRequested
from antiphon.controller.instance.ready import Outbox, live
from antiphon.controller.instance.state import (
    STORED_KINDS,
    Holder,
    HoldKind,
    Installed,
    Replica,
    State,
    Subscribe,
)
from antiphon.controller.ports import ErrorReply, SubscribeReply
from antiphon.protocol.command import AllowCompaction, CreateDataflow, Schedule, Sent
from antiphon.protocol.dataflow import DataflowDescription, Export, SubscribeExport
from antiphon.protocol.delta import (
    TIME_COLUMN,
    decode_batch,
    delta_schema,
    encode_batch,
)
from antiphon.protocol.errors import (
    CollectionMissing,
    ComputeError,
    InvalidArgument,
    LimitExceeded,
    NotComplete,
    RemoteProtocolError,
    ReplicaFailed,
    SchemaMismatch,
    Unavailable,
)
from antiphon.protocol.failure import error_of
from antiphon.protocol.frontier import CLOSED, START, Frontier
from antiphon.protocol.ids import CollectionId, ReplicaId, show
from antiphon.protocol.limits import SUBSCRIBES_ACTIVE_MAX
from antiphon.protocol.response import (
    Failure,
    SubscribeBatch,
    SubscribeDropped,
    SubscribeResponse,
)


def begin(state: State, event: SubscribeRequested, out: Outbox, now_ms: int) -> None:
    """Hold the start, then install everywhere; or reply with the reason why not."""
    try:
        as_of = _start(state, event)
        for collection in event.imports:
            holds.check_readable(state, collection, as_of)
        peeks.check_target(state, event.replica)
    except ComputeError as error:
        out.reply(event.request, ErrorReply(error))
        return
    with_snapshot = event.with_snapshot and event.resume_from is None
    dataflow = replace(
        event.dataflow,
        as_of=Frontier(as_of),
        exports=(
            Export(collection=event.collection, kind=SubscribeExport(with_snapshot=with_snapshot)),
        ),
    )
    subscribe = Subscribe(
        request=event.request,
        collection=event.collection,
        dataflow=dataflow,
        imports=event.imports,
        frontier=START if with_snapshot else Frontier(as_of + 1),
        replica=event.replica,
        arrow=delta_schema(event.dataflow.schema),
        hold=event.hold,
        # One that goes on outlives an outage; a new one is told that there is nobody.
        deadline_ms=now_ms + state.config.peek_wait_ms if event.resume_from is None else None,
    )
    holder = Holder(HoldKind.SUBSCRIBE, event.collection)
    holds.acquire_all(state, event.imports, holder, as_of)
    state.subscribes[event.collection] = subscribe
    if depends_on_clock(event.dataflow.plan):
        state.clocked.add(event.collection)
    state.subscribe_of_request[event.request] = event.collection
    _ask(state, subscribe, out)


def _start(state: State, event: SubscribeRequested) -> int:
    if len(state.subscribes) >= SUBSCRIBES_ACTIVE_MAX:
        raise LimitExceeded(
            f"{SUBSCRIBES_ACTIVE_MAX} subscribes are active", limit="SUBSCRIBES_ACTIVE_MAX"
        )
    if event.resume_from is not None:
        seen = event.resume_from.time
        if not seen:
            raise InvalidArgument(
                "a subscribe cannot continue after that frontier: nothing follows"
            )
        as_of = seen - 1
    else:
        as_of = state.read_time if event.time is None else event.time
    if as_of > state.read_time:
        raise NotComplete(
            f"time {as_of} is not complete; the latest readable time is {state.read_time}",
            time=as_of,
            upper=state.timeline_upper,
        )
    return as_of


def install(state: State, subscribe: Subscribe, replica: Replica) -> list[Sent]:
    """Start it on one replica, where the client is now: what it has seen is not read again."""
    dataflow = subscribe.dataflow
    seen = subscribe.frontier.time
    assert seen is not None, "a finished subscribe is not installed"
    as_of = dataflow.as_of
    if seen > 0 and as_of.less_than(Frontier(seen - 1)):
        as_of = Frontier(seen - 1)
    if seen > 0:
        export = Export(collection=subscribe.collection, kind=SubscribeExport(with_snapshot=False))
        dataflow = replace(dataflow, as_of=as_of, exports=(export,))
    installed = installed_on(dataflow, subscribe.collection)
    installed.scheduled = True
    replica.installed[subscribe.collection] = installed
    hold_inputs(state, replica, subscribe.collection, installed)
    schedule = Schedule(collection=subscribe.collection)
    return [live(CreateDataflow(dataflow=dataflow)), live(schedule)]


def installed_on(dataflow: DataflowDescription, collection: CollectionId) -> Installed:
    """A dataflow at its start on a replica: no progress beyond its as_of."""
    as_of = dataflow.as_of
    stored = tuple(i.collection for i in dataflow.imports if i.kind in STORED_KINDS)
    local = tuple(i.collection for i in dataflow.imports if i.kind not in STORED_KINDS)
    return Installed(
        as_of=as_of,
        write_frontier=as_of,
        input_frontier=as_of,
        output_frontier=as_of,
        stored_inputs=stored,
        local_inputs=local,
        is_transient=dataflow.is_transient,
        compacted=as_of,
    )


def hold_inputs(
    state: State, replica: Replica, collection: CollectionId, installed: Installed
) -> None:
    """What a replica has yet to read stays in the store; inputs within the replica are its own
    business."""
    as_of = installed.as_of.time
    assert as_of is not None, "a closed dataflow is not installed"
    holder = Holder(HoldKind.INPUT, collection, replica.id)
    holds.acquire_all(state, installed.stored_inputs, holder, as_of)


def replay(state: State, replica: Replica) -> list[Sent]:
    """Every subscribe that this replica shall run, for a replica that connects."""
    commands: list[Sent] = []
    for subscribe in state.subscribes.values():
        subscribe.failures.pop(replica.id, None)
        if replica in peeks.readers(state, subscribe.replica):
            commands += install(state, subscribe, replica)
    return commands


def ask_waiting(state: State, out: Outbox) -> None:
    """Who is read from has changed: those who do not run what they shall begin now. O(active)."""
    for subscribe in state.subscribes.values():
        _ask(state, subscribe, out)


def _ask(state: State, subscribe: Subscribe, out: Outbox) -> None:
    for replica in peeks.readers(state, subscribe.replica):
        # One that has yet to drop it is asked once it has.
        if subscribe.collection not in replica.installed and replica.id not in subscribe.failures:
            out.send(replica.id, *install(state, subscribe, replica))


def withdraw(state: State, replica: Replica, out: Outbox) -> None:
    """It is not to be read from: what another runs as well is dropped there, and nothing that is
    under way from there counts. Once it may be read from again, it begins again."""
    for subscribe in state.subscribes.values():
        others = [
            other
            for other in peeks.readers(state, subscribe.replica)
            if other is not replica and _runs(other, subscribe)
        ]
        if others and _runs(replica, subscribe):
            _drop(subscribe, replica, out)


def _runs(replica: Replica, subscribe: Subscribe) -> bool:
    installed = replica.installed.get(subscribe.collection)
    return installed is not None and not installed.dropping


def _drop(subscribe: Subscribe, replica: Replica, out: Outbox) -> None:
    replica.installed[subscribe.collection].dropping = True
    drop = AllowCompaction(collection=subscribe.collection, frontier=CLOSED)
    out.send(replica.id, live(drop))


def on_response(state: State, replica: Replica, response: SubscribeResponse, out: Outbox) -> None:
    """
    Raises:
        RemoteProtocolError: the batch leaves a gap, or does not decode.
    """
    subscribe = state.subscribes.get(response.collection)
    if subscribe is None or not _runs(replica, subscribe):
        return
    match response.result:
        case SubscribeBatch(failure=None) as batch:
            _deliver(state, subscribe, replica, batch, out)
        case SubscribeBatch(failure=failure):
            assert failure is not None, "the case above took batches without failure"
            _fail(state, subscribe, replica.id, failure, out)
        case SubscribeDropped():
            failure = Failure(code="replica_failed", message=f"{replica.id} dropped a subscribe")
            _fail(state, subscribe, replica.id, failure, out)


def _deliver(
    state: State, subscribe: Subscribe, replica: Replica, batch: SubscribeBatch, out: Outbox
) -> None:
    frontier = subscribe.frontier
    if batch.upper.less_equal(frontier):
        return  # another replica was faster
    if frontier.less_than(batch.lower):
        raise RemoteProtocolError(
            f"{show(subscribe.collection)}: a batch begins at {batch.lower}, after {frontier}"
        )
    batches = batch.batches
    if batch.lower.less_than(frontier):
        batches = _trim(batches, frontier, subscribe.arrow)
    subscribe.frontier = batch.upper
    subscribe.deadline_ms = None
    out.reply(subscribe.request, SubscribeReply(lower=frontier, upper=batch.upper, batches=batches))
    if batch.upper.is_closed:
        end(state, subscribe, out)
        return
    holder = Holder(HoldKind.SUBSCRIBE, subscribe.collection)
    for collection in subscribe.imports:
        holds.move(state, collection, holder, batch.upper.step_back())


def _trim(batches: tuple[bytes, ...], frontier: Frontier, arrow: pa.Schema) -> tuple[bytes, ...]:
    """The updates at or after `frontier`."""
    kept: list[bytes] = []
    for message in batches:
        try:
            batch = decode_batch(message, arrow)
        except SchemaMismatch as error:
            raise RemoteProtocolError(error.message) from error
        late = pc.greater_equal(batch.column(TIME_COLUMN), pa.scalar(frontier.time, pa.uint64()))
        batch = batch.filter(late)
        if batch.num_rows:
            kept.append(encode_batch(batch))
    return tuple(kept)


def _fail(
    state: State, subscribe: Subscribe, replica: ReplicaId, failure: Failure, out: Outbox
) -> None:
    """As for peeks: a data error is final, a replica's own failure waits for the others."""
    subscribe.failures[replica] = failure
    serving = [
        r
        for r in state.open_replicas()
        if (subscribe.replica is None or subscribe.replica == r.id)
        and r.id not in subscribe.failures
    ]
    if failure.code in peeks.ANSWERS or not serving:
        end(state, subscribe, out)
        out.reply(subscribe.request, ErrorReply(error_of(failure)))


def end(state: State, subscribe: Subscribe, out: Outbox) -> None:
    """Drop it everywhere. Nothing of it reaches the client any more; each replica's share is
    remembered until it says that it has stopped reading."""
    del state.subscribes[subscribe.collection]
    state.clocked.discard(subscribe.collection)
    del state.subscribe_of_request[subscribe.request]
    for replica in state.open_replicas():
        if _runs(replica, subscribe):
            _drop(subscribe, replica, out)
    holder = Holder(HoldKind.SUBSCRIBE, subscribe.collection)
    holds.release_all(state, subscribe.imports, holder)


def cancel(state: State, request: int, out: Outbox) -> bool:
    """The caller is gone: no reply. False if no subscribe has this request."""
    collection = state.subscribe_of_request.get(request)
    if collection is None:
        return False
    end(state, state.subscribes[collection], out)
    return True


def expire(state: State, out: Outbox, now_ms: int) -> None:
    """New ones that found no replica for too long. With one connected they take the time that they
    take, and what has begun waits for as long as its caller does."""
    for subscribe in list(state.subscribes.values()):
        deadline_ms = subscribe.deadline_ms
        if deadline_ms is None or now_ms < deadline_ms:
            continue
        if any(subscribe.replica in (None, r.id) for r in state.open_replicas()):
            subscribe.deadline_ms = now_ms + state.config.peek_wait_ms
            continue
        end(state, subscribe, out)
        seconds = state.config.peek_wait_ms // 1000
        error = Unavailable(f"no replica was connected for {seconds} s", waited_s=seconds)
        out.reply(subscribe.request, ErrorReply(error))


def next_deadline_ms(state: State) -> int | None:
    """When the first of the new ones has waited for long enough."""
    found = [s.deadline_ms for s in state.subscribes.values() if s.deadline_ms is not None]
    return min(found, default=None)


def on_collection_dropped(state: State, collection: CollectionId, out: Outbox) -> None:
    """What read it directly ends: a replica that connects later could not start it again."""
    for subscribe in list(state.subscribes.values()):
        if collection in subscribe.imports:
            end(state, subscribe, out)
            error = CollectionMissing(f"{show(collection)} was dropped", collection=collection)
            out.reply(subscribe.request, ErrorReply(error))


def on_replica_lost(state: State, replica: Replica, out: Outbox) -> None:
    """Those addressed to it end; the others go on elsewhere, or wait."""
    for subscribe in list(state.subscribes.values()):
        subscribe.failures.pop(replica.id, None)
        if subscribe.replica == replica.id:
            end(state, subscribe, out)
            error = ReplicaFailed(f"replica {replica.id} is gone", replica=replica.id)
            out.reply(subscribe.request, ErrorReply(error))
