"""Named holds: durable before they count, kept over restarts, lost at their deadline."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from antiphon.controller.named_holds import HOLDS_MAX
from antiphon.controller.ports import ErrorReply, HoldReply, SubscribeReply
from antiphon.controller.request import HoldRequested
from antiphon.controller.sql.statement import Subscribe
from antiphon.controller.sql.statements.named import plan_collection_subscribe
from antiphon.protocol.dataflow import DataflowDescription, Export, SubscribeExport
from antiphon.protocol.errors import (
    CollectionMissing,
    ComputeError,
    HoldLost,
    HoldMissing,
    InvalidArgument,
    LimitExceeded,
    ReadConflict,
)
from antiphon.protocol.frontier import Frontier
from antiphon.protocol.ids import transient
from tests.controller.world import World

RETAIN_MS = 1_000
MINUTE_MS = 60_000


def start(*, view: bool = False) -> World:
    """With a view its table's since stands still, for no replica writes it."""
    world = World(retain_ms=RETAIN_MS, replica_gone_ms=0)  # nor is one waited for
    world.sql("CREATE TABLE t (k bigint)")
    if view:
        world.sql("CREATE MATERIALIZED VIEW m AS SELECT k FROM t WHERE k > 0")
    return world


def dataflow_of(world: World, name: str) -> DataflowDescription:
    planned = plan_collection_subscribe(name, world.driver.catalog.without_indexes())
    assert isinstance(planned, Subscribe)
    export = Export(collection=transient(1), kind=SubscribeExport())
    dataflow = planned.dataflow
    return DataflowDescription(
        name=dataflow.name, imports=dataflow.imports, plan=dataflow.plan, exports=(export,),
        as_of=dataflow.as_of, schema=dataflow.schema,
    )  # fmt: skip


def ask(world: World, name: str = "mine", **options: Any) -> int:
    request = world.request()
    world.handle(HoldRequested(request=request, name=name, **options))
    return request


def take(world: World, of: str = "t", name: str = "mine", **options: Any) -> int:
    return ask(world, name, target=of, dataflow=dataflow_of(world, of), **options)


def acknowledge(world: World, time: int, name: str = "mine") -> int:
    return ask(world, name, acknowledged=Frontier(time))


def error_of(world: World, request: int) -> ComputeError:
    reply = world.reply(request)
    assert isinstance(reply, ErrorReply), reply
    return reply.error


def write(world: World, times: int = 1) -> int:
    """Some ticks, a second apart; the timeline's upper then."""
    for _ in range(times):
        world.ports.now += 1_000
        world.append("t", [{"k": 1}])
        world.run()
        world.pass_time(0)
    return world.driver.timeline_upper


def since(world: World, name: str = "t") -> int:
    found = world.driver.kernel.instance.state.collections[world.id(name)].since.time
    assert found is not None
    return found


def test_it_counts_once_it_is_durable_and_keeps_its_time() -> None:
    world = start()
    upper = write(world)
    request = take(world)
    assert request not in world.ports.replies
    world.run()
    assert world.reply(request) == HoldReply(acknowledged=None)
    write(world, 20)
    assert since(world) == upper - 1
    world.run()
    seen = world.driver.timeline_upper - 5_000
    done = acknowledge(world, seen)
    write(world, 3)
    assert world.reply(done) == HoldReply(acknowledged=Frontier(seen))
    assert since(world) == seen - 1


@pytest.mark.parametrize("of", ["t", "m"])
def test_a_restart_changes_nothing_of_it(of: str) -> None:
    world = start(view=of == "m")
    take(world, of)
    seen = write(world)
    acknowledge(world, seen)
    world.run()
    write(world, 10)
    for _ in range(3):
        world = world.restart()
        world.pass_time(1_000)
        write(world, 5)
        assert since(world, of) <= seen - 1
        hold = world.driver.holds.find("mine", of)
        assert (hold.acknowledged, hold.lost) == (Frontier(seen), "")
        assert world.conflicts == ()


def test_a_crash_before_it_is_durable_leaves_nothing() -> None:
    world = start()
    take(world)
    again = world.restart()
    with pytest.raises(HoldMissing):
        again.driver.holds.find("mine")
    write(again, 5)
    assert since(again) > 0


def test_past_its_deadline_it_is_lost_and_says_so() -> None:
    world = start()
    take(world, deadline_ms=MINUTE_MS)
    world.run()
    world.pass_time(MINUTE_MS - 1)
    world.driver.holds.find("mine")
    world.pass_time(1)
    for _ in range(2):
        with pytest.raises(HoldLost, match="deadline passed"):
            world.driver.holds.find("mine")
        assert isinstance(error_of(world, acknowledge(world, 2)), HoldLost)
        assert isinstance(error_of(world, take(world)), HoldLost)
        before = since(world)
        write(world, 5)
        assert since(world) > before
        world = world.restart()
    request = ask(world, release=True)
    world.run()
    assert isinstance(world.reply(request), HoldReply)
    again = take(world)
    world.run()
    assert world.reply(again) == HoldReply(acknowledged=None)


