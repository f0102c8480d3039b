"""Responses. A batch names the connection that its responses answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final, assert_never

from antiphon.protocol.codec.expression import expression_to_proto
from antiphon.protocol.codec.failure import failure_to_proto
from antiphon.protocol.codec.field import MalformedMessage, field, random_id, require
from antiphon.protocol.codec.frontier import frontier_to_proto
from antiphon.protocol.codec.response_decoder import RESPONSE_ARMS, peek_rows
from antiphon.protocol.frontier import Frontier
from antiphon.protocol.ids import ConnectionId
from antiphon.protocol.limits import STATE_BYTES_MAX
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
    _fill(message, response)
    return message


def response_from_proto(message: pb.Response) -> Response:
    arm = message.WhichOneof("kind")
    if arm is None:
        raise MalformedMessage("no response, or one that this version does not know", "kind")
    return field(arm, RESPONSE_ARMS[arm], getattr(message, arm))


def responses_to_batch(
    connection_id: ConnectionId, responses: Iterable[Response]
) -> pb.ResponseBatch:
    batch = pb.ResponseBatch(connection_id=connection_id.value)
    add = batch.responses.add
    for response in responses:
        if type(response) is PeekResponse:  # most of all
            _peek(add().peek, response)
        else:
            _fill(add(), response)
    return batch


def responses_from_batch(message: pb.ResponseBatch) -> tuple[ConnectionId, tuple[Response, ...]]:
    """At least one response, and the connection they answer."""
    require(len(message.responses) > 0, "responses", "none")
    connection_id = random_id("connection_id", ConnectionId, message.connection_id)
    responses: list[Response] = []
    try:
        for response in message.responses:
            responses.append(peek_rows(response) or response_from_proto(response))
    except MalformedMessage as error:
        raise error.inside(f"responses[{len(responses)}]") from None
    return connection_id, tuple(responses)


# Encoders fill a message where it stands. Passing one message to another copies it whole, which for
# the rows of an answer costs more than all the rest.


def _fill(message: pb.Response, response: Response) -> None:
    arm, fill = _ENCODERS[type(response)]
    target = getattr(message, arm)
    target.SetInParent()  # also where all fields have their default
    fill(target, response)


def _optional(target: types_pb2.Frontier, frontier: Frontier | None) -> None:
    if frontier is not None:
        target.CopyFrom(frontier_to_proto(frontier))


def _frontiers(message: pb.Frontiers, response: Frontiers) -> None:
    message.collection = response.collection
    _optional(message.write_frontier, response.write_frontier)
    _optional(message.input_frontier, response.input_frontier)
    _optional(message.output_frontier, response.output_frontier)
    message.others.extend(response.others)


def _peek(message: pb.PeekResponse, response: PeekResponse) -> None:
    message.peek_id = response.peek_id.value
    match response.result:
        case PeekRows(batches=batches, row_count=count):
            rows = message.rows
            rows.SetInParent()
            if batches:
                rows.batches.extend(batches)
            rows.row_count = count
        case PeekStashed(row_count=count, byte_count=size):
            message.stashed.CopyFrom(pb.PeekStashed(row_count=count, byte_count=size))
        case Failure():
            message.error.CopyFrom(failure_to_proto(response.result))
        case PeekCanceled():
            message.canceled.SetInParent()
        case _:
            assert_never(response.result)


def _subscribe(message: pb.SubscribeResponse, response: SubscribeResponse) -> None:
    message.collection = response.collection
    match response.result:
        case SubscribeBatch(lower=lower, upper=upper, batches=batches, failure=failure):
            message.batch.lower.CopyFrom(frontier_to_proto(lower))
            message.batch.upper.CopyFrom(frontier_to_proto(upper))
            message.batch.batches.extend(batches)
            if failure is not None:
                message.batch.error.CopyFrom(failure_to_proto(failure))
        case SubscribeDropped(at=at):
            message.dropped_at.CopyFrom(frontier_to_proto(at))
        case _:
            assert_never(response.result)


def _copy_to(message: pb.CopyToResponse, response: CopyToResponse) -> None:
    message.collection = response.collection
    match response.result:
        case CopyToRows(row_count=count, path=path):
            message.row_count = count
            message.path = path
        case CopyToDropped():
            message.dropped.SetInParent()
        case Failure():
            message.error.CopyFrom(failure_to_proto(response.result))
        case _:
            assert_never(response.result)


def _dropped(message: pb.Dropped, response: Dropped) -> None:
    message.collection = response.collection


def _rebuild(message: pb.RebuildResult, response: RebuildResult) -> None:
    message.session_id = response.session_id
    match response.result:
        case RebuildCompleted(achieved_time=time, digest=digest):
            message.completed.CopyFrom(pb.RebuildCompleted(achieved_time=time, digest=digest))
        case Failure():
            message.failed.CopyFrom(failure_to_proto(response.result))
        case _:
            assert_never(response.result)


def _status(message: pb.Status, response: Status) -> None:
    message.stage = pb.Stage.ValueType(response.stage)
    message.applied_position = response.applied_position
    message.durable_position = response.durable_position
    for item in response.hydration:
        message.hydration.add(
            collection=item.collection,
            rows_done=item.rows_done,
            rows_total=item.rows_total,
            rows_received=item.rows_received,
            elapsed_ms=item.elapsed_ms,
            peer_failed=item.peer_failed,
            peer_failure=item.peer_failure,
        )
    message.resident_bytes = response.resident_bytes
    message.dataflow_count = response.dataflow_count
    message.backlog_ticks = response.backlog_ticks
    message.backlog_age_ms = response.backlog_age_ms
    message.state_bytes = response.state_bytes
    if response.state_bytes_max < STATE_BYTES_MAX:
        message.state_bytes_max = response.state_bytes_max
    message.failed.extend(response.failed)
    for arrangement in response.arrangements:
        message.arrangements.add(
            collection=arrangement.collection,
            key_columns=arrangement.key_columns,
            column_count=arrangement.column_count,
            row_count=arrangement.row_count,
            byte_count=arrangement.byte_count,
            reader_count=arrangement.reader_count,
            selection=[expression_to_proto(part) for part in arrangement.selection],
        )
    if (rebuild := response.rebuild) is not None:
        message.rebuild.CopyFrom(
            pb.RebuildProgress(
                session_id=rebuild.session_id,
                base_chunks=rebuild.base_chunks,
                base_rows=rebuild.base_rows,
                base_rows_total=rebuild.base_rows_total,
                live_rows=rebuild.live_rows,
                dataflows_filled=rebuild.dataflows_filled,
                dataflows_total=rebuild.dataflows_total,
                completed=rebuild.is_completed,
            )
        )


def _draining(message: pb.Draining, response: Draining) -> None:
    message.reason = response.reason


_ENCODERS: Final[dict[type[Response], tuple[str, Callable[[Any, Any], None]]]] = {
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
