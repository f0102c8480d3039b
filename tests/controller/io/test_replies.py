"""Mailboxes: replies in order, to whom they belong, and never more than a bound."""

from __future__ import annotations

import asyncio

import pytest

from antiphon.controller.io import replies as module
from antiphon.controller.io.replies import Replies
from antiphon.controller.ports import DoneReply, ErrorReply, SubscribeReply
from antiphon.protocol.errors import LimitExceeded, Unavailable
from antiphon.protocol.frontier import CLOSED, Frontier


def interval(upper: Frontier, size: int = 10) -> SubscribeReply:
    return SubscribeReply(lower=Frontier(0), upper=upper, batches=(bytes(size),))


async def test_a_reply_reaches_the_one_who_waits() -> None:
    replies = Replies()
    one, two = replies.open(), replies.open()
    waiting = asyncio.ensure_future(one.get())
    await asyncio.sleep(0)
    replies.reply(two.request, DoneReply(tag="TWO"))
    replies.reply(one.request, DoneReply(tag="ONE"))
    assert await waiting == DoneReply(tag="ONE")
    assert await two.get() == DoneReply(tag="TWO")
    assert one.is_over
    assert two.is_over


async def test_a_closed_mailbox_takes_nothing() -> None:
    replies = Replies()
    mailbox = replies.open()
    replies.close(mailbox)
    replies.reply(mailbox.request, DoneReply(tag="LATE"))
    assert not mailbox.has_reply


async def test_intervals_are_not_the_end_but_the_closed_one_is() -> None:
    mailbox = Replies().open()
    mailbox.put(interval(Frontier(5)))
    mailbox.put(interval(CLOSED))
    await mailbox.get()
    assert not mailbox.is_over
    await mailbox.get()
    assert mailbox.is_over


async def test_a_slow_subscriber_is_ended_but_not_over_for_the_driver(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "SUBSCRIBE_QUEUE_BYTES_MAX", 500)
    mailbox = Replies().open()
    for upper in range(1, 20):
        mailbox.put(interval(Frontier(upper), 100))
    with pytest.raises(LimitExceeded):
        await mailbox.get()
    assert not mailbox.is_over, "the driver has yet to be told"


async def test_a_reader_that_keeps_up_is_never_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SUBSCRIBE_QUEUE_BYTES_MAX", 500)
    mailbox = Replies().open()
    for upper in range(1, 100):
        mailbox.put(interval(Frontier(upper), 100))
        assert isinstance(await mailbox.get(), SubscribeReply)


async def test_all_who_wait_hear_of_the_end() -> None:
    replies = Replies()
    mailboxes = [replies.open() for _ in range(3)]
    replies.fail_all(ErrorReply(Unavailable("the controller stops")))
    for mailbox in mailboxes:
        with pytest.raises(Unavailable):
            await mailbox.get()


async def test_one_large_interval_is_no_slowness(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SUBSCRIBE_QUEUE_BYTES_MAX", 500)
    mailbox = Replies().open()
    mailbox.put(interval(Frontier(1), 1_000))
    assert await mailbox.get() == interval(Frontier(1), 1_000)
    mailbox.put(interval(Frontier(2), 1_000))
    mailbox.put(interval(Frontier(3)))
    with pytest.raises(LimitExceeded):
        await mailbox.get()
