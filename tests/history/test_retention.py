"""How long the log is kept, and for whom."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from antiphon.history.retention import Bounds, Pin, PinState, RetentionState, restored
from antiphon.protocol.ids import Position, ReplicaId

R1, R2 = ReplicaId("r1"), ReplicaId("r2")
FREE = Bounds(slack_entries=0)


def log(count: int, bounds: Bounds = FREE, *, bytes_each: int = 1) -> RetentionState:
    """`count` commands at times 0, 1, 2, ..."""
    return restored(Position(0), [(bytes_each, time) for time in range(count)], bounds)


def at(position: int) -> Position:
    return Position(position)


@pytest.mark.parametrize(
    ("base", "head", "position", "sound"),
    [
        (0, 0, 0, True),  # nothing was ever said
        (0, 5, 0, True),  # pos 0, tail 1
        (1, 5, 0, False),  # pos 0, tail 2
        (3, 5, 3, True),  # pos + 1 == tail
        (3, 5, 2, False),  # pos + 1 == tail - 1
        (3, 5, 5, True),
        (3, 5, 6, False),  # ahead of the head
        (5, 5, 5, True),
        (5, 5, 4, False),
    ],
)
def test_a_suffix_is_sound_where_nothing_after_it_was_edited(
    base: int, head: int, position: int, sound: bool
) -> None:
    """Sync 4: the rule is pos + 1 >= tail, up to the head."""
    state = log(head)
    state.folded(at(base))
    assert state.suffix_sound(at(position)) is sound
    assert sound is (position + 1 >= state.tail and position <= state.head)


def test_no_fold_passes_a_pin() -> None:
    """Sync 11."""
    state = log(10)
    state.reserve(R1, at(4))
    state.reserve(R2, at(7))
    assert state.fold_limit() == 4
    with pytest.raises(AssertionError):
        state.folded(at(5))
    state.folded(at(4))
    state.release(R1)
    assert state.fold_limit() == 7
    state.release(R2)
    assert state.fold_limit() == 10


def test_some_commands_are_kept_for_nobody_in_particular() -> None:
    state = log(10, Bounds(slack_entries=3))
    assert state.fold_limit() == 7
    state.folded(at(7))
    assert state.suffix_sound(at(7))
    assert log(2, Bounds(slack_entries=3)).fold_limit() == 0


def test_a_pin_moves_forward_only() -> None:
    state = log(10)
    state.reserve(R1, at(4))
    assert state.advance(R1, at(3)) == Pin(owner=R1, position=at(4))
    assert state.advance(R1, at(6)) == Pin(owner=R1, position=at(6))
    assert state.advance(R1, at(11)) == Pin(owner=R1, position=at(6)), "beyond the head"
    assert state.advance(R2, at(6)) is None, "who has no pin gets none"


def test_a_new_start_reserves_a_new_pin() -> None:
    """A restarted replica is where its durable state is, which may be behind its old pin."""
    state = log(10)
    state.reserve(R1, at(8))
    state.folded(at(5))
    assert state.reserve(R1, at(6)) == Pin(owner=R1, position=at(6))
    assert state.fold_limit() == 6


@pytest.mark.parametrize("position", [2, 11])
def test_a_pin_that_cannot_be_served_is_lost_at_once(position: int) -> None:
    state = log(10)
    state.folded(at(3))
    pin = state.reserve(R1, at(position))
    assert state.state_of(pin) is PinState.LOST
    assert state.fold_limit() == 10, "it keeps nothing"
    assert state.lost_count == 0, "there was nothing to lose"


def test_what_is_pinned_before_the_start_is_chosen_is_there_afterwards() -> None:
    """Chosen first and pinned later, the start would be folded away in between."""
    careless, careful = log(10), log(10)
    start = at(4)
    assert careless.suffix_sound(start)
    careless.folded(careless.fold_limit())
    assert careless.state_of(careless.reserve(R1, start)) is PinState.LOST

    careful.reserve(R1, start)
    careful.folded(careful.fold_limit())
    assert careful.suffix_sound(start)


def test_a_pin_is_extended_once_the_log_is_longer_because_of_it() -> None:
    state = log(10, Bounds(slack_entries=4))
    assert state.state_of(state.reserve(R1, at(6))) is PinState.RESERVED
    assert state.state_of(state.reserve(R1, at(5))) is PinState.EXTENDED


@pytest.mark.parametrize(
    ("bounds", "now_ms", "lost"),
    [
        (Bounds(slack_entries=0, entries_max=6), 0, False),
        (Bounds(slack_entries=0, entries_max=5), 0, True),
        (Bounds(slack_entries=0, bytes_max=60), 0, False),
        (Bounds(slack_entries=0, bytes_max=59), 0, True),
        (Bounds(slack_entries=0, age_ms_max=20), 24, False),  # the oldest it keeps is from 4
        (Bounds(slack_entries=0, age_ms_max=20), 25, True),
        (Bounds(slack_entries=6, entries_max=0, bytes_max=0, age_ms_max=0), 99, False),
    ],
)
def test_a_pin_that_asks_for_too_much_is_lost(bounds: Bounds, now_ms: int, lost: bool) -> None:
    """Sync 11: by entries, bytes and age; and then it keeps nothing."""
    state = log(10, bounds, bytes_each=10)
    state.reserve(R1, at(4))
    state.reserve(R2, at(10))
    expected = (Pin(owner=R1, position=at(4), is_lost=True),) if lost else ()
    assert state.enforce(now_ms) == expected
    assert state.lost_count == len(expected)
    assert state.enforce(now_ms) == (), "once"
    if lost:
        assert state.advance(R1, at(9)) == expected[0], "a lost pin stays lost"
        state.folded(state.fold_limit())
        assert state.entry_count == 0, "memory falls"
        assert state.byte_count == 0


def test_a_lost_pin_may_be_reserved_anew() -> None:
    state = log(10, Bounds(slack_entries=0, entries_max=2))
    state.reserve(R1, at(4))
    state.enforce(0)
    assert state.reserve(R1, at(9)) == Pin(owner=R1, position=at(9))


def test_folding_waits_until_it_pays() -> None:
    """Sync 10: the log is never longer than the base by more than what is kept on purpose."""
    state = log(10, Bounds(slack_entries=2))
    assert state.fold_target(base_count=8) is None
    assert state.fold_target(base_count=7) == 8
    state.reserve(R1, at(0))
    assert state.fold_target(base_count=0) is None


def test_what_is_restored_knows_sizes_and_ages() -> None:
    state = restored(at(7), [(5, 100), (6, 200)])
    assert (state.base, state.tail, state.head) == (7, 8, 9)
    assert (state.entry_count, state.byte_count) == (2, 11)
    assert state.bounds == Bounds()
    state = restored(at(7), [(5, 100), (6, 200)], Bounds(slack_entries=0, age_ms_max=50))
    state.reserve(R1, at(7))
    state.reserve(R2, at(8))
    assert [pin.owner for pin in state.enforce(220)] == [R1]


@given(st.lists(st.integers(0, 9), max_size=12), st.data())
def test_sizes_are_those_of_the_log(sizes: list[int], data: st.DataObject) -> None:
    state = restored(at(0), [(size, 0) for size in sizes], FREE)
    state.folded(at(data.draw(st.integers(0, len(sizes)))))
    assert state.byte_count == sum(sizes[state.base :])
    assert state.entry_count == len(sizes) - state.base


class Retention(RuleBasedStateMachine):
    """Any life of a log and its pins."""

    BOUNDS = Bounds(slack_entries=2, entries_max=6, bytes_max=40, age_ms_max=30)

    def __init__(self) -> None:
        super().__init__()
        self.state = RetentionState(bounds=self.BOUNDS)
        self.now = 0
        self.live: dict[ReplicaId, Position] = {}

    @rule(size=st.integers(0, 12), passed=st.integers(0, 9))
    def append(self, size: int, passed: int) -> None:
        self.now += passed
        self.state.appended(byte_count=size, now_ms=self.now)

    @rule(owner=st.sampled_from((R1, R2)), position=st.integers(0, 30))
    def reserve(self, owner: ReplicaId, position: int) -> None:
        sound = self.state.suffix_sound(at(position))
        self.state.reserve(owner, at(position))
        self.live.pop(owner, None)
        if sound:
            self.live[owner] = at(position)

    @rule(owner=st.sampled_from((R1, R2)), position=st.integers(0, 30))
    def advance(self, owner: ReplicaId, position: int) -> None:
        self.state.advance(owner, at(position))
        if owner in self.live and position <= self.state.head:
            self.live[owner] = max(self.live[owner], at(position))

    @rule()
    def enforce(self) -> None:
        for pin in self.state.enforce(self.now):
            assert self.live.pop(pin.owner) == pin.position

    @rule()
    def fold(self) -> None:
        self.state.folded(self.state.fold_limit())

    @precondition(lambda self: self.state.base < self.state.fold_limit())
    @rule()
    def fold_one(self) -> None:
        self.state.folded(at(self.state.base + 1))

    @invariant()
    def every_live_pin_is_served(self) -> None:
        for owner, position in self.live.items():
            assert self.state.suffix_sound(position)
            assert self.state.pins[owner] == Pin(owner=owner, position=position)

    @invariant()
    def after_all_maintenance_the_log_is_bounded(self) -> None:
        # A dead replica keeps at most what one pin may; the rest is the slack.
        held = [self.state.head - position for position in self.live.values()]
        assert self.state.head - self.state.fold_limit() <= max([2, *held])


TestRetention = Retention.TestCase
