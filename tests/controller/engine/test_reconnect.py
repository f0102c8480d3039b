"""The table, row by row, and what it promises as a whole."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.controller.engine.decision import Refusal, Sync
from antiphon.controller.engine.observation import Observation
from antiphon.controller.engine.policy import Budget, Policy
from antiphon.controller.engine.reconnect import TABLE, Case, decide
from antiphon.protocol.command import SyncDecision
from antiphon.protocol.facts import ReplicaFacts
from antiphon.protocol.ids import Epoch, InstanceId, Position
from antiphon.protocol.version import SPOKEN, VersionRange
from tests.controller.engine.facts import THEIRS, at, dataflow, digest, new, observe, wanted

KEEP_UP, CATCH_UP = SyncDecision.KEEP_UP, SyncDecision.CATCH_UP
RECONCILE, REBUILD = SyncDecision.RECONCILE, SyncDecision.REBUILD
HOLDS = (dataflow(1), dataflow(2))


def holding(facts: ReplicaFacts) -> ReplicaFacts:
    return replace(facts, dataflows=HOLDS)


def foreign(facts: ReplicaFacts) -> ReplicaFacts:
    return replace(facts, history_id=THEIRS)


def forked(position: int) -> ReplicaFacts:
    return replace(at(position), command_digest=digest(position, "fork"))


def case(facts: ReplicaFacts, **more: Any) -> Case:
    """A case of the usual history; `failures` and `unproven` are of the case itself."""
    own = {
        name: more.pop(name)
        for name in ("failures", "unproven", "differed", "policy")
        if name in more
    }
    return Case(observation=observe(facts, **more), **own)


SHORT = Policy(
    budgets={**Policy().budgets, CATCH_UP: Budget(entries_max=3)},
)

# One line for each row: (row, a case in which it is the first that applies, decision, words).
ROWS: list[tuple[str, Case, SyncDecision | None, str]] = [
    (
        "instance_mismatch",
        case(replace(at(10), instance_id=InstanceId(8))),
        None,
        "refused because it belongs to instance 8, not to 7",
    ),
    (
        "epoch_fenced",
        case(replace(at(10), highest_epoch=Epoch(4))),
        None,
        "refused because it has seen epoch 4, and ours is 3",
    ),
    (
        "version_mismatch",
        case(replace(at(10), versions=VersionRange(min=98, max=99))),
        None,
        "refused because no common protocol version: we speak 1, the peer 98-99, at least 1",
    ),
    (
        "failed_often",
        case(at(7), failures=6),
        REBUILD,
        "rebuild because 6 sessions in a row have failed",
    ),
    (
        "content_differed",
        case(holding(at(10)), differed=True),
        REBUILD,
        "rebuild because its content was not that of the others",
    ),
    (
        "contradiction",
        case(holding(replace(at(5), durable_position=Position(6)))),
        RECONCILE,
        "reconcile because its durable position 6 is beyond 5",
    ),
    (
        "contradiction_empty",
        case(replace(at(5), history_id=None)),
        REBUILD,
        "rebuild because it is at position 5 of no history",
    ),
    (
        "nothing_yet",
        case(new(), head=0, base=0),
        KEEP_UP,
        "keep-up because it is new, and the history is empty",
    ),
    (
        "first_contact",
        case(holding(new())),
        RECONCILE,
        "reconcile because it names no history, though it holds 2 dataflows",
    ),
    (
        "first_contact_empty",
        case(new()),
        REBUILD,
        "rebuild because it is new: it has applied nothing yet",
    ),
    (
        "other_history",
        case(holding(foreign(at(10)))),
        RECONCILE,
        "reconcile because its history is 78787878, not 68686868",
    ),
    (
        "other_history_empty",
        case(foreign(at(10))),
        REBUILD,
        "rebuild because its history is 78787878, not 68686868",
    ),
    (
        "ahead",
        case(holding(at(11))),
        RECONCILE,
        "reconcile because it is at position 11, beyond the head 10: it diverged",
    ),
    (
        "ahead_empty",
        case(at(11)),
        REBUILD,
        "rebuild because it is at position 11, beyond the head 10: it diverged",
    ),
    (
        "digest_differs",
        case(holding(forked(10))),
        RECONCILE,
        "reconcile because its digest differs at position 10: it diverged",
    ),
    (
        "digest_differs_empty",
        case(forked(7)),
        REBUILD,
        "rebuild because its digest differs at position 7: it diverged",
    ),
    (
        "unproven",
        case(holding(at(10)), unproven=True),
        RECONCILE,
        "reconcile because its content was not proven before the session ended",
    ),
    (
        "unproven_empty",
        case(at(10), unproven=True),
        REBUILD,
        "rebuild because its content was not proven before the session ended",
    ),
    (
        "at_head",
        case(at(10)),
        KEEP_UP,
        "keep-up because it is at the head 10, with the same digest",
    ),
    (
        "suffix_failed_often",
        case(at(7), failures=3),
        RECONCILE,
        "reconcile because 3 sessions in a row have failed",
    ),
    (
        "too_far",
        case(at(6), policy=SHORT),
        RECONCILE,
        "reconcile because it is at position 6 of 10: it missed 4 commands, "
        "more than a catch-up may send",
    ),
    (
        "in_log",
        case(at(7)),
        CATCH_UP,
        "catch-up because it is at position 7 of 10: it missed 3 commands",
    ),
    (
        "reusable",
        case(at(3, holds=(1,))),
        RECONCILE,
        "reconcile because it is at position 3, and the log begins at 5: 1 of 2 dataflows can stay",
    ),
    (
        "nothing_reusable",
        case(at(3)),
        REBUILD,
        "rebuild because it is at position 3, and the log begins at 5, "
        "and nothing that it holds can stay",
    ),
]


@pytest.mark.parametrize(
    ("code", "given_case", "sync", "words"), ROWS, ids=[row[0] for row in ROWS]
)
def test_each_row_decides_its_case_and_says_why(
    code: str, given_case: Case, sync: SyncDecision | None, words: str
) -> None:
    """Sync 1, 3, 5."""
    decision = decide(given_case)
    assert decision.reason == words
    assert decision.code == code
    if sync is None:
        assert isinstance(decision, Refusal)
    else:
        assert isinstance(decision, Sync)
        assert decision.sync is sync
        assert decision.protocol_version == SPOKEN.max


def test_every_row_has_a_case() -> None:
    assert [row[0] for row in ROWS] == [row.code for row in TABLE]


@pytest.mark.parametrize(
    ("position", "base", "sync"),
    [
        (4, 4, CATCH_UP),  # pos + 1 == tail
        (3, 4, REBUILD),  # pos + 1 == tail - 1
        (0, 0, CATCH_UP),  # pos 0, tail 1
        (0, 1, REBUILD),  # pos 0, tail 2
        (9, 9, CATCH_UP),
        (10, 10, KEEP_UP),
        (0, 10, REBUILD),
    ],
)
def test_the_boundary_is_the_base(position: int, base: int, sync: SyncDecision) -> None:
    """Sync 4."""
    decision = decide(case(at(position), base=base))
    assert isinstance(decision, Sync)
    assert decision.sync is sync


def test_a_catch_up_is_exactly_what_was_missed() -> None:
    """Sync 3: the target is frozen, the start is where the replica is."""
    decision = decide(case(at(7)))
    assert isinstance(decision, Sync)
    assert (decision.start, decision.target) == (7, 10)
    full = decide(case(at(3)))
    assert isinstance(full, Sync)
    assert (full.start, full.target) == (0, 10)


@pytest.mark.parametrize(
    ("facts", "verified"),
    [
        (holding(at(11)), True),
        (holding(forked(7)), True),
        (holding(foreign(at(7))), True),
        (holding(at(3)), False),  # our own commands, only too old
        (at(11), False),  # it holds nothing that could be compared
    ],
)
def test_what_other_commands_made_counts_only_once_it_is_compared(
    facts: ReplicaFacts, verified: bool
) -> None:
    """Sync 27."""
    decision = decide(case(facts))
    assert isinstance(decision, Sync)
    assert decision.verify_content is verified


def test_what_is_missing_is_counted_in_words_of_number() -> None:
    assert decide(case(at(9))).reason.endswith("it missed 1 command")
    assert decide(case(at(3, holds=(1,)), full=(wanted(1),))).reason.endswith(
        "1 of 1 dataflow can stay"
    )


def test_past_failures_do_not_matter_once_nothing_is_to_be_done() -> None:
    for facts in (case(at(10), failures=99), case(new(), head=0, base=0, failures=99)):
        decision = decide(facts)
        assert isinstance(decision, Sync)
        assert decision.sync is KEEP_UP


def test_a_floor_of_the_history_counts_as_a_version_that_is_missing() -> None:
    seen = replace(observe(at(10)), version_floor=2)
    assert decide(Case(observation=seen)).code == "version_mismatch"


# The table as a whole.

FACTS = st.builds(
    lambda position, durable, ours, branch, epoch, holds, instance: replace(
        at(position),
        durable_position=Position(durable),
        history_id=ours,
        command_digest=digest(position, branch),
        highest_epoch=Epoch(epoch),
        dataflows=tuple(dataflow(export) for export in holds),
        instance_id=instance,
    ),
    st.integers(0, 14),
    st.integers(0, 3),
    st.sampled_from((None, THEIRS, at(0).history_id, at(0).history_id)),
    st.sampled_from(("", "", "fork")),
    st.integers(1, 4),
    st.lists(st.integers(1, 3), unique=True, max_size=3),
    st.sampled_from((None, InstanceId(7), InstanceId(8))),
)
CASES = st.builds(
    lambda facts, head, folded, failures, doubts: Case(
        observation=observe(facts, head=head, base=min(folded, head)),
        failures=failures,
        unproven=doubts == "unproven",
        differed=doubts == "differed",
    ),
    FACTS,
    st.integers(0, 12),
    st.integers(0, 12),
    st.integers(0, 7),
    st.sampled_from(("", "unproven", "differed")),
)


@given(CASES)
def test_a_suffix_is_sent_only_where_it_leads_to_the_head(found: Case) -> None:
    """Sync 5: over all cases, never over a fork, another history, or what was folded."""
    decision = decide(found)
    if not isinstance(decision, Sync) or decision.sync in {RECONCILE, REBUILD}:
        return
    seen: Observation = found.observation
    assert seen.has_suffix
    assert seen.digest_agrees
    assert seen.contradiction is None
    assert not (found.unproven or found.differed) or decision.code == "nothing_yet"
    assert seen.facts.history_id == seen.history_id or decision.code == "nothing_yet"
    assert (decision.sync is KEEP_UP) == (seen.position == seen.head)


@given(CASES)
def test_equal_cases_give_equal_decisions(found: Case) -> None:
    """Sync 16."""
    assert decide(found) == decide(replace(found))


@given(CASES)
def test_whoever_holds_nothing_is_never_asked_to_keep_it(found: Case) -> None:
    decision = decide(replace(found, failures=0))
    assert isinstance(decision, Refusal) or decision.sync is not RECONCILE or found.holds > 0
