"""Responses as they are read: complete, or refused with the path of the first bad field."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from antiphon.protocol.codec.expression import expression_from_proto
from antiphon.protocol.codec.failure import failure_from_proto
from antiphon.protocol.codec.field import (
    MalformedMessage,
    collections,
    each,
    enum,
    field,
    random_id,
    require,
)
from antiphon.protocol.codec.frontier import frontier_field, frontier_from_proto
from antiphon.protocol.frontier import Frontier
from antiphon.protocol.ids import (
    RANDOM_ID_BYTES,
    CollectionId,
    PeekId,
    Position,
    SessionId,
)
from antiphon.protocol.limits import STATE_BYTES_MAX
from antiphon.protocol.response import (
    ArrangementState,
    CopyToDropped,
    CopyToResponse,
    CopyToRows,
    Draining,
    Dropped,
    Failure,
    Frontiers,
    HydrationProgress,
    PeekCanceled,
    PeekResponse,
    PeekRows,
    PeekStashed,
    RebuildCompleted,
    RebuildProgress,
    RebuildResult,
    Response,
    Status,
    SubscribeBatch,
    SubscribeDropped,
    SubscribeResponse,
)
from antiphon.protocol.stage import Stage
from antiphon.v1 import response_pb2 as pb
from antiphon.v1 import types_pb2


def _collection(message: Any) -> CollectionId:
    require(message.collection != 0, "collection", "missing")
    return CollectionId(message.collection)


def _optional(present: bool, message: types_pb2.Frontier) -> Frontier | None:
    return frontier_from_proto(message) if present else None


def _frontiers(message: pb.Frontiers) -> Frontiers:
    has = message.HasField
    return Frontiers(
        collection=_collection(message),
        write_frontier=_optional(has("write_frontier"), message.write_frontier),
        input_frontier=_optional(has("input_frontier"), message.input_frontier),
        output_frontier=_optional(has("output_frontier"), message.output_frontier),
        others=collections("others", message.others),
    )


def peek_rows(message: pb.Response) -> PeekResponse | None:
    """The rows of a peek that the message certainly holds; None: look what it holds. Most of all
    responses are this one."""
    peek = message.peek  # all its fields are empty where it is another response
    peek_id = peek.peek_id
    if len(peek_id) == RANDOM_ID_BYTES and peek.HasField("rows"):
        return PeekResponse(peek_id=PeekId(peek_id), result=_rows(peek.rows))
    return None


def _rows(message: pb.PeekRows) -> PeekRows:
    batches = message.batches
    return PeekRows(batches=tuple(batches) if batches else (), row_count=message.row_count)


def _peek(message: pb.PeekResponse) -> PeekResponse:
    return PeekResponse(
        peek_id=random_id("peek_id", PeekId, message.peek_id), result=_peek_result(message)
    )


def _peek_result(
    message: pb.PeekResponse,
) -> PeekRows | PeekStashed | PeekCanceled | Failure:
    match message.WhichOneof("result"):
        case "rows":
            return _rows(message.rows)
        case "stashed":
            stashed = message.stashed
            return PeekStashed(row_count=stashed.row_count, byte_count=stashed.byte_count)
        case "error":
            return field("error", failure_from_proto, message.error)
        case "canceled":
            return PeekCanceled()
        case _:
            raise MalformedMessage("missing", "result")


def _subscribe(message: pb.SubscribeResponse) -> SubscribeResponse:
    collection = _collection(message)
    match message.WhichOneof("result"):
        case "batch":
            batch = field("batch", _subscribe_batch, message.batch)
            return SubscribeResponse(collection=collection, result=batch)
        case "dropped_at":
            dropped = SubscribeDropped(at=frontier_from_proto(message.dropped_at))
            return SubscribeResponse(collection=collection, result=dropped)
        case _:
            raise MalformedMessage("missing", "result")


def _subscribe_batch(message: pb.SubscribeBatch) -> SubscribeBatch:
    lower = frontier_field("lower", message.HasField("lower"), message.lower)
    upper = frontier_field("upper", message.HasField("upper"), message.upper)
    require(lower.less_than(upper), "upper", f"{upper} is not after {lower}")
    failed = message.HasField("error")
    return SubscribeBatch(
        lower=lower,
        upper=upper,
        batches=tuple(message.batches),
        failure=field("error", failure_from_proto, message.error) if failed else None,
    )


def _copy_to(message: pb.CopyToResponse) -> CopyToResponse:
    return CopyToResponse(collection=_collection(message), result=_copy_to_result(message))


def _copy_to_result(message: pb.CopyToResponse) -> CopyToRows | CopyToDropped | Failure:
    match message.WhichOneof("result"):
        case "row_count":
            return CopyToRows(row_count=message.row_count, path=message.path)
        case "dropped":
            return CopyToDropped()
        case "error":
            return field("error", failure_from_proto, message.error)
        case _:
            raise MalformedMessage("missing", "result")


def _dropped(message: pb.Dropped) -> Dropped:
    return Dropped(collection=_collection(message))


def _rebuild(message: pb.RebuildResult) -> RebuildResult:
    require(message.session_id != 0, "session_id", "missing")
    return RebuildResult(session_id=SessionId(message.session_id), result=_rebuild_result(message))


def _rebuild_result(message: pb.RebuildResult) -> RebuildCompleted | Failure:
    match message.WhichOneof("result"):
        case "completed":
            done = message.completed
            return RebuildCompleted(achieved_time=done.achieved_time, digest=done.digest)
        case "failed":
            return field("failed", failure_from_proto, message.failed)
        case _:
            raise MalformedMessage("missing", "result")


def _hydration(message: pb.HydrationProgress) -> HydrationProgress:
    return HydrationProgress(
        collection=_collection(message),
        rows_done=message.rows_done,
        rows_total=message.rows_total,
        rows_received=message.rows_received,
        elapsed_ms=message.elapsed_ms,
        peer_failed=message.peer_failed,
        peer_failure=message.peer_failure,
    )


def _rebuild_progress(message: pb.RebuildProgress) -> RebuildProgress:
    require(message.session_id != 0, "session_id", "missing")
    return RebuildProgress(
        session_id=SessionId(message.session_id),
        base_chunks=message.base_chunks,
        base_rows=message.base_rows,
        base_rows_total=message.base_rows_total,
        live_rows=message.live_rows,
        dataflows_filled=message.dataflows_filled,
        dataflows_total=message.dataflows_total,
        is_completed=message.completed,
    )


def _arrangement(message: pb.ArrangementState) -> ArrangementState:
    return ArrangementState(
        collection=_collection(message),
        key_columns=tuple(message.key_columns),
        column_count=message.column_count,
        row_count=message.row_count,
        byte_count=message.byte_count,
        reader_count=message.reader_count,
        selection=each("selection", expression_from_proto, message.selection),
    )


def _status(message: pb.Status) -> Status:
    return Status(
        stage=enum("stage", Stage, message.stage),
        applied_position=Position(message.applied_position),
        durable_position=Position(message.durable_position),
        hydration=each("hydration", _hydration, message.hydration),
        resident_bytes=message.resident_bytes,
        dataflow_count=message.dataflow_count,
        backlog_ticks=message.backlog_ticks,
        backlog_age_ms=message.backlog_age_ms,
        failed=tuple(CollectionId(collection) for collection in message.failed),
        rebuild=field("rebuild", _rebuild_progress, message.rebuild)
        if message.HasField("rebuild")
        else None,
        arrangements=each("arrangements", _arrangement, message.arrangements),
        state_bytes=message.state_bytes,
        state_bytes_max=message.state_bytes_max
        if message.HasField("state_bytes_max")
        else STATE_BYTES_MAX,
    )


def _draining(message: pb.Draining) -> Draining:
    return Draining(reason=message.reason)


RESPONSE_ARMS: Final[dict[str, Callable[[Any], Response]]] = {
    "frontiers": _frontiers,
    "peek": _peek,
    "subscribe": _subscribe,
    "copy_to": _copy_to,
    "dropped": _dropped,
    "rebuild": _rebuild,
    "status": _status,
    "draining": _draining,
}
