"""Responses. A batch names the connection that its responses answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final, assert_never

from antiphon.protocol.codec.failure import failure_to_proto
from antiphon.protocol.codec.field import MalformedMessage, each, field, random_id, require
from antiphon.protocol.codec.frontier import frontier_to_proto
from antiphon.protocol.codec.response_decoder import RESPONSE_ARMS
from antiphon.protocol.frontier import Frontier
from antiphon.protocol.ids import ConnectionId
from antiphon.protocol.response import (
    RESPONSES,
    CopyToDropped,
    CopyToResponse,
    CopyToRows,
    Draining,
    Dropped,
    Failure,
    Frontiers,
    PeekCanceled,
    PeekResponse,
    PeekRows,
    PeekStashed,
    RebuildCompleted,
    RebuildResult,
    Response,
    Status,
    SubscribeBatch,
    SubscribeDropped,
    SubscribeResponse,
)
from antiphon.v1 import response_pb2 as pb
from antiphon.v1 import types_pb2


def response_to_proto(response: Response) -> pb.Response:
    message = pb.Response()
    arm, encode = _ENCODERS[type(response)]
    getattr(message, arm).CopyFrom(encode(response))
    return message


def response_from_proto(message: pb.Response) -> Response:
    arm = message.WhichOneof("kind")
    if arm is None:
        raise MalformedMessage("no response, or one that this version does not know", "kind")
    return field(arm, RESPONSE_ARMS[arm], getattr(message, arm))


def responses_to_batch(
    connection_id: ConnectionId, responses: Iterable[Response]
) -> pb.ResponseBatch:
    return pb.ResponseBatch(
        connection_id=connection_id.value,
        responses=[response_to_proto(response) for response in responses],
    )


def responses_from_batch(message: pb.ResponseBatch) -> tuple[ConnectionId, tuple[Response, ...]]:
    """At least one response, and the connection they answer."""
    require(len(message.responses) > 0, "responses", "none")
    return (
        random_id("connection_id", ConnectionId, message.connection_id),
        each("responses", response_from_proto, message.responses),
    )


def _optional(frontier: Frontier | None) -> types_pb2.Frontier | None:
    return None if frontier is None else frontier_to_proto(frontier)


def _frontiers(response: Frontiers) -> pb.Frontiers:
    return pb.Frontiers(
        collection=response.collection,
        write_frontier=_optional(response.write_frontier),
        input_frontier=_optional(response.input_frontier),
        output_frontier=_optional(response.output_frontier),
    )


def _peek(response: PeekResponse) -> pb.PeekResponse:
    message = pb.PeekResponse(peek_id=response.peek_id.value)
    match response.result:
        case PeekRows(batches=batches, row_count=count):
            message.rows.CopyFrom(pb.PeekRows(batches=batches, row_count=count))
        case PeekStashed(row_count=count, byte_count=size):
            message.stashed.CopyFrom(pb.PeekStashed(row_count=count, byte_count=size))
        case Failure():
            message.error.CopyFrom(failure_to_proto(response.result))
        case PeekCanceled():
            message.canceled.SetInParent()
        case _:
            assert_never(response.result)
    return message


def _subscribe(response: SubscribeResponse) -> pb.SubscribeResponse:
    message = pb.SubscribeResponse(collection=response.collection)
    match response.result:
        case SubscribeBatch(lower=lower, upper=upper, batches=batches, failure=failure):
            message.batch.CopyFrom(
                pb.SubscribeBatch(
                    lower=frontier_to_proto(lower),
                    upper=frontier_to_proto(upper),
                    batches=batches,
                    error=None if failure is None else failure_to_proto(failure),
                )
            )
        case SubscribeDropped(at=at):
            message.dropped_at.CopyFrom(frontier_to_proto(at))
        case _:
            assert_never(response.result)
    return message


def _copy_to(response: CopyToResponse) -> pb.CopyToResponse:
    message = pb.CopyToResponse(collection=response.collection)
    match response.result:
        case CopyToRows(row_count=count):
            message.row_count = count
        case CopyToDropped():
            message.dropped.SetInParent()
        case Failure():
            message.error.CopyFrom(failure_to_proto(response.result))
        case _:
            assert_never(response.result)
    return message


def _dropped(response: Dropped) -> pb.Dropped:
    return pb.Dropped(collection=response.collection)


def _rebuild(response: RebuildResult) -> pb.RebuildResult:
    message = pb.RebuildResult(session_id=response.session_id)
    match response.result:
        case RebuildCompleted(achieved_time=time, digest=digest):
            message.completed.CopyFrom(pb.RebuildCompleted(achieved_time=time, digest=digest))
        case Failure():
            message.failed.CopyFrom(failure_to_proto(response.result))
        case _:
            assert_never(response.result)
    return message


def _status(response: Status) -> pb.Status:
    return pb.Status(
        stage=pb.Stage.ValueType(response.stage),
        applied_position=response.applied_position,
        durable_position=response.durable_position,
        hydration=[
            pb.HydrationProgress(
                collection=item.collection, rows_done=item.rows_done, rows_total=item.rows_total
            )
            for item in response.hydration
        ],
        resident_bytes=response.resident_bytes,
        dataflow_count=response.dataflow_count,
        backlog_ticks=response.backlog_ticks,
        backlog_age_ms=response.backlog_age_ms,
    )


def _draining(response: Draining) -> pb.Draining:
    return pb.Draining(reason=response.reason)


_ENCODERS: Final[dict[type[Response], tuple[str, Callable[[Any], Any]]]] = {
    Frontiers: ("frontiers", _frontiers),
    PeekResponse: ("peek", _peek),
    SubscribeResponse: ("subscribe", _subscribe),
    CopyToResponse: ("copy_to", _copy_to),
    Dropped: ("dropped", _dropped),
    RebuildResult: ("rebuild", _rebuild),
    Status: ("status", _status),
    Draining: ("draining", _draining),
}
assert set(_ENCODERS) == set(RESPONSES), "every response has an encoder"
assert {arm for arm, _ in _ENCODERS.values()} == set(RESPONSE_ARMS), "and each a decoder"
