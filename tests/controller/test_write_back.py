"""Compare-and-append of materialized views: who comes second costs no transaction."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from antiphon.controller.instance.event import RequestCanceled
from antiphon.controller.ports import ErrorReply, PieceReply, Reply, ShardReply
from antiphon.controller.request import ShardAppendReceived, ShardPieceReceived
from antiphon.history.store import Fence, ShardAppend
from antiphon.protocol.delta import Delta, delta_schema
from antiphon.protocol.errors import (
    CollectionMissing,
    EpochFenced,
    LimitExceeded,
    ReplicaFailed,
)
from antiphon.protocol.frontier import Frontier
from antiphon.protocol.ids import ClaimId, CollectionId, Epoch, ReplicaId
from antiphon.protocol.limits import (
    MIB,
    ROW_BYTES_MAX,
    WRITE_BACK_BYTES_MAX,
    WRITE_BACKS_WAITING_MAX,
)
from antiphon.protocol.schema import INT64, TEXT, Column, Schema
from tests.controller.world import World


@pytest.fixture
def world() -> World:
    world = World()
    world.sql("CREATE TABLE t (k bigint)")
    world.sql("CREATE MATERIALIZED VIEW m AS SELECT k FROM t")
    return world


def write_to(
    world: World,
    shard: CollectionId,
    new: int,
    *,
    expected: int = 1,
    fence: Fence | None = None,
    replica: ReplicaId | None = None,
    delta: Delta | None = None,
    last: bool = True,
) -> int:
    """A replica's append, or the first piece of one, without rows unless given; its request."""
    request = world.request()
    append = ShardAppend(
        collection=shard,
        expected_upper=Frontier(expected),
        new_upper=Frontier(new),
        delta=delta or Delta(),
    )
    world.handle(
        ShardAppendReceived(
            request=request,
            append=append,
            fence=fence or world.driver.fence,
            replica=replica,
            last=last,
        )
    )
    return request


def write(world: World, expected: int, new: int) -> int:
    return write_to(world, world.id("m"), new, expected=expected)


def applied(upper: int) -> ShardReply:
    return ShardReply(applied=True, upper=Frontier(upper))


def late(upper: int) -> ShardReply:
    return ShardReply(applied=False, upper=Frontier(upper))


def test_the_second_waits_for_the_first_and_learns_where_the_shard_stands(world: World) -> None:
    first, second = write(world, 1, 50), write(world, 1, 40)
    assert world.store.queued_count == 1
    assert not {first, second} & world.ports.replies.keys(), "nothing is known before it is durable"
    assert world.commit()
    assert world.reply(first) == applied(50)
    assert world.reply(second) == late(50)
    assert world.store.queued_count == 0, "it took no transaction"


def test_one_that_comes_late_is_answered_at_once(world: World) -> None:
    write(world, 1, 50)
    world.run()
    assert world.reply(write(world, 1, 60)) == late(50)
    assert world.store.queued_count == 0


def test_one_that_goes_on_where_the_first_ends_applies(world: World) -> None:
    first, second, third = write(world, 1, 50), write(world, 50, 60), write(world, 50, 70)
    world.run()
    assert world.reply(first) == applied(50)
    assert world.reply(second) == applied(60)
    assert world.reply(third) == late(60)


def test_one_that_expects_what_is_not_there_yet_is_decided_by_the_store(world: World) -> None:
    request = write(world, 99, 100)
    assert world.store.queued_count == 1
    world.run()
    assert world.reply(request) == late(1)


def test_who_waits_for_one_that_fails_is_heard_all_the_same(world: World) -> None:
    shard = world.id("m")
    world.begin("DROP MATERIALIZED VIEW m")
    requests = [write_to(world, shard, 50), write_to(world, shard, 60)]
    world.run()
    for request in requests:
        reply = world.reply(request)
        assert isinstance(reply, ErrorReply)
        assert isinstance(reply.error, CollectionMissing)


def test_shards_do_not_wait_for_one_another(world: World) -> None:
    world.sql("CREATE MATERIALIZED VIEW n AS SELECT k FROM t")
    requests = [write_to(world, world.id(name), 50) for name in ("m", "n")]
    assert world.store.queued_count == 2
    world.run()
    assert [world.reply(request) for request in requests] == [applied(50), applied(50)]


