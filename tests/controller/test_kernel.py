"""The kernel: answers in order, faults remembered, replies to whom they belong."""

from __future__ import annotations

import pytest

from antiphon.controller.ports import DoneReply, Reply
from antiphon.history.store import Committed, Completion, Refused
from antiphon.protocol.errors import LimitExceeded, StoreFull, StorePoisoned
from antiphon.protocol.ids import NO_POSITION
from tests.controller.world import World


def test_completions_answer_submissions_in_order() -> None:
    world = World()
    heard: list[Completion] = []
    world.driver.kernel.submit(heard.append)
    world.driver.kernel.submit(heard.append)
    world.run()
    assert [completion.token for completion in heard] == [1, 2]


def test_an_answer_out_of_order_is_a_bug() -> None:
    world = World()
    world.driver.kernel.submit(lambda _: None)
    with pytest.raises(AssertionError):
        world.handle(Committed(token=9, head=NO_POSITION, digest=b""))


def test_a_poisoned_store_is_a_fault_and_a_refusal_is_none() -> None:
    world = World()
    kernel = world.driver.kernel
    kernel.submit(lambda _: None)
    kernel.submit(lambda _: None)
    world.store.crash()
    world.handle(Refused(token=1, error=StoreFull("no space")))
    assert world.driver.fault is None
    world.handle(Refused(token=2, error=StorePoisoned("a sync failed")))
    assert isinstance(world.driver.fault, StorePoisoned)


def test_expected_replies_come_back_and_others_go_out() -> None:
    kernel = World().driver.kernel
    heard: list[Reply] = []
    number = kernel.expect(heard.append)
    assert number < 0
    kernel.reply(number, DoneReply(tag="A"))
    assert heard == [DoneReply(tag="A")]
    kernel.forget(kernel.expect(heard.append))


def test_a_refused_tick_answers_every_append() -> None:
    world = World()
    world.sql("CREATE TABLE t (k bigint)")
    requests = [world.append("t", [{"k": 1}])]
    world.store.crash()
    token = world.driver.kernel._submitted[0][0]
    world.handle(Refused(token=token, error=LimitExceeded("full")))
    world.run()
    assert all(len(world.ports.replies[request]) == 1 for request in requests)


def test_writes_go_on_after_a_refused_tick() -> None:
    world = World()
    world.sql("CREATE TABLE t (k bigint)")
    world.append("t", [{"k": 1}])
    later = world.append("t", [{"k": 2}])
    world.store.crash()
    token = world.driver.kernel._submitted[0][0]
    world.handle(Refused(token=token, error=LimitExceeded("full")))
    world.run()
    assert [row["k"] for row in world.content("t")] == [2]
    assert later in world.ports.replies


def test_what_a_connection_did_not_say_is_not_heard() -> None:
    world = World()
    world.connect("r1")
    world.lose("r1")
    world.respond("r1")
    assert world.ports.log[-1] == "open r1"
