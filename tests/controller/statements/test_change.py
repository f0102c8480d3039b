"""Data statements: read, then append if nothing moved; again if it did; never in part."""

from __future__ import annotations

import pyarrow as pa
import pytest

from antiphon.controller.instance.event import RequestCanceled
from antiphon.controller.ports import AppendReply, DoneReply, ErrorReply, ReplanReply
from antiphon.controller.request import AppendReceived, ResultFetched
from antiphon.controller.reservations import RESERVED_MS_MAX
from antiphon.controller.statements.change import READS_BEFORE_RESERVING, READS_MAX
from antiphon.history.store import ProducerSequence
from antiphon.protocol.command import CancelPeek
from antiphon.protocol.delta import encode_batch
from antiphon.protocol.errors import (
    CollectionMissing,
    ComputeError,
    DataError,
    DuplicateKey,
    LimitExceeded,
    OutcomeUnknown,
    ReadConflict,
    Unavailable,
)
from antiphon.protocol.ids import CollectionId, ProducerId
from antiphon.protocol.response import Failure, PeekResponse, PeekStashed
from antiphon.protocol.schema import arrow_schema
from tests.controller.world import World


@pytest.fixture
def world() -> World:
    """A table of two rows, and a replica that answers as told."""
    world = World()
    world.sql("CREATE TABLE t (k bigint PRIMARY KEY, v bigint)")
    world.sql("INSERT INTO t VALUES (1, 10), (2, 20)")
    world.connect("r1")
    return world


def error_of(world: World, request: int) -> ComputeError:
    reply = world.reply(request)
    assert isinstance(reply, ErrorReply)
    return reply.error


def rows(world: World) -> list[tuple[object, ...]]:
    return [(row["k"], row["v"]) for row in world.content("t")]


def answer_update(world: World, *, k: int = 1, old: int = 10, new: int = 11) -> None:
    peek = world.peeks("r1")[-1]
    world.answer("r1", peek, [{"k": k, "v": old, "new k": k, "new v": new}])


def test_an_insert_appends_at_once(world: World) -> None:
    reply = world.sql("INSERT INTO t VALUES (3, 30)")
    assert isinstance(reply, DoneReply)
    assert (reply.tag, reply.row_count) == ("INSERT 1", 1)
    assert rows(world) == [(1, 10), (2, 20), (3, 30)]


def test_an_insert_refuses_a_taken_key_and_changes_nothing(world: World) -> None:
    reply = world.sql("INSERT INTO t VALUES (3, 30), (1, 0)")
    assert isinstance(reply, ErrorReply)
    assert isinstance(reply.error, DuplicateKey)
    assert rows(world) == [(1, 10), (2, 20)]


def test_an_update_replaces_what_it_read(world: World) -> None:
    request = world.begin("UPDATE t SET v = v + 1 WHERE k = 1")
    answer_update(world)
    world.run()
    reply = world.reply(request)
    assert isinstance(reply, DoneReply)
    assert reply.tag == "UPDATE 1"
    assert rows(world) == [(1, 11), (2, 20)]


MERGE = "INSERT INTO t VALUES (1, 1), (3, 30) ON CONFLICT (k) DO UPDATE SET v = t.v + 1"
MERGED = [
    {"matched": True, "k": 1, "v": 10, "new k": 1, "new v": 11},
    {"matched": False, "k": None, "v": None, "new k": 3, "new v": 30},
]


def test_a_merge_changes_and_inserts_at_one_time(world: World) -> None:
    request = world.begin(MERGE)
    world.answer("r1", world.peeks("r1")[-1], MERGED)
    world.run()
    reply = world.reply(request)
    assert isinstance(reply, DoneReply)
    assert reply.tag == "INSERT 2"
    assert rows(world) == [(1, 11), (2, 20), (3, 30)]


def test_a_merge_reads_again_what_others_changed_meanwhile(world: World) -> None:
    request = world.begin(MERGE)
    first = world.peeks("r1")[-1]
    world.sql("INSERT INTO t VALUES (3, 5)")
    world.answer("r1", first, MERGED)
    world.run()
    assert rows(world) == [(1, 10), (2, 20), (3, 5)], "nothing of it is done"
    again = [MERGED[0], {"matched": True, "k": 3, "v": 5, "new k": 3, "new v": 6}]
    world.answer("r1", world.peeks("r1")[-1], again)
    world.run()
    assert isinstance(world.reply(request), DoneReply)
    assert rows(world) == [(1, 11), (2, 20), (3, 6)]


def test_a_delete_removes_what_it_read(world: World) -> None:
    request = world.begin("DELETE FROM t WHERE k = 1")
    world.answer("r1", world.peeks("r1")[-1], [{"k": 1, "v": 10}])
    world.run()
    reply = world.reply(request)
    assert isinstance(reply, DoneReply)
    assert reply.tag == "DELETE 1"
    assert rows(world) == [(2, 20)]


