"""Folding changes nothing that can be seen; and why a suffix of edited commands would."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.history.folding import Folded, SuffixUnsound, fold, full_set, suffix
from antiphon.history.journal import Record
from antiphon.history.reduction import reduce
from antiphon.protocol.command import CancelPeek, Command, is_numbered
from antiphon.protocol.frontier import Frontier
from antiphon.protocol.ids import CollectionId, PeekId, Position
from tests.history.histories import (
    allow,
    configure,
    create,
    drop,
    histories,
    numbered,
    record,
)
from tests.history.naive_replica import Confused, NaiveReplica


def history(records: tuple[Record, ...]) -> Folded:
    found = Folded()
    for each in records:
        found = found.appended(each)
    return found


def folded(records: tuple[Record, ...], to: int) -> Folded:
    return fold(history(records), Position(to))


def naive_suffix(records: tuple[Record, ...], position: int) -> list[Record]:
    """What a history that is reduced in place would send: what is left of later commands."""
    return [each for each in reduce(records, {}) if each.position > position]


def replica_at(records: tuple[Record, ...], position: int) -> NaiveReplica:
    replica = NaiveReplica()
    for each in records[:position]:
        replica.obey(each)
    return replica


# Laws.


@given(histories(), st.data())
def test_folding_leaves_the_full_set_as_it_was(
    records: tuple[Record, ...], data: st.DataObject
) -> None:
    compaction = {
        CollectionId(10 * position): Frontier(data.draw(st.integers(1, 60)))
        for position in range(1, len(records) + 1)
        if data.draw(st.booleans())
    }
    found = history(records)
    wanted = full_set(found, compaction)
    while found.log:
        found = fold(found, Position(data.draw(st.integers(found.position + 1, found.head))))
        assert full_set(found, compaction) == wanted


@given(histories(), st.integers(0, 14), st.integers(0, 14))
def test_folding_in_two_steps_is_folding_in_one(
    records: tuple[Record, ...], first: int, second: int
) -> None:
    """Sync 10: reducing what was reduced changes nothing."""
    low, high = sorted(min(each, len(records)) for each in (first, second))
    found = history(records)
    assert fold(fold(found, Position(low)), Position(high)) == fold(found, Position(high))
    assert fold(found, found.position) == found


@given(histories(), st.data())
def test_a_suffix_leads_to_the_head_from_everywhere_in_the_log(
    records: tuple[Record, ...], data: st.DataObject
) -> None:
    base = data.draw(st.integers(0, len(records)))
    found = folded(records, base)
    for position in range(base, len(records) + 1):
        replica = replica_at(records, position)
        for each in suffix(found, Position(position)):
            replica.obey(each)
        assert replica == replica_at(records, len(records))
        assert replica.position == len(records)


@given(histories(), st.data())
def test_a_fresh_replica_replays_the_base_as_it_would_the_commands(
    records: tuple[Record, ...], data: st.DataObject
) -> None:
    """Sync 10: from the reduced set as from everything."""
    found = folded(records, data.draw(st.integers(0, len(records))))
    replica = NaiveReplica()
    for each in full_set(found, {}):
        replica.obey(each)
    assert replica == replica_at(records, len(records))


@pytest.mark.parametrize("position", [0, 1, 4])
def test_there_is_no_suffix_outside_of_the_log(position: int) -> None:
    """Sync 4."""
    found = folded(numbered(create(5), create(6), drop(5)), 2)
    with pytest.raises(SuffixUnsound, match=f"no suffix after {position}: the log reaches from 2"):
        suffix(found, Position(position))
    assert [each.position for each in suffix(found, Position(2))] == [3]
    assert suffix(found, Position(3)) == ()


def test_positions_have_no_gap() -> None:
    with pytest.raises(AssertionError):
        Folded().appended(record(2, create(5)))


# Counter-examples: each kind of edit, and what a naive suffix leaves behind.


@pytest.mark.parametrize(
    ("commands", "position"),
    [
        # A creation and its drop go together; who stands between keeps it for ever.
        ((create(6), create(7), create(5), create(8), create(9), configure(a="1"), drop(5)), 5),
        # What readers let go of moves into the creation; who stands between never hears of it.
        (
            (create(6), create(7), create(8), create(5), create(9), drop(9), drop(8), allow(5, 30)),
            7,
        ),
        # Settings merge at the place of the first; who stands behind it keeps the old value.
        ((create(6), configure(k="1"), create(7), create(8), configure(k="2")), 4),
    ],
)
def test_a_suffix_of_a_reduced_history_is_wrong_and_the_rule_refuses_it(
    commands: tuple[Command, ...], position: int
) -> None:
    """Sync 6, 7."""
    records = numbered(*commands)
    never_left = replica_at(records, len(records))
    replica = replica_at(records, position)
    for each in naive_suffix(records, position):
        replica.obey(each)
    assert replica != never_left

    for base in range(len(records) + 1):
        found = folded(records, base)
        returned = replica_at(records, position)
        if base > position:
            with pytest.raises(SuffixUnsound):
                suffix(found, Position(position))
            returned.start_over(full_set(found, {}), found.head, never_left.digest)
        else:
            for each in suffix(found, Position(position)):
                returned.obey(each)
        assert returned == never_left


def test_a_canceled_peek_cannot_be_forgotten_by_a_reduction() -> None:
    """Peeks are no part of the history, so no edit of it can hide a cancellation."""
    assert not is_numbered(CancelPeek(peek_id=PeekId(b"p" * 16)))


def test_a_reused_id_would_collide_with_itself() -> None:
    """Why ids are never reused, and why a suffix over the edit is refused even if they were."""
    records = numbered(create(5), drop(5), create(5))
    replica = replica_at(records, 1)
    assert naive_suffix(records[:2], 1) == [], "what 1 created and 2 dropped left nothing"
    with pytest.raises(Confused):
        replica.obey(records[2])
    with pytest.raises(SuffixUnsound):
        suffix(folded(records[:2], 2), Position(1))
