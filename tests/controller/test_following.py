"""A standby knows what the live controller made durable, and its replicas are told it read-only."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from antiphon.controller.driver import Driver
from antiphon.controller.following import cannot_follow, needed_from
from antiphon.controller.instance.event import Ticked
from antiphon.controller.instance.state import InstanceConfig
from antiphon.controller.ports import ErrorReply
from antiphon.controller.ports import World as Ports
from antiphon.controller.recovery import recover
from antiphon.controller.request import (
    AppendReceived,
    HistoryFollowed,
    OwnerSeen,
    ReplicaReached,
    ReplicasConfigured,
    StatementReceived,
)
from antiphon.controller.sql.statement import Nothing
from antiphon.history.store import Committed, Fence, Submission
from antiphon.protocol.command import (
    AllowCompaction,
    AllowWrites,
    CreateDataflow,
    Hello,
    UpdateConfiguration,
)
from antiphon.protocol.delta import Delta
from antiphon.protocol.errors import EpochFenced, Standby, Unavailable
from antiphon.protocol.facts import ReplicaFacts
from antiphon.protocol.frontier import CLOSED, Frontier
from antiphon.protocol.ids import ClaimId, CollectionId, Incarnation, Position, ReplicaId
from antiphon.protocol.version import SPOKEN
from tests.controller.statements.test_holds import MINUTE_MS, take
from tests.controller.world import NOW_MS, Recorder, World

S1 = ReplicaId("s1")


class Follower:
    """A standby of the store of a `World`."""

    def __init__(self, live: World) -> None:
        self.store = live.store
        self.ports = Recorder()
        self.submitted: list[Submission] = []
        opened = self.store.opened()
        fence = Fence(epoch=opened.epoch, claim_id=ClaimId(b"standby".ljust(16)))
        config = InstanceConfig(
            instance_id=opened.instance_id,
            name="test",
            history_id=opened.history_id,
            epoch=fence.epoch,
            claim_id=fence.claim_id,
            read_only=True,
            standby=True,
        )
        ports = Ports(
            store=self,
            links=self.ports,
            tails=self.ports,
            replies=self.ports,
            clock=self.ports,
            random=self.ports,
        )
        recovered = recover(opened, self.store.commands(Position(1)), config)
        self.driver = Driver(recovered=recovered, fence=fence, world=ports)
        self.driver.handle(ReplicasConfigured(request=1, replicas={S1: "unix:x"}))

    def submit(self, submission: Submission) -> None:
        """What a standby lets go of; answered at once in the real one, too."""
        self.submitted.append(submission)

    @property
    def state(self) -> object:
        return self.driver.kernel.instance.state

    def look(self) -> str | None:
        """One look at the store; why it cannot be followed."""
        state, opened = self.driver.kernel.instance.state, self.store.opened()
        commands = tuple(self.store.commands(Position(state.head + 1)))
        reason = cannot_follow(state, opened, commands)
        if reason is None:
            lower, upper = self.driver.timeline_upper, opened.timeline_upper
            deltas = {
                shard: Delta(rows=tuple(b for part in parts for b in part.rows))
                for shard, found in opened.shards.items()
                if found.upper == Frontier(upper)
                and lower < upper
                and (parts := list(self.store.listen(shard, lower, upper)))
            }
            self.driver.handle(
                HistoryFollowed(opened=opened, commands=commands, deltas=deltas, live_address="l:1")
            )
        return reason

    def connect(self) -> list[object]:
        facts = ReplicaFacts(replica=S1, incarnation=Incarnation(b"i" * 16), versions=SPOKEN)
        self.driver.handle(ReplicaReached(replica=S1, facts=facts))
        return list(self.ports.sent["s1"])


@pytest.fixture
def live() -> World:
    world = World()
    world.sql("CREATE TABLE t (k bigint PRIMARY KEY, v bigint)")
    return world


def known(driver: Driver) -> dict[CollectionId, tuple[object, ...]]:
    collections = driver.kernel.instance.state.collections
    return {
        c.id: (c.kind, c.schema, c.position, c.fingerprint, c.shard_upper)
        for c in collections.values()
        if c.dropped_at is None
    }


def assert_same(follower: Follower, live: World) -> None:
    ours, theirs = follower.driver.kernel.instance.state, live.driver.kernel.instance.state
    assert known(follower.driver) == known(live.driver)
    assert (ours.head, ours.head_digest) == (theirs.head, theirs.head_digest)
    assert ours.configuration == theirs.configuration
    assert follower.driver.timeline_upper == live.driver.timeline_upper
    assert dict(follower.driver.catalog.items) == dict(live.driver.catalog.items)
    assert dict(follower.driver.catalog.replicas) == dict(live.driver.catalog.replicas)
    for position in range(ours.head + 1):
        assert ours.log.digest_at(Position(position)) == theirs.log.digest_at(Position(position))


def test_its_replicas_are_told_the_history_under_the_live_epoch_and_may_not_write(
    live: World,
) -> None:
    live.sql("CREATE MATERIALIZED VIEW m AS SELECT v, count(*) AS n FROM t GROUP BY v")
    told = Follower(live).connect()
    hello = told[0]
    assert isinstance(hello, Hello)
    assert hello.epoch == live.driver.fence.epoch
    assert hello.claim_id != live.driver.fence.claim_id, "nobody takes it for the live one"
    assert [type(c) for c in told if isinstance(c, CreateDataflow)] == [CreateDataflow]
    assert AllowWrites() not in told


def test_what_becomes_durable_reaches_them_in_the_order_of_the_history(live: World) -> None:
    follower = Follower(live)
    follower.connect()
    live.sql("CREATE TABLE u (k bigint)")
    live.sql("CREATE INDEX ui ON u (k)")
    live.append("u", [{"k": 1}])
    live.run()
    live.sql("ALTER SYSTEM SET result_bytes_max = 10")
    live.sql("CREATE MATERIALIZED VIEW m AS SELECT k FROM u")
    live.sql("DROP INDEX ui")
    count = len(follower.ports.sent["s1"])
    assert follower.look() is None
    told = follower.ports.sent["s1"][count:]
    numbered = [c for c in told if isinstance(c, CreateDataflow | UpdateConfiguration)]
    assert [type(c) for c in numbered] == [CreateDataflow, UpdateConfiguration, CreateDataflow]
    assert told[-1] == AllowCompaction(collection=CollectionId(3), frontier=CLOSED)
    (push,) = follower.ports.pushes
    assert (push.upper, list(push.deltas)) == (
        Frontier(live.driver.timeline_upper),
        [live.id("u")],
    )
    assert_same(follower, live)
    assert follower.look() is None
    assert len(follower.ports.pushes) == 1, "nothing is pushed twice"


STATEMENTS = (
    "CREATE TABLE t{n} (k bigint, v bigint)",
    "CREATE FEED f{n} (k bigint PRIMARY KEY, v bigint)",
    "CREATE VIEW w{n} AS SELECT v, count(*) AS c FROM t GROUP BY v",
    "CREATE INDEX i{n} ON t (v)",
    "CREATE MATERIALIZED VIEW m{n} AS SELECT v + {n} AS x FROM t",
    "ALTER SYSTEM SET result_bytes_max = {n}",
    "DROP {kind} {name}",
    "append",
    "time",
    "look",
)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(STATEMENTS), max_size=14), st.randoms(use_true_random=False))
def test_whatever_happens_a_standby_that_looks_knows_the_same(
    script: list[str], random: object
) -> None:
    live = World()
    live.sql("CREATE TABLE t (k bigint PRIMARY KEY, v bigint)")
    follower = Follower(live)
    for number, statement in enumerate(script, 1):
        match statement:
            case "append":
                live.append("t", [{"k": number, "v": number}])
                live.run()
            case "time":
                live.pass_time(2_000)
            case "look":
                if follower.look() is not None:
                    follower = Follower(live)
            case "DROP {kind} {name}":
                items = [i for i in live.driver.catalog.items.values() if i.name != "t"]
                if items:
                    item = items[number % len(items)]
                    kind = item.kind.name.replace("_", " ")
                    live.sql(f"DROP {kind} {item.name}")
            case _:
                live.sql(statement.format(n=number, kind="", name=""))
    if follower.look() is not None:
        follower = Follower(live)
    assert_same(follower, live)


def test_another_epoch_and_folded_content_cannot_be_followed(live: World) -> None:
    follower = Follower(live)
    live.append("t", [{"k": 1, "v": 1}])
    live.run()
    live.pass_time(60_000)
    live.append("t", [{"k": 2, "v": 1}])
    live.run()
    live.pass_time(60_000)
    reason = follower.look()
    assert reason is not None
    assert "is folded" in reason
    again = Follower(live)
    assert again.look() is None
    live.restart()
    assert again.look() == "epoch 2 has begun"


def test_what_came_and_went_between_two_looks_cannot_be_followed(live: World) -> None:
    follower = Follower(live)
    live.sql("CREATE TABLE u (k bigint)")
    live.sql("CREATE INDEX ui ON u (k)")
    live.sql("DROP TABLE u CASCADE")
    assert follower.look() == "2 came and went between two looks"


def test_a_log_that_was_folded_while_it_was_read_cannot_be_followed(live: World) -> None:
    follower = Follower(live)
    live.sql("CREATE TABLE u (k bigint)")
    live.sql("CREATE INDEX ui ON u (k)")
    live.sql("CREATE MATERIALIZED VIEW m AS SELECT k FROM u")
    state, opened = follower.driver.kernel.instance.state, live.store.opened()
    commands = tuple(live.store.commands(Position(state.head + 1)))
    assert len(commands) > 1
    assert cannot_follow(state, opened, commands) is None
    for rest in (commands[1:], ()):
        reason = cannot_follow(state, opened, rest)
        assert reason == f"the history after {state.head} was folded while it was read"


def test_what_it_no_longer_needs_is_its_lease_to_say(live: World) -> None:
    follower = Follower(live)
    assert needed_from(follower.driver.kernel.instance.state) == 0
    live.append("t", [{"k": 1, "v": 1}])
    live.run()
    follower.look()
    follower.ports.now += 60_000
    follower.driver.handle(Ticked())
    (submission,) = follower.submitted
    assert submission.since == {live.id("t"): live.driver.timeline_upper - 1 - 5_000}
    follower.driver.handle(Committed(token=submission.token, head=Position(0), digest=b""))
    needed = needed_from(follower.driver.kernel.instance.state)
    assert needed == live.driver.timeline_upper - 1 - 5_000


def test_the_time_of_what_depends_on_the_clock_is_the_live_ones_to_pass(live: World) -> None:
    live.sql("CREATE TABLE s (at timestamptz)")
    live.sql("CREATE MATERIALIZED VIEW recent AS SELECT * FROM s WHERE now() < at")
    follower = Follower(live)
    before = follower.driver.timeline_upper
    for _ in range(3):
        follower.ports.now += 1_000
        follower.driver.handle(Ticked())
    assert not any(submission.tick for submission in follower.submitted)
    assert follower.driver.timeline_upper == before
    live.pass_time(1_000)
    assert follower.look() is None
    assert follower.driver.timeline_upper == live.driver.timeline_upper > before


def test_a_hold_whose_subscriber_it_never_hears_is_not_its_to_lose(live: World) -> None:
    take(live, deadline_ms=MINUTE_MS)
    live.run()
    follower = Follower(live)
    for _ in range(3):
        follower.ports.now += MINUTE_MS
        follower.driver.handle(Ticked())
    assert not any(submission.catalog for submission in follower.submitted)
    (hold,) = follower.driver.holds.all()
    assert not hold.lost


def test_clients_are_sent_to_the_live_one(live: World) -> None:
    follower = Follower(live)
    follower.look()
    for number, event in enumerate(
        (
            StatementReceived(request=70, statement=Nothing(tag="X"), catalog_version=0),
            AppendReceived(request=71, collection=live.id("t"), rows=None),  # type: ignore[arg-type]
        ),
        70,
    ):
        follower.driver.handle(event)
        (reply,) = follower.ports.replies[number]
        assert isinstance(reply, ErrorReply)
        assert isinstance(reply.error, Standby)
        assert reply.error.definite
        assert reply.error.details["live_address"] == "l:1"


class TestOwnership:
    """A controller that may have been replaced answers no read."""

    def read(self, world: World) -> object:
        request = world.begin("SELECT k FROM t")
        peek = world.peeks("r1")[-1]
        world.answer("r1", peek, [{"k": 1}])
        return world.reply(request)

    @pytest.fixture
    def world(self) -> World:
        world = World()
        world.sql("CREATE TABLE t (k bigint PRIMARY KEY, v bigint)")
        world.connect("r1")
        world.driver.kernel._ownership_ms = 5_000
        return world

    def test_what_was_not_looked_at_for_too_long_is_in_doubt(self, world: World) -> None:
        assert not isinstance(self.read(world), ErrorReply)
        world.ports.now += 5_001
        reply = self.read(world)
        assert isinstance(reply, ErrorReply)
        assert isinstance(reply.error, Unavailable)
        world.handle(OwnerSeen(owner=world.driver.fence, at_ms=world.ports.now))
        assert not isinstance(self.read(world), ErrorReply)

    def test_a_write_proves_it_from_when_it_was_submitted(self, world: World) -> None:
        world.append("t", [{"k": 1, "v": 1}])
        world.ports.now += 4_000
        world.run()
        world.ports.now += 1_001
        assert isinstance(self.read(world), ErrorReply), "it was true 5 s ago"

    def test_another_owner_ends_it(self, world: World) -> None:
        newer = replace(world.driver.fence, claim_id=ClaimId(b"n" * 16))
        world.handle(OwnerSeen(owner=newer, at_ms=NOW_MS))
        assert isinstance(world.driver.fault, EpochFenced)
        reply = self.read(world)
        assert isinstance(reply, ErrorReply)
        assert isinstance(reply.error, EpochFenced)

    def test_a_controller_that_ends_answers_no_read(self, world: World) -> None:
        world.driver.kernel.retire(Unavailable("it stops"))
        assert isinstance(self.read(world), ErrorReply)
