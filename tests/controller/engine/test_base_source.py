"""Where the content of a rebuild comes from, row by row, with its words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.controller.engine.base_source import BaseCase, BaseChoice, Giver, choose_base
from antiphon.protocol.ids import ReplicaId

R1, R2, R3 = ReplicaId("r1"), ReplicaId("r2"), ReplicaId("r3")


def givers(**counts: int) -> list[Giver]:
    return [Giver(replica=ReplicaId(name), input_count=count) for name, count in counts.items()]


@pytest.mark.parametrize(
    ("case", "peer", "words"),
    [
        (
            BaseCase(input_count=3, givers=givers(r2=2, r1=1)),
            R2,
            "base from r2 because it is up to date and holds 2 of the 3 inputs",
        ),
        (
            BaseCase(input_count=3, givers=givers(r2=3, r1=3)),
            R1,
            "base from r1 because it is up to date and holds all 3 inputs",
        ),
        (
            BaseCase(input_count=1, givers=givers(r1=1)),
            R1,
            "base from r1 because it is up to date and holds the one input",
        ),
        (
            BaseCase(input_count=1, givers=givers(r1=1, r2=1), failed={R1: "gone"}),
            R2,
            "base from r2 because r1 failed: gone",
        ),
        (
            BaseCase(input_count=1, givers=givers(r1=1, r2=1), failed={R1: "gone", R2: "slow"}),
            None,
            "base from the store because r2 failed: slow",
        ),
        (
            BaseCase(input_count=1, givers=givers(r1=0)),
            None,
            "base from the store because no replica that is up to date holds what is read",
        ),
        (
            BaseCase(input_count=1),
            None,
            "base from the store because no other replica is up to date",
        ),
        (
            BaseCase(input_count=1, givers=givers(r1=1), from_peers=False),
            None,
            "base from the store because rebuild_from_peers is 0",
        ),
        (
            BaseCase(input_count=1, givers=givers(r1=1), doubt="its content was not that of r1"),
            None,
            "base from the store because its content was not that of r1",
        ),
    ],
)
def test_each_row_chooses_and_says_why(case: BaseCase, peer: ReplicaId | None, words: str) -> None:
    assert choose_base(case) == BaseChoice(peer=peer, reason=words)


@given(
    st.dictionaries(st.sampled_from((R1, R2, R3)), st.integers(0, 2)),
    st.dictionaries(st.sampled_from((R1, R2, R3)), st.just("gone")),
    st.booleans(),
    st.sampled_from(("", "it is in doubt")),
)
def test_nobody_is_chosen_who_has_failed_holds_nothing_or_is_not_believed(
    counts: dict[ReplicaId, int], failed: dict[ReplicaId, str], from_peers: bool, doubt: str
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
        assert from_peers
        assert not doubt