def test_only_what_this_claim_allowed_may_write(world: World) -> None:
    stranger = Fence(epoch=Epoch(9), claim_id=ClaimId(b"x" * 16))
    reply = world.reply(write_to(world, world.id("m"), 50, fence=stranger))
    assert isinstance(reply, ErrorReply)
    assert isinstance(reply.error, EpochFenced)


def test_a_replica_that_is_known_to_be_wrong_writes_nothing(world: World) -> None:
    """Neither what it asks for now, nor what has waited for another's."""
    world.connect("r1")
    wrong = world.driver.kernel.instance.state.replicas[ReplicaId("r1")]
    shard = world.id("m")
    first = write_to(world, shard, 50, replica=ReplicaId("r2"))
    waiting = write_to(world, shard, 70, expected=50, replica=wrong.id)
    wrong.wrong = True
    world.run()
    assert world.reply(first) == applied(50)
    for request in (waiting, write_to(world, shard, 70, expected=50, replica=wrong.id)):
        reply = world.reply(request)
        assert isinstance(reply, ErrorReply)
        assert isinstance(reply.error, ReplicaFailed)
    wrong.wrong = False
    repaired = write_to(world, shard, 70, expected=50, replica=wrong.id)
    world.run()
    assert world.reply(repaired) == applied(70)


def refused_for(world: World, request: int) -> str:
    """The limit that an append was refused for; empty: it was not, or not yet."""
    if request not in world.ports.replies:
        return ""
    reply = world.reply(request)
    if not isinstance(reply, ErrorReply):
        return ""
    assert isinstance(reply.error, LimitExceeded)
    return reply.error.details["limit"]


def test_so_many_wait_and_no_more(world: World) -> None:
    first, *waiting = [write(world, 1, 50) for _ in range(1 + WRITE_BACKS_WAITING_MAX)]
    beyond = write(world, 1, 50)
    assert refused_for(world, beyond) == "WRITE_BACKS_WAITING_MAX"
    world.run()
    assert world.reply(first) == applied(50)
    assert [world.reply(request) for request in waiting] == [late(50)] * len(waiting)
    again = write(world, 50, 60)
    world.run()
    assert world.reply(again) == applied(60), "who was refused comes again"


def test_so_much_waits_and_no_more_whatever_the_view(world: World) -> None:
    world.sql("CREATE TABLE s (v text)")
    for name in ("n", "o"):
        world.sql(f"CREATE MATERIALIZED VIEW {name} AS SELECT v FROM s")
    text = "x" * (ROW_BYTES_MAX - MIB)
    schema = delta_schema(Schema((Column(name="v", type=TEXT),)))
    batch = pa.RecordBatch.from_pydict(
        {schema.names[0]: [text], schema.names[1]: [1], schema.names[2]: [1]}, schema=schema
    )
    count = WRITE_BACK_BYTES_MAX // batch.nbytes

    def large(name: str) -> int:
        return write_to(world, world.id(name), 50, delta=Delta(rows=(batch,)))

    taken = [large("n") for _ in range(count)]
    assert not any(refused_for(world, request) for request in taken)
    for name in ("n", "o"):
        assert refused_for(world, large(name)) == "WRITE_BACK_BYTES_MAX"
    asking = write_to(world, world.id("o"), 50)
    world.run()
    assert world.reply(asking) == applied(50), "who asks without rows is heard"
    assert world.reply(taken[0]) == applied(50)
    assert [world.reply(request) for request in taken[1:]] == [late(50)] * (count - 1)
    again = write_to(world, world.id("n"), 60, expected=50, delta=Delta(rows=(batch,)))
    assert refused_for(world, again) == ""


# In pieces.


def begin(world: World, new: int, **options: Any) -> int:
    return write_to(world, world.id("m"), new, last=False, **options)


def latest(world: World, request: int) -> Reply:
    return world.ports.replies[request][-1]


