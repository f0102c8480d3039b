"""The answer to a probe survives the wire."""

from __future__ import annotations

import pytest
from hypothesis import given

from antiphon.protocol.codec.facts import facts_from_proto, facts_to_proto
from antiphon.protocol.codec.field import MalformedMessage
from antiphon.protocol.facts import ReplicaFacts
from antiphon.v1 import compute_pb2 as pb
from tests.protocol import strategies
from tests.protocol.scripts import FRESH, SEASONED


@given(strategies.facts)
def test_all_facts_survive(facts: ReplicaFacts) -> None:
    data = facts_to_proto(facts).SerializeToString()
    assert facts_from_proto(pb.ReplicaStatus.FromString(data)) == facts


def test_a_replica_of_no_instance_says_so_by_silence() -> None:
    again = facts_from_proto(facts_to_proto(FRESH))
    assert again.instance_id is None
    assert again.history_id is None


@pytest.mark.parametrize(
    "path", ["replica", "incarnation", "versions", "stage", "collections[0].exports"]
)
def test_the_error_names_the_field(path: str) -> None:
    message = facts_to_proto(SEASONED)
    if path.startswith("collections"):
        message.collections[0].ClearField("exports")
    else:
        message.ClearField(path)  # type: ignore[arg-type]
    with pytest.raises(MalformedMessage) as caught:
        facts_from_proto(message)
    assert caught.value.path == path
