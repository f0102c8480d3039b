"""From the driver's replies to the calls that wait for them.

A call takes a number, and a mailbox that the driver fills. A mailbox is bounded in bytes: a
subscriber that reads too slowly is ended, it never holds the controller's memory. One batch alone,
however large, is nobody's slowness.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from antiphon.controller.ports import ErrorReply, PieceReply, Reply, RowsReply, SubscribeReply
from antiphon.protocol.errors import LimitExceeded
from antiphon.protocol.limits import SUBSCRIBE_QUEUE_BYTES_MAX

_MESSAGE_BYTES: Final = 64  # what a reply costs beside its batches


class Mailbox:
    """The replies to one request, in order."""

    def __init__(self, request: int) -> None:
        self.request = request
        self.is_over = False  # the driver's last reply was taken
        self._overflowed = False
        self._replies: deque[Reply] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._bytes = 0

    @property
    def has_reply(self) -> bool:
        return bool(self._replies)

    def put(self, reply: Reply) -> None:
        self._bytes += _size(reply)
        is_behind = bool(self._replies) and self._bytes > SUBSCRIBE_QUEUE_BYTES_MAX
        if is_behind and isinstance(reply, SubscribeReply):
            # The driver knows nothing of this end: the call still has to be canceled there.
            self._overflowed = True
            self._replies.clear()
            limit = LimitExceeded(
                f"the subscriber is {SUBSCRIBE_QUEUE_BYTES_MAX} bytes behind; subscribe again from "
                "the last frontier",
                limit="SUBSCRIBE_QUEUE_BYTES_MAX",
            )
            reply = ErrorReply(limit)
        self._replies.append(reply)
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def get(self) -> Reply:
        """The next reply.

        Raises:
            ComputeError: the reply is one.
        """
        while not self._replies:
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        reply = self._replies.popleft()
        self._bytes -= _size(reply)
        self.is_over = _is_last(reply) and not self._overflowed
        if isinstance(reply, ErrorReply):
            raise reply.error
        return reply


def _is_last(reply: Reply) -> bool:
    match reply:
        case SubscribeReply(upper=upper):
            return upper.is_closed
        case PieceReply():
            return False
        case _:
            return True


def _size(reply: Reply) -> int:
    if isinstance(reply, RowsReply | SubscribeReply):
        return _MESSAGE_BYTES + sum(len(batch) for batch in reply.batches)
    return _MESSAGE_BYTES


class Replies:
    """The driver's `ReplyPort`."""

    def __init__(self) -> None:
        self._mailboxes: dict[int, Mailbox] = {}
        self._numbers = 0

    def open(self) -> Mailbox:
        """A fresh request number with its mailbox; `close` it when the call ends."""
        self._numbers += 1
        mailbox = Mailbox(self._numbers)
        self._mailboxes[mailbox.request] = mailbox
        return mailbox

    def close(self, mailbox: Mailbox) -> None:
        self._mailboxes.pop(mailbox.request, None)

    @contextmanager
    def opened(self, canceled: Callable[[int], None]) -> Iterator[Mailbox]:
        """For as long as a call lasts. `canceled` is told its number if it ends before its last
        reply was taken."""
        mailbox = self.open()
        try:
            yield mailbox
        finally:
            self.close(mailbox)
            if not mailbox.is_over:
                canceled(mailbox.request)

    def reply(self, request: int, reply: Reply) -> None:
        mailbox = self._mailboxes.get(request)
        if mailbox is not None:
            mailbox.put(reply)

    def fail_all(self, error: ErrorReply) -> None:
        """The controller stops: nobody will answer any more."""
        for mailbox in list(self._mailboxes.values()):
            mailbox.put(error)