def test_an_insert_of_a_query_appends_its_answer(world: World) -> None:
    request = world.begin("INSERT INTO t SELECT k + 10, v FROM t WHERE k = 1")
    world.answer("r1", world.peeks("r1")[-1], [{"k": 11, "v": 10}])
    world.run()
    assert isinstance(world.reply(request), DoneReply)
    assert rows(world) == [(1, 10), (11, 10), (2, 20)]


def test_nothing_found_writes_nothing(world: World) -> None:
    request = world.begin("DELETE FROM t WHERE k = 99")
    upper = world.driver.timeline_upper
    world.answer("r1", world.peeks("r1")[-1], [])
    world.run()
    reply = world.reply(request)
    assert isinstance(reply, DoneReply)
    assert (reply.tag, reply.row_count) == ("DELETE 0", 0)
    assert world.driver.timeline_upper == upper


def test_what_was_overtaken_reads_again(world: World) -> None:
    request = world.begin("UPDATE t SET v = v + 1 WHERE k = 1")
    world.append("t", [{"k": 3, "v": 0}])
    world.run()
    answer_update(world)
    world.run()
    assert request not in world.ports.replies
    assert len(world.peeks("r1")) == 2
    assert world.peeks("r1")[1].time == world.driver.timeline_upper - 1
    answer_update(world)
    world.run()
    assert isinstance(world.reply(request), DoneReply)


def overtake(world: World, attempts: int, first: int = 100) -> None:
    """A writer that never rests: it is always faster than the statement's read."""
    for number in range(attempts):
        world.append("t", [{"k": first + number, "v": 0}])
        world.run()
        answer_update(world)
        world.run()


def test_what_is_overtaken_again_and_again_is_let_through(world: World) -> None:
    request = world.begin("UPDATE t SET v = v + 1 WHERE k = 1")
    overtake(world, READS_MAX)
    assert isinstance(world.reply(request), DoneReply)
    assert (1, 11) in rows(world)
    assert len(rows(world)) == 2 + READS_MAX, "those who waited came after it"
    assert world.driver.kernel.reservations.waiting_count == 0


def test_others_wait_for_it_only_so_long(world: World) -> None:
    request = world.begin("UPDATE t SET v = v + 1 WHERE k = 1")
    overtake(world, READS_BEFORE_RESERVING)
    waiting = world.append("t", [{"k": 200, "v": 0}])
    world.run()
    assert waiting not in world.ports.replies
    assert world.driver.wake_at_ms is not None
    assert world.driver.wake_at_ms <= world.ports.now + RESERVED_MS_MAX
    world.pass_time(RESERVED_MS_MAX)
    assert isinstance(world.reply(waiting), AppendReply)
    assert request not in world.ports.replies
    overtake(world, READS_MAX - READS_BEFORE_RESERVING, first=300)
    assert isinstance(error_of(world, request), ReadConflict), "it had its chance"
    assert (1, 10) in rows(world)


def test_a_caller_that_gives_up_lets_the_others_go_on(world: World) -> None:
    request = world.begin("UPDATE t SET v = v + 1 WHERE k = 1")
    overtake(world, READS_BEFORE_RESERVING)
    waiting = world.append("t", [{"k": 200, "v": 0}])
    world.handle(RequestCanceled(request=request))
    world.run()
    assert isinstance(world.reply(waiting), AppendReply)


def test_a_retried_change_is_applied_once(world: World) -> None:
    producer = ProducerSequence(producer_id=ProducerId(b"p" * 16), sequence=1)
    for _ in range(2):
        world.begin("UPDATE t SET v = v + 1 WHERE k = 1", producer=producer)
        answer_update(world)
        world.run()
    assert rows(world) == [(1, 11), (2, 20)]


def returned(world: World, request: int) -> list[dict[str, object]]:
    reply = world.reply(request)
    assert isinstance(reply, DoneReply), reply
    assert reply.returned is not None
    found: list[dict[str, object]] = reply.returned.to_pylist()
    return found


def test_a_change_answers_with_what_it_wrote_once_it_is_durable(world: World) -> None:
    request = world.begin("UPDATE t SET v = v + 1 WHERE k = 1 RETURNING old.v AS was, v")
    row = {"k": 1, "v": 10, "new k": 1, "new v": 11, "was": 10, "now": 11}
    world.answer("r1", world.peeks("r1")[-1], [row])
    assert request not in world.ports.replies, "not before it is durable"
    world.run()
    assert returned(world, request) == [{"was": 10, "v": 11}]
    assert rows(world) == [(1, 11), (2, 20)]


