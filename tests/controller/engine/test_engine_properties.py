"""Laws of the sync engine over any order of any events."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from antiphon.controller.engine.engine import Stepped, expire, step, wake_at_ms
from antiphon.controller.engine.event import (
    AllowWrites,
    Assigned,
    BarrierConfirmed,
    Event,
    OpenSession,
    ReadinessObserved,
    Role,
    SessionCompleted,
    SessionFailed,
    SessionProgressed,
    SyncAcked,
)
from antiphon.controller.engine.projection import project
from antiphon.controller.engine.session import SessionRef, SessionState
from antiphon.controller.engine.view import EngineState
from antiphon.protocol.command import SyncDecision
from antiphon.protocol.facts import ReplicaFacts
from antiphon.protocol.ids import Epoch, InstanceId, Position, ReplicaId, SessionId
from tests.controller.engine.facts import (
    CLAIM,
    INSTANCE,
    OTHER_CLAIM,
    R1,
    R2,
    R3,
    acked,
    assigned,
    at,
    barrier,
    complete,
    digest,
    failure,
    incarnation,
    new,
    progress,
)

REPLICAS = st.sampled_from((R1, R2))
EPOCHS = st.integers(2, 5)
REFS = st.builds(
    SessionRef,
    session_id=st.integers(0, 6).map(SessionId),
    kind=st.sampled_from(SyncDecision),
    epoch=EPOCHS.map(Epoch),
    incarnation=st.integers(1, 2).map(incarnation),
)
FACTS = st.builds(
    lambda replica, position, process, fork, holds, is_new: (
        new(replica, process)
        if is_new
        else replace(
            at(position, replica, process=process, holds=(1,) if holds else ()),
            command_digest=digest(position, "fork" if fork else ""),
        )
    ),
    REPLICAS,
    st.integers(0, 12),
    st.integers(1, 2),
    st.sampled_from((False, False, True)),
    st.booleans(),
    st.sampled_from((False, False, True)),
)
FLAG = st.sampled_from((None, True, True, False))
# Request 0 and epoch 0 stand for the next and the current one.
ACKS = st.builds(
    lambda facts, request, over, epoch: replace(
        acked(facts, request, over=over),
        observation=replace(acked(facts).observation, epoch=Epoch(epoch)),
    ),
    FACTS,
    st.sampled_from((0, 0, 0, 1, 2, 5)),
    st.integers(1, 3),
    st.sampled_from((0, 0, 0, 3, 4)),
)
EVENTS: st.SearchStrategy[Event] = st.one_of(
    st.builds(
        assigned,
        st.just(R1),
        st.sampled_from((R2, R2, R1)),
        epoch=st.sampled_from((2, 3, 3, 3, 4)),
        role=st.sampled_from((Role.PRIMARY, Role.PRIMARY, Role.STANDBY, Role.FOLLOWER)),
        claim=st.sampled_from((CLAIM, CLAIM, OTHER_CLAIM)),
        address=st.sampled_from(("here", "here", "there")),
    ),
    st.builds(
        ReadinessObserved,
        instance_id=st.just(INSTANCE),
        role_applied=FLAG,
        history_open=FLAG,
        links_configured=FLAG,
        connected=st.lists(st.tuples(REPLICAS, st.booleans()), max_size=2).map(tuple),
    ),
    ACKS,
    ACKS,
    st.builds(progress, REFS, st.integers(0, 12), REPLICAS),
    st.builds(
        complete,
        REFS,
        st.integers(8, 11),
        REPLICAS,
        base_complete=st.sampled_from((True, True, False)),
        branch=st.sampled_from(("", "", "fork")),
    ),
    st.builds(failure, REFS, st.sampled_from(("transport_lost", "local_state_corrupt")), REPLICAS),
    st.builds(barrier, st.integers(0, 12), EPOCHS),
)
# The report that the executor of an active session makes next.
FOLLOWS = st.sampled_from(("progress", "complete", "complete", "transport_lost", "corrupt"))
RUNS = st.lists(st.one_of(EVENTS, FOLLOWS, FOLLOWS, FOLLOWS), min_size=10, max_size=30)


def concrete(state: EngineState, drawn: Event | str) -> Event | None:
    if isinstance(drawn, SyncAcked):
        return _current(state, drawn)
    if not isinstance(drawn, str):
        return drawn
    for view in state.views:
        if view.active is not None:
            ref, target = view.active.ref, view.active.target
            match drawn:
                case "progress":
                    return progress(ref, target, view.replica)
                case "complete":
                    return complete(ref, target, view.replica)
                case reason:
                    return failure(ref, reason, view.replica)
    return None


def _current(state: EngineState, ack: SyncAcked) -> SyncAcked:
    seen = ack.observation
    view = state.view(seen.facts.replica)
    following = 1 if view is None else view.request + 1
    return replace(
        ack,
        request=ack.request or following,
        observation=replace(seen, epoch=seen.epoch or state.epoch),
    )


def run(events: list[Event | str], first: Event | None = None) -> list[tuple[Event, Stepped]]:
    state = EngineState(instance_id=INSTANCE)
    trace: list[tuple[Event, Stepped]] = []
    start: list[Event | str] = [first or assigned(R1, R2)]
    for now_ms, drawn in enumerate(start + events):
        event = concrete(state, drawn)
        if event is not None:
            trace.append((event, step(state, event, now_ms)))
            state = trace[-1][1].state
    return trace


@given(RUNS)
def test_equal_events_give_equal_outcomes(events: list[Event | str]) -> None:
    """Sync 16: byte for byte, commands and states and words."""
    first, second = run(events), run(events)
    assert first == second
    assert repr(first) == repr(second)


@given(RUNS)
def test_the_projection_is_a_function_of_the_state(events: list[Event | str]) -> None:
    """Sync 18."""
    for _, stepped in run(events):
        assert stepped.projection == project(replace(stepped.state))
        assert str(stepped.projection)


@given(RUNS)
def test_what_is_rejected_changes_nothing(events: list[Event | str]) -> None:
    """Sync 15."""
    trace = run(events)
    before = EngineState(instance_id=INSTANCE)
    for _, stepped in trace:
        if stepped.rejection is not None:
            assert stepped.state is before
            assert (stepped.commands, stepped.decided) == ((), ())
        before = stepped.state


@given(RUNS, REFS)
def test_strangers_leave_every_state_as_it_is(events: list[Event | str], ref: SessionRef) -> None:
    """Sync 15: unknown replicas, unknown instances."""
    state = run(events)[-1][1].state
    unknown = replace(at(7), replica=R3)
    strangers: list[Event] = [
        acked(unknown, 99),
        progress(ref, 9, R3),
        complete(ref, 10, R3),
        failure(ref, "x", R3),
        ReadinessObserved(instance_id=INSTANCE, connected=((R3, True),)),
    ]
    elsewhere = [
        replace(event, instance_id=InstanceId(9))
        for event in (*strangers, barrier(), assigned(R1, epoch=9))
    ]
    for event in (*strangers, *elsewhere):
        stepped = step(state, event, 0)
        assert stepped.state == state
        assert stepped.commands == ()


@given(RUNS, st.lists(EVENTS, max_size=6))
def test_events_of_an_earlier_epoch_change_nothing(
    events: list[Event | str], late: list[Event]
) -> None:
    """Sync 14: in any interleaving."""
    state = run([*events, assigned(R1, R2, epoch=6)])[-1][1].state
    assert state.epoch == 6
    for event in late:
        stepped = step(state, event, 0)
        if not isinstance(event, ReadinessObserved):
            assert stepped.state == state, event


@given(RUNS)
def test_there_is_one_end_to_every_session(events: list[Event | str]) -> None:
    """Sync 20, 21: terminal states absorb, ids only grow, targets are frozen."""
    seen: dict[tuple[ReplicaId, SessionId], SessionState] = {}
    targets: dict[tuple[ReplicaId, SessionId], Position] = {}
    issued: dict[ReplicaId, SessionId] = {}
    for _, stepped in run(events):
        for command in stepped.commands:
            if isinstance(command, OpenSession):
                assert command.session_id > issued.get(command.replica, 0)
                issued[command.replica] = command.session_id
        for view in stepped.state.views:
            if view.session is None:
                continue
            key = (view.replica, view.session.ref.session_id)
            before = seen.get(key)
            if before in {SessionState.COMPLETED, SessionState.FAILED}:
                assert view.session.state is before
            seen[key] = view.session.state
            assert targets.setdefault(key, view.session.target) == view.session.target


@given(RUNS)
def test_nothing_moves_back_within_an_epoch(events: list[Event | str]) -> None:
    """Sync 17."""
    before: EngineState | None = None
    for _, stepped in run(events):
        state = stepped.state
        if before is not None:
            assert state.epoch >= before.epoch
            assert state.head >= before.head
            assert state.base >= before.base
            same = (state.epoch, state.role) == (before.epoch, before.role)
            for view in state.views:
                old = before.view(view.replica)
                if same and old is not None:
                    assert view.durable >= old.durable
                    assert view.request >= old.request
        before = state


@given(RUNS)
def test_writes_are_allowed_only_to_who_is_up_to_date(events: list[Event | str]) -> None:
    """Sync 36: and only by whom the epoch belongs to."""
    for _, stepped in run(events):
        for command in stepped.commands:
            if isinstance(command, AllowWrites):
                view = stepped.state.view(command.replica)
                assert view is not None
                assert view.is_synced
                assert stepped.state.role is Role.PRIMARY


@given(RUNS)
def test_a_session_comes_only_from_a_report(events: list[Event | str]) -> None:
    """Sync 13: timers and failures decide nothing."""
    for event, stepped in run(events):
        opened = [each for each in stepped.commands if isinstance(each, OpenSession)]
        if opened or stepped.decided:
            assert isinstance(event, SyncAcked)
            assert len(opened) <= 1
            assert len(stepped.decided) == 1


@given(RUNS)
def test_a_session_at_work_is_not_asked_for_again(events: list[Event | str]) -> None:
    """Sync 12: on the same connection, of the same process."""
    state = EngineState(instance_id=INSTANCE)
    for event, stepped in run(events):
        if isinstance(event, SyncAcked) and stepped.commands:
            before = state.view(event.observation.facts.replica)
            assert before is not None
            assert (
                before.active is None
                or before.connection_id != event.connection_id
                or before.active.ref.incarnation != event.observation.facts.incarnation
            )
        state = stepped.state


@given(RUNS)
def test_budgets_run_out_exactly_when_they_say(events: list[Event | str]) -> None:
    state = run(events)[-1][1].state
    deadline = wake_at_ms(state)
    if deadline is None:
        assert expire(state, 10**12).state == state
        return
    assert expire(state, deadline - 1).state == state
    over = expire(state, deadline)
    assert over.commands
    assert over.decided == ()
    assert [view.failures for view in over.state.views] == [view.failures for view in state.views]


@settings(max_examples=60)
@given(
    st.lists(FACTS, min_size=2, max_size=2, unique_by=lambda facts: facts.replica),
    st.permutations(range(6)),
)
def test_the_order_of_independent_facts_makes_no_difference(
    facts: list[ReplicaFacts], order: list[int]
) -> None:
    """Sync 19: readiness, links, the store's word, the answers of different replicas."""
    events: list[Event] = [
        ReadinessObserved(instance_id=INSTANCE, role_applied=True),
        ReadinessObserved(instance_id=INSTANCE, history_open=True, links_configured=True),
        ReadinessObserved(instance_id=INSTANCE, connected=((R1, True), (R2, True))),
        barrier(9),
        *(acked(each) for each in facts),
    ]
    ends = []
    for arrangement in (range(6), order):
        state = step(EngineState(instance_id=INSTANCE), assigned(R1, R2), 0).state
        decided = []
        for index in arrangement:
            stepped = step(state, events[index], 7)
            state = stepped.state
            decided += stepped.decided
        ends.append((state, project(state), sorted(decided, key=str)))
    assert ends[0] == ends[1]


def test_events_of_all_kinds_take_part() -> None:
    """The strategy above reaches what the laws are about."""
    kinds = (
        Assigned,
        ReadinessObserved,
        SyncAcked,
        SessionProgressed,
        SessionCompleted,
        SessionFailed,
        BarrierConfirmed,
    )
    found: set[type[Event]] = set()
    ended: set[SessionState] = set()

    @settings(max_examples=150, derandomize=True, database=None)
    @given(RUNS)
    def collect(events: list[Event | str]) -> None:
        for event, stepped in run(events):
            if stepped.rejection is None:
                found.add(type(event))
            ended.update(view.session.state for view in stepped.state.views if view.session)

    collect()
    assert found == set(kinds)
    assert ended == set(SessionState)