def test_every_word_and_a_running_subscribe_put_the_deadline_off() -> None:
    world = start()
    take(world, deadline_ms=MINUTE_MS)
    world.run()
    for _ in range(3):
        world.pass_time(MINUTE_MS - 1)
        ask(world)
        world.run()
    world.connect("r1")  # without any, a subscribe waits for one only so long
    statement = plan_collection_subscribe("t", world.driver.catalog)
    assert isinstance(statement, Subscribe)
    world.begin(statement, hold="mine")
    for _ in range(5):
        world.pass_time(MINUTE_MS // 2)
    world.driver.holds.find("mine")


def test_a_subscribe_goes_on_exactly_where_it_was_acknowledged() -> None:
    world = start()
    take(world)
    seen = write(world)
    acknowledge(world, seen)
    upper = write(world, 10)
    again = world.restart()
    hold = again.driver.holds.find("mine")
    statement = Subscribe(
        dataflow=hold.dataflow, with_snapshot=True, imports=hold.imports, sources=hold.imports
    )
    request = again.begin(statement, hold="mine", resume_from=hold.acknowledged)
    assert request not in again.ports.replies, "it waits for a replica, and is not refused"
    (subscribe,) = again.driver.kernel.instance.state.subscribes.values()
    assert subscribe.dataflow.as_of == Frontier(seen - 1)
    assert subscribe.frontier == Frontier(seen)
    assert upper > seen + RETAIN_MS
    assert not any(isinstance(r, SubscribeReply) for r in again.ports.replies.get(request, []))


def test_what_it_reads_may_be_dropped_and_then_it_is_lost() -> None:
    world = start(view=True)
    take(world)
    take(world, "m", "other")
    world.run()
    world.sql("DROP MATERIALIZED VIEW m")
    world.pass_time(0)
    world.driver.holds.find("mine")
    with pytest.raises(HoldLost, match="dropped"):
        world.driver.holds.find("other")


def test_what_makes_no_sense_is_refused() -> None:
    world = start(view=True)
    assert isinstance(error_of(world, ask(world)), HoldMissing)
    assert isinstance(error_of(world, ask(world, release=True)), HoldMissing)
    assert isinstance(error_of(world, take(world, deadline_ms=1 << 50)), InvalidArgument)
    assert isinstance(error_of(world, take(world, name="")), InvalidArgument)
    dataflow = dataflow_of(world, "t")
    take(world)
    assert isinstance(error_of(world, take(world)), ReadConflict)
    world.run()
    assert isinstance(error_of(world, take(world, "m")), InvalidArgument)
    upper = world.driver.timeline_upper
    assert isinstance(error_of(world, acknowledge(world, upper + 1)), InvalidArgument)
    assert isinstance(error_of(world, acknowledge(world, 0)), InvalidArgument)
    world.sql("DROP TABLE t CASCADE")
    missing = ask(world, "late", target="t", dataflow=dataflow)
    assert isinstance(error_of(world, missing), CollectionMissing)


def test_there_is_an_end_to_them() -> None:
    world = start()
    for number in range(HOLDS_MAX):
        take(world, name=str(number))
    assert isinstance(error_of(world, take(world, name="more")), LimitExceeded)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 12), st.sampled_from(["queue", "run", "one"])), max_size=12)
)
def test_whatever_is_under_way_no_word_is_taken_back(words: list[tuple[int, str]]) -> None:
    """Acknowledgements that cross each other on their way to the store, and a crash at the end.
    After each, the store does nothing (q), one thing (o) or all (r)."""
    world = start()
    take(world)
    write(world, 12)
    first = world.driver.timeline_upper - 12
    confirmed: list[int] = []
    asked: dict[int, int] = {}
    for word, then in words:
        asked[acknowledge(world, first + word)] = first + word
        if then == "r":
            world.run()
        elif then == "o":
            world.commit()
    for request, time in asked.items():
        if request in world.ports.replies:
            reply = world.reply(request)
            assert isinstance(reply, HoldReply)
            assert reply.acknowledged is not None
            assert reply.acknowledged.passes(time - 1)
            confirmed.append(time)
    again = world.restart()
    hold = again.driver.holds.find("mine")
    if confirmed:
        assert hold.acknowledged is not None
        assert hold.acknowledged.passes(max(confirmed) - 1)
        assert hold.time == hold.acknowledged.step_back().time
    assert since(again) <= hold.time
