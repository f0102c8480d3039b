"""The machine as a whole: any sequence of events keeps the invariants and the protocol."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from antiphon.controller.instance.event import (
    EVENTS,
    ReplicaRemoved,
    RequestCanceled,
    ShardAdvanced,
)
from antiphon.controller.ports import DoneReply, ErrorReply, RowsReply, SubscribeReply
from antiphon.protocol.dataflow import CollectionKind
from antiphon.protocol.frontier import Frontier
from antiphon.protocol.ids import CollectionId, ReplicaId
from antiphon.protocol.response import CopyToRows, Failure, PeekResponse
from tests.controller.instance.machine import Machine, T, U, index, view

NAMES = ("r1", "r2", "r3")


class AnyHistory(RuleBasedStateMachine):
    """Everything that may happen, in any order. `Machine.step` checks the invariants, and the
    sessions check every command and every response."""

    @initialize()
    def begin(self) -> None:
        self.machine = Machine()
        self.next_id = 10
        self.peeks: list[tuple[int, bytes]] = []
        self.subscribes: list[tuple[int, CollectionId]] = []
        self.copies: list[tuple[int, CollectionId]] = []

    def alive(self) -> list[CollectionId]:
        collections = self.machine.state.collections.values()
        return [c.id for c in collections if c.dropped_at is None]

    def connected(self) -> list[str]:
        return [replica.id for replica in self.machine.state.open_replicas()]

    @rule(name=st.sampled_from(NAMES))
    def connect(self, name: str) -> None:
        self.machine.connect(name)

    @precondition(lambda self: self.connected())
    @rule(data=st.data(), removes=st.booleans())
    def lose(self, data: st.DataObject, removes: bool) -> None:
        name = data.draw(st.sampled_from(self.connected()))
        if removes:
            self.machine.step(ReplicaRemoved(replica=ReplicaId(name)))
        else:
            self.machine.lose(name)

    @rule(data=st.data(), is_view=st.booleans())
    def create(self, data: st.DataObject, is_view: bool) -> None:
        on = data.draw(st.sampled_from(self.alive()))
        kind = self.machine.collection(on).kind
        made = view(self.next_id, on=on) if is_view else index(self.next_id, on=on, kind=kind)
        if is_view and kind is not CollectionKind.TABLE:
            made = index(self.next_id, on=on, kind=kind)
        self.next_id += 1
        self.machine.install(made)

    @precondition(lambda self: len(self.alive()) > 2)
    @rule(data=st.data())
    def drop(self, data: st.DataObject) -> None:
        doomed = [data.draw(st.sampled_from([c for c in self.alive() if c not in (T, U)]))]
        for collection in sorted(self.alive()):
            if set(self.machine.collection(collection).inputs) & set(doomed):
                doomed.append(collection)
        self.machine.install(drops=tuple(sorted(doomed, reverse=True)))

    @rule(moves=st.integers(1, 50))
    def write(self, moves: int) -> None:
        self.machine.tick(self.machine.state.timeline_upper + moves)

    @rule(passes_ms=st.sampled_from([1, 999, 1_000, 31_000, 61_000]))
    def pass_time(self, passes_ms: int) -> None:
        self.machine.now_ms += passes_ms
        self.machine.beat()

    @precondition(lambda self: self.connected())
    @rule(data=st.data())
    def report(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(self.connected()))
        installed = self.machine.state.replicas[ReplicaId(name)].installed
        for collection, found in list(installed.items()):
            upper = self.machine.state.timeline_upper
            reached = found.output_frontier.time or 0
            if found.scheduled and not found.dropping and upper > reached:
                self.machine.report(name, collection, data.draw(st.integers(reached, upper)))

    @precondition(lambda self: self.connected())
    @rule(data=st.data())
    def acknowledge_drops(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(self.connected()))
        installed = self.machine.state.replicas[ReplicaId(name)].installed
        for collection in [c for c, found in installed.items() if found.dropping]:
            self.machine.dropped(name, collection)

    @rule(data=st.data())
    def write_back(self, data: st.DataObject) -> None:
        for collection in list(self.machine.state.collections.values()):
            if collection.shard_upper is not None and collection.dropped_at is None:
                upper = self.machine.state.timeline_upper
                reached = collection.shard_upper.time or 0
                upper = data.draw(st.integers(min(reached, upper), upper))
                self.machine.step(ShardAdvanced(collection=collection.id, upper=Frontier(upper)))

    @rule(data=st.data())
    def peek(self, data: st.DataObject) -> None:
        imports = data.draw(st.lists(st.sampled_from(self.alive()), min_size=1, unique=True))
        request, peek_id = self.machine.peek(*imports)
        self.peeks.append((request, peek_id.value))

    @precondition(lambda self: self.connected() and self.machine.state.peeks)
    @rule(data=st.data(), fails=st.booleans())
    def answer(self, data: st.DataObject, fails: bool) -> None:
        name = data.draw(st.sampled_from(self.connected()))
        session = self.machine.session(name)
        for peek_id in list(self.machine.state.peeks):
            if not session.is_waiting(peek_id):
                continue
            if fails:
                failure = Failure(code="internal", message="a bug")
                self.machine.respond(name, PeekResponse(peek_id=peek_id, result=failure))
            else:
                self.machine.answer(name, peek_id)

    @rule(data=st.data())
    def subscribe(self, data: st.DataObject) -> None:
        on = data.draw(st.sampled_from([T, U]))
        self.subscribes.append(self.machine.subscribe(on))

    @rule(data=st.data())
    def copy(self, data: st.DataObject) -> None:
        self.copies.append(self.machine.copy(data.draw(st.sampled_from([T, U]))))

    @precondition(lambda self: self.machine.state.copies)
    @rule(data=st.data())
    def copied(self, data: st.DataObject) -> None:
        copy = data.draw(st.sampled_from(list(self.machine.state.copies.values())))
        if copy.asked is not None:
            code = data.draw(st.sampled_from(["internal", "data_error"]))
            failure = Failure(code=code, message="no")
            result = data.draw(st.sampled_from([CopyToRows(row_count=1), failure]))
            self.machine.copied(copy.asked, copy.collection, result)

    @precondition(lambda self: self.subscribes or self.peeks or self.copies)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        requests = [request for request, _ in (*self.subscribes, *self.peeks, *self.copies)]
        self.machine.step(RequestCanceled(request=data.draw(st.sampled_from(requests))))

    def teardown(self) -> None:
        machine = getattr(self, "machine", None)
        if machine is None:
            return
        for request, _ in self.peeks:
            replies = machine.replies.get(request, [])
            assert len(replies) <= 1, "a peek has one answer"
            assert all(isinstance(reply, RowsReply | ErrorReply) for reply in replies)
        for request, _ in self.copies:
            replies = machine.replies.get(request, [])
            assert len(replies) <= 1, "a copy has one answer"
            assert all(isinstance(reply, DoneReply | ErrorReply) for reply in replies)
        for request, _ in self.subscribes:
            replies = machine.replies.get(request, [])
            assert all(isinstance(reply, SubscribeReply) for reply in replies[:-1])


TestAnyHistory = AnyHistory.TestCase
TestAnyHistory.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


def test_equal_events_give_equal_outputs() -> None:
    def run() -> list[object]:
        machine = Machine()
        outputs: list[object] = []
        for name in NAMES:
            machine.install(index(machine.request() + 50))
            outputs.append(machine.connect(name))
            machine.peek(T)
            machine.subscribe()
            machine.tick(machine.state.timeline_upper + 100)
            outputs.append(machine.beat())
        return outputs

    assert run() == run()


def test_the_set_of_events_is_closed() -> None:
    assert len(set(EVENTS)) == len(EVENTS) == 25
