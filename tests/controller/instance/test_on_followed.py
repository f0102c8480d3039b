"""A standby's instance takes up durable commands as they are; it has to know what they import."""

from __future__ import annotations

import pytest

from antiphon.controller.instance.event import Followed
from antiphon.controller.instance.on_followed import unknown_imports
from antiphon.controller.instance.ready import SendCommands
from antiphon.history.store import StoredCommand
from antiphon.protocol.command import AllowCompaction, CreateDataflow, Schedule
from antiphon.protocol.frontier import CLOSED, Frontier
from antiphon.protocol.ids import CollectionId, Position
from tests.controller.test_following import Follower
from tests.controller.world import World


def commands_of(world: World, *statements: str) -> tuple[StoredCommand, ...]:
    before = world.store.opened().head
    for statement in statements:
        world.sql(statement)
    return tuple(world.store.commands(Position(before + 1)))


def followed(*commands: StoredCommand, upper: int = 1) -> Followed:
    return Followed(upper=upper, stored=(), commands=commands, gone=(), shard_uppers={})


@pytest.fixture
def live() -> World:
    world = World()
    world.sql("CREATE TABLE t (k bigint PRIMARY KEY, v bigint)")
    return world


def test_a_followed_dataflow_is_sent_at_its_position_and_scheduled(live: World) -> None:
    follower = Follower(live)
    follower.connect()
    instance = follower.driver.kernel.instance
    (create,) = commands_of(live, "CREATE INDEX i ON t (v)")
    ready = instance.step(followed(create), now_ms=5)
    (send,) = ready.sends
    assert isinstance(send, SendCommands)
    assert [type(sent.command) for sent in send.commands] == [CreateDataflow, Schedule]
    assert send.commands[0].position == create.position
    assert ready.entries == (), "a standby writes nothing down"
    assert (instance.state.head, instance.state.head_digest) == (create.position, create.digest)


def test_its_as_of_is_no_earlier_than_what_is_still_kept(live: World) -> None:
    follower = Follower(live)
    state = follower.driver.kernel.instance.state
    table, index = live.id("t"), CollectionId(2)
    (create,) = commands_of(live, "CREATE INDEX i ON t (v)")
    state.collections[table].since = Frontier(7)
    follower.driver.kernel.instance.step(followed(create, upper=20), now_ms=5)
    assert state.collections[index].since == Frontier(7)
    assert state.collections[table].write_frontier == Frontier(20)


def test_a_followed_drop_is_told_and_forgotten(live: World) -> None:
    live.sql("CREATE INDEX i ON t (v)")
    follower = Follower(live)
    index = live.id("i")
    (drop,) = commands_of(live, "DROP INDEX i")
    follower.driver.kernel.instance.step(followed(drop), now_ms=5)
    assert index not in follower.driver.kernel.instance.state.collections, "nobody has it"


def test_a_connected_replica_is_told_of_the_drop(live: World) -> None:
    live.sql("CREATE INDEX i ON t (v)")
    follower = Follower(live)
    follower.connect()
    (drop,) = commands_of(live, "DROP INDEX i")
    ready = follower.driver.kernel.instance.step(followed(drop), now_ms=5)
    (send,) = ready.sends
    assert isinstance(send, SendCommands)
    expected = AllowCompaction(collection=CollectionId(2), frontier=CLOSED)
    assert [sent.command for sent in send.commands] == [expected]


def test_imports_are_known_if_they_are_there_or_made_before(live: World) -> None:
    state = Follower(live).driver.kernel.instance.state
    made = commands_of(
        live, "CREATE INDEX i ON t (v)", "CREATE MATERIALIZED VIEW m AS SELECT v FROM t"
    )
    assert unknown_imports(state, followed(*made)) == ()
    missing = commands_of(live, "CREATE TABLE u (k bigint)", "CREATE INDEX ui ON u (k)")
    assert unknown_imports(state, followed(*missing)) == (live.id("u"),)


def test_who_writes_the_history_does_not_follow_it(live: World) -> None:
    with pytest.raises(AssertionError, match="does not follow it"):
        live.driver.kernel.instance.step(followed(), now_ms=5)