def test_known_rows_are_returned_without_a_replica() -> None:
    world = World()
    world.sql("CREATE TABLE t (k bigint PRIMARY KEY, v bigint)")
    request = world.begin("INSERT INTO t VALUES (1, 10), (2, 20) RETURNING k + 1 AS next")
    world.run()
    assert returned(world, request) == [{"next": 2}, {"next": 3}]
    refused = world.begin("INSERT INTO t VALUES (1, 10) RETURNING k")
    world.run()
    assert isinstance(error_of(world, refused), DuplicateKey)


def test_nothing_found_returns_no_rows(world: World) -> None:
    request = world.begin("DELETE FROM t WHERE k = 99 RETURNING k")
    world.answer("r1", world.peeks("r1")[-1], [])
    world.run()
    assert returned(world, request) == []


def test_more_than_the_caller_takes_changes_nothing(world: World) -> None:
    request = world.begin("DELETE FROM t RETURNING k", rows_max=1)
    world.answer("r1", world.peeks("r1")[-1], [{"k": k, "v": 10 * k, "r": k} for k in (1, 2)])
    world.run()
    assert isinstance(error_of(world, request), LimitExceeded)
    inserted = world.begin("INSERT INTO t VALUES (3, 3), (4, 4) RETURNING k", rows_max=1)
    world.run()
    assert isinstance(error_of(world, inserted), LimitExceeded)
    assert rows(world) == [(1, 10), (2, 20)]


DELETED = "DELETE FROM t WHERE k = 1 RETURNING v"


def retried(world: World, statement: str) -> int:
    """A change whose answer was lost, and others after it; the request of its second attempt, whose
    read finds nothing any more."""
    producer = ProducerSequence(producer_id=ProducerId(b"p" * 16), sequence=1)
    world.begin(statement, producer=producer)
    world.answer("r1", world.peeks("r1")[-1], [{"k": 1, "v": 10, "r": 10}])
    world.run()
    world.sql("INSERT INTO t VALUES (1, 99)")
    request = world.begin(statement, producer=producer)
    world.answer("r1", world.peeks("r1")[-1], [{"k": 1, "v": 99, "r": 99}])
    world.run()
    return request


def test_a_retried_change_returns_what_its_first_attempt_did(world: World) -> None:
    request = retried(world, DELETED)
    again = world.peeks("r1")[-1]
    assert again.time is not None
    assert again.time < world.driver.timeline_upper - 1, "as the table was before it"
    world.answer("r1", again, [{"k": 1, "v": 10, "r": 10}])
    world.run()
    assert returned(world, request) == [{"v": 10}]
    assert rows(world) == [(1, 99), (2, 20)]


def test_what_cannot_be_told_again_is_said_to_be_done(world: World) -> None:
    clocked = retried(world, DELETED + " AS now")
    gone = retried(world, DELETED.replace("1", "2"))
    failure = Failure(code="since_violation", message="that is gone")
    peek = world.peeks("r1")[-1]
    world.respond("r1", PeekResponse(peek_id=peek.peek_id, result=failure))
    for request in (clocked, gone):
        reply = world.reply(request)
        assert isinstance(reply, DoneReply)
        assert reply.returned is None
        assert reply.tag == "DELETE 1"
        assert "an earlier attempt" in reply.notices[0]


COPIED = "CREATE TABLE made AS SELECT k, v FROM t WHERE v > 5"


def answer_copy(world: World) -> None:
    world.answer("r1", world.peeks("r1")[-1], [{"k": 1, "v": 10}, {"k": 2, "v": 20}])


def test_a_table_comes_with_all_that_the_query_gave(world: World) -> None:
    request = world.begin(COPIED)
    answer_copy(world)
    assert world.driver.catalog.find("made") is None, "not before it is durable"
    world.run()
    reply = world.reply(request)
    assert isinstance(reply, DoneReply)
    assert (reply.tag, reply.row_count) == ("SELECT 2", 2)
    assert [row["k"] for row in world.content("made")] == [1, 2]
    again = world.restart()
    assert [row["k"] for row in again.content("made")] == [1, 2]


def test_a_table_of_what_is_known_needs_no_replica() -> None:
    world = World()
    reply = world.sql("CREATE TABLE made AS VALUES (1), (2)")
    assert isinstance(reply, DoneReply)
    assert reply.tag == "SELECT 2"
    assert len(world.content("made")) == 2
    world.sql("INSERT INTO made VALUES (3)")
    assert len(world.content("made")) == 3


def test_a_table_is_made_of_one_moment(world: World) -> None:
    request = world.begin(COPIED)
    world.append("t", [{"k": 3, "v": 30}])
    world.run()
    answer_copy(world)
    world.run()
    assert world.driver.catalog.find("made") is None, "what it read has changed"
    answer_copy(world)
    world.run()
    assert isinstance(world.reply(request), DoneReply)
    assert len(world.content("made")) == 2