def go_on(world: World, request: int, *, last: bool = False) -> None:
    world.handle(ShardPieceReceived(request=request, delta=Delta(), last=last))
    world.run()


def test_each_piece_is_durable_before_the_next_is_asked_for(world: World) -> None:
    request = begin(world, 50)
    assert world.store.queued_count == 1
    assert request not in world.ports.replies
    world.run()
    go_on(world, request)
    assert world.ports.replies[request] == [PieceReply(), PieceReply()]
    assert world.store.opened().shards[world.id("m")].upper == Frontier(1)
    go_on(world, request, last=True)
    assert latest(world, request) == applied(50)
    assert world.store.opened().shards[world.id("m")].upper == Frontier(50)


def test_one_in_pieces_keeps_its_turn_and_the_others_learn_what_came_of_it(world: World) -> None:
    first, second, third = begin(world, 50), begin(world, 50), write(world, 1, 40)
    world.run()
    go_on(world, first)
    assert not {second, third} & world.ports.replies.keys()
    go_on(world, first, last=True)
    assert latest(world, second) == late(50)
    assert latest(world, third) == late(50)
    go_on(world, second)  # what was on the way
    assert latest(world, second) == late(50)
    assert world.store.queued_count == 0


def test_one_that_is_given_up_leaves_nothing_and_lets_the_next_on(world: World) -> None:
    first, second = begin(world, 50), begin(world, 60)
    world.run()
    world.handle(RequestCanceled(request=first))
    world.run()
    assert latest(world, second) == PieceReply()
    assert list(world.store._state.drafts) == [second]
    go_on(world, first, last=True)  # what was on the way
    go_on(world, second, last=True)
    assert latest(world, second) == applied(60)
    assert not world.store._state.drafts


def test_one_that_is_given_up_while_a_piece_is_on_its_way_leaves_nothing(world: World) -> None:
    request = begin(world, 50)
    world.handle(RequestCanceled(request=request))
    world.run()
    assert not world.store._state.drafts
    other = write(world, 1, 40)
    world.run()
    assert world.reply(other) == applied(40)


def test_one_that_waits_may_be_given_up(world: World) -> None:
    first, second, third = begin(world, 50), begin(world, 60), begin(world, 70)
    world.handle(RequestCanceled(request=second))
    world.run()
    world.handle(RequestCanceled(request=first))
    world.run()
    assert latest(world, third) == PieceReply()
    assert second not in world.ports.replies


def test_a_replica_that_is_found_wrong_half_way_writes_nothing(world: World) -> None:
    world.connect("r1")
    replica = world.driver.kernel.instance.state.replicas[ReplicaId("r1")]
    request = begin(world, 50, replica=replica.id)
    world.run()
    replica.wrong = True
    go_on(world, request, last=True)
    reply = latest(world, request)
    assert isinstance(reply, ErrorReply)
    assert isinstance(reply.error, ReplicaFailed)
    assert not world.store._state.drafts


def test_a_view_that_is_dropped_half_way_ends_its_append(world: World) -> None:
    request = begin(world, 50)
    world.run()
    world.sql("DROP MATERIALIZED VIEW m")
    go_on(world, request)
    reply = latest(world, request)
    assert isinstance(reply, ErrorReply)
    assert isinstance(reply.error, CollectionMissing)
    assert not world.store._state.drafts


def test_pieces_count_while_they_are_here_and_no_longer(world: World) -> None:
    schema = delta_schema(Schema((Column(name="k", type=INT64),)))
    batch = pa.RecordBatch.from_pydict(
        {schema.names[0]: [1], schema.names[1]: [5], schema.names[2]: [1]}, schema=schema
    )
    rows = Delta(rows=(batch,))
    write_back = world.driver._write_back
    first, second = begin(world, 50, delta=rows), begin(world, 50, delta=rows)
    assert write_back._bytes == 2 * batch.nbytes
    world.run()
    world.handle(ShardPieceReceived(request=first, delta=rows, last=False))
    assert write_back._bytes == 2 * batch.nbytes
    world.handle(RequestCanceled(request=second))
    world.handle(RequestCanceled(request=first))
    world.run()
    assert write_back._bytes == 0
