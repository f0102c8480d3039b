"""Where the content of a rebuild comes from, row by row, with its words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.controller.engine.base_source import (
    STORE,
    BaseCase,
    BaseChoice,
    FromPeers,
    Giver,
    choose_base,
)
from antiphon.protocol.ids import ReplicaId

R1, R2, R3 = ReplicaId("r1"), ReplicaId("r2"), ReplicaId("r3")
FIRST = FromPeers.FIRST


def givers(**counts: int) -> list[Giver]:
    return [Giver(replica=ReplicaId(name), input_count=count) for name, count in counts.items()]


BOTH = givers(r1=1, r2=1)


@pytest.mark.parametrize(
    ("case", "peer", "words"),
    [
        (
            BaseCase(input_count=3, givers=givers(r2=2, r1=1)),
            None,
            "base from the store because it has every input and spares the replicas that serve",
        ),
        (
            BaseCase(input_count=1, givers=givers(r1=1), failed={STORE: "it is slow"}),
            R1,
            "base from r1 because the store failed: it is slow",
        ),
        (
            BaseCase(input_count=1, givers=givers(r1=1), failed={STORE: "slow", R1: "gone"}),
            None,
            "base from the store because r1 failed: gone",
        ),
        (
            BaseCase(input_count=3, givers=givers(r2=2, r1=1), from_peers=FIRST),
            R2,
            "base from r2 because it is up to date and holds 2 of the 3 inputs",
        ),
        (
            BaseCase(input_count=3, givers=givers(r2=3, r1=3), from_peers=FIRST),
            R1,
            "base from r1 because it is up to date and holds all 3 inputs",
        ),
        (
            BaseCase(input_count=1, givers=givers(r1=1), from_peers=FIRST),
            R1,
            "base from r1 because it is up to date and holds the one input",
        ),
        (
            BaseCase(
                input_count=1, givers=givers(r1=1, r2=1), failed={R1: "gone"}, from_peers=FIRST
            ),
            R2,
            "base from r2 because r1 failed: gone",
        ),
        (
            BaseCase(input_count=1, givers=givers(r1=1), failed={R1: "gone"}, from_peers=FIRST),
            None,
            "base from the store because r1 failed: gone",
        ),
        (
            BaseCase(input_count=1, givers=givers(r1=0), from_peers=FIRST),
            None,
            "base from the store because no replica that is up to date holds what is read",
        ),
        (
            BaseCase(input_count=1, from_peers=FIRST),
            None,
            "base from the store because no other replica is up to date",
        ),
        (
            BaseCase(input_count=1, givers=givers(r1=1), from_peers=FromPeers.NEVER),
            None,
            "base from the store because rebuild_from_peers is 0",
        ),
        (
            BaseCase(
                input_count=1,
                givers=givers(r1=1),
                from_peers=FIRST,
                doubt="it is wrong",
            ),
            None,
            "base from the store because it is wrong",
        ),
    ],
)
def test_each_row_chooses_and_says_why(case: BaseCase, peer: ReplicaId | None, words: str) -> None:
    assert choose_base(case) == BaseChoice(peer=peer, reason=words)


@given(
    st.dictionaries(st.sampled_from((R1, R2, R3)), st.integers(0, 2)),
    st.dictionaries(st.sampled_from((STORE, R1, R2, R3)), st.just("gone")),
    st.sampled_from(FromPeers),
    st.sampled_from(("", "it is in doubt")),
)
def test_nobody_is_chosen_who_has_failed_holds_nothing_or_is_not_believed(
    counts: dict[ReplicaId, int], failed: dict[str, str], from_peers: FromPeers, doubt: str
) -> None:
    found = choose_base(
        BaseCase(
            input_count=2,
            givers=[Giver(replica=name, input_count=n) for name, n in counts.items()],
            failed=failed,
            from_peers=from_peers,
            doubt=doubt,
        )
    )
    assert found.reason
    if found.peer is not None:
        assert counts[found.peer] == max(n for r, n in counts.items() if r not in failed)
        assert counts[found.peer] > 0
        assert found.peer not in failed
        assert from_peers is FIRST or (from_peers is FromPeers.LAST and STORE in failed)
        assert not doubt
