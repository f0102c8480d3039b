"""What a replica says of itself."""

from __future__ import annotations

from antiphon.protocol.facts import DataflowFacts, ReplicaFacts, with_digests
from antiphon.protocol.frontier import START
from antiphon.protocol.ids import CollectionId, Incarnation, ReplicaId
from antiphon.protocol.version import SPOKEN


def test_digests_go_to_the_dataflows_whose_exports_they_are_of() -> None:
    facts = ReplicaFacts(
        replica=ReplicaId("r1"),
        incarnation=Incarnation(bytes(16)),
        versions=SPOKEN,
        dataflows=tuple(
            DataflowFacts(
                exports=tuple(map(CollectionId, exports)),
                fingerprint=b"",
                since=START,
                upper=START,
                hydrated=True,
            )
            for exports in ((4, 5), (6,))
        ),
    )
    told = with_digests(facts, {CollectionId(5): b"five", CollectionId(9): b"nine"})
    assert [dataflow.content_digest for dataflow in told.dataflows] == [b"five", b""]
    assert with_digests(facts, {}) == facts