def test_a_table_whose_name_was_taken_meanwhile_is_planned_again(world: World) -> None:
    request = world.begin(COPIED)
    world.sql("CREATE TABLE made (a int)")
    answer_copy(world)
    world.run()
    assert world.reply(request) == ReplanReply()
    assert world.content("made") == []


def test_an_error_in_the_query_makes_no_table(world: World) -> None:
    request = world.begin("CREATE TABLE made AS SELECT v / 0 AS x FROM t")
    failure = Failure(code="data_error", message="division by zero")
    peek = world.peeks("r1")[-1]
    world.respond("r1", PeekResponse(peek_id=peek.peek_id, result=failure))
    assert isinstance(error_of(world, request), DataError)
    assert world.driver.catalog.find("made") is None


def test_a_large_read_is_fetched(world: World) -> None:
    request = world.begin("DELETE FROM t")
    peek = world.peeks("r1")[-1]
    stashed = PeekStashed(row_count=2, byte_count=10**7)
    world.respond("r1", PeekResponse(peek_id=peek.peek_id, result=stashed))
    ((replica, peek_id, number),) = world.ports.fetches
    assert (replica, peek_id) == ("r1", peek.peek_id)
    schema = arrow_schema(peek.schema)
    parts = [
        encode_batch(pa.RecordBatch.from_pydict({"k": [k], "v": [v]}, schema=schema))
        for k, v in ((1, 10), (2, 20))
    ]
    world.handle(ResultFetched(request=number, batches=tuple(parts)))
    world.run()
    assert isinstance(world.reply(request), DoneReply)
    assert rows(world) == []


def lose_what_is_fetched(world: World) -> None:
    peek = world.peeks("r1")[-1]
    stashed = PeekStashed(row_count=2, byte_count=10**7)
    world.respond("r1", PeekResponse(peek_id=peek.peek_id, result=stashed))
    (_, _, number) = world.ports.fetches[-1]
    world.handle(ResultFetched(request=number, error=OutcomeUnknown("the link ended")))


def test_a_fetch_that_fails_is_read_again(world: World) -> None:
    request = world.begin("DELETE FROM t")
    lost = world.peeks("r1")[-1]
    lose_what_is_fetched(world)
    assert world.peeks("r1")[-1].peek_id != lost.peek_id
    answer_copy(world)
    world.run()
    assert isinstance(world.reply(request), DoneReply)
    assert rows(world) == []


def test_fetches_that_go_on_failing_fail_the_statement_and_nothing_was_done(world: World) -> None:
    request = world.begin("DELETE FROM t")
    for _ in range(READS_MAX):
        lose_what_is_fetched(world)
    error = error_of(world, request)
    assert isinstance(error, Unavailable)
    assert error.definite
    assert len(world.ports.fetches) == READS_MAX


def test_a_data_error_in_the_read_is_the_answer(world: World) -> None:
    request = world.begin("UPDATE t SET v = v / 0")
    peek = world.peeks("r1")[-1]
    failure = Failure(code="data_error", message="division by zero")
    world.respond("r1", PeekResponse(peek_id=peek.peek_id, result=failure))
    assert isinstance(error_of(world, request), DataError)


def test_without_replicas_a_change_that_reads_gives_up() -> None:
    world = World(peek_wait_ms=1_000)
    world.sql("CREATE TABLE t (k bigint)")
    request = world.begin("DELETE FROM t")
    world.pass_time(1_000)
    assert isinstance(error_of(world, request), Unavailable)


def test_a_caller_that_goes_away_stops_the_read(world: World) -> None:
    request = world.begin("DELETE FROM t")
    world.handle(RequestCanceled(request=request))
    assert isinstance(world.ports.sent["r1"][-1], CancelPeek)
    assert request not in world.ports.replies


def test_a_table_that_is_gone_is_planned_for_again(world: World) -> None:
    statement, version = world.plan("INSERT INTO t VALUES (3, 30)"), world.driver.catalog.version
    world.sql("DROP TABLE t")
    assert world.reply(world.begin(statement, version=version)) == ReplanReply()


def test_an_append_to_what_is_gone_says_so(world: World) -> None:
    request = world.request()
    batch = pa.RecordBatch.from_pydict({"k": [1], "v": [1], "antiphon_diff": [1]})
    world.handle(AppendReceived(request=request, collection=CollectionId(99), rows=batch))
    assert isinstance(error_of(world, request), CollectionMissing)


def test_plain_appends_say_when_they_happened(world: World) -> None:
    request = world.append("t", [{"k": 5, "v": 50}])
    world.run()
    assert isinstance(world.reply(request), AppendReply)
