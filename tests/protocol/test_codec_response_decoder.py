"""A malformed response is refused whole, and the error names the field."""

from __future__ import annotations

import pytest
from hypothesis import given

from antiphon.protocol.codec.field import MalformedMessage
from antiphon.protocol.codec.response import (
    response_from_proto,
    response_to_proto,
    responses_from_batch,
)
from antiphon.protocol.response import Response
from antiphon.v1 import response_pb2 as pb
from antiphon.v1 import types_pb2
from tests.protocol import strategies

ONE = types_pb2.Frontier(time=1)
ID = b"p" * 16


@pytest.mark.parametrize(
    ("message", "path"),
    [
        (pb.Response(), "kind"),
        (pb.Response(frontiers=pb.Frontiers()), "frontiers.collection"),
        (
            pb.Response(frontiers=pb.Frontiers(collection=1, others=[2, 0])),
            "frontiers.others[1]",
        ),
        (pb.Response(peek=pb.PeekResponse(peek_id=ID)), "peek.result"),
        (pb.Response(peek=pb.PeekResponse(canceled=pb.PeekCanceled())), "peek.peek_id"),
        (
            pb.Response(peek=pb.PeekResponse(peek_id=ID, error=types_pb2.Error())),
            "peek.error.code",
        ),
        (pb.Response(subscribe=pb.SubscribeResponse(collection=1)), "subscribe.result"),
        (
            pb.Response(
                subscribe=pb.SubscribeResponse(collection=1, batch=pb.SubscribeBatch(upper=ONE))
            ),
            "subscribe.batch.lower",
        ),
        (
            pb.Response(
                subscribe=pb.SubscribeResponse(
                    collection=1, batch=pb.SubscribeBatch(lower=ONE, upper=ONE)
                )
            ),
            "subscribe.batch.upper",
        ),
        (pb.Response(copy_to=pb.CopyToResponse(collection=1)), "copy_to.result"),
        (pb.Response(rebuild=pb.RebuildResult(session_id=1)), "rebuild.result"),
        (pb.Response(rebuild=pb.RebuildResult()), "rebuild.session_id"),
        (pb.Response(status=pb.Status()), "status.stage"),
        (
            pb.Response(status=pb.Status(stage=pb.STAGE_READ_ONLY, hydration=[{}])),
            "status.hydration[0].collection",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_error_names_the_field(message: pb.Response, path: str) -> None:
    with pytest.raises(MalformedMessage) as caught:
        response_from_proto(message)
    assert caught.value.path == path
    with pytest.raises(MalformedMessage) as found:
        responses_from_batch(pb.ResponseBatch(connection_id=bytes(16), responses=[message]))
    assert found.value.path == f"responses[0].{path}"


@given(strategies.responses)
def test_an_unknown_field_of_a_newer_peer_is_no_offence(response: Response) -> None:
    data = response_to_proto(response).SerializeToString() + b"\x9a\x3f\x00"
    assert response_from_proto(pb.Response.FromString(data)) == response
