"""The unedited tail of the history, as far as the instance keeps it at hand.

A replica that missed a few commands is sent exactly those, so they are kept as they are stored,
with the digest of the chain at each. What is folded into the base leaves here.
"""

from __future__ import annotations

from collections.abc import Iterable

from antiphon.history.digest import EMPTY_DIGEST, extend
from antiphon.history.journal import KINDS, Record, record_of, sent_of, subject_of
from antiphon.history.store import StoredCommand
from antiphon.protocol.codec import command_to_bytes
from antiphon.protocol.command import Command, Sent
from antiphon.protocol.ids import NO_POSITION, Position


class CommandLog:
    """Commands in (base, head], each with the digest up to and with it.

    Args:
        stored: the log of a store, in order.
        base: after which it begins.
        base_digest: of the chain up to there.
    """

    def __init__(
        self,
        stored: Iterable[StoredCommand] = (),
        *,
        base: Position = NO_POSITION,
        base_digest: bytes = EMPTY_DIGEST,
    ) -> None:
        self.base = base
        self._base_digest = base_digest
        self._records: list[Record] = []
        self._digests: list[bytes] = []
        for command in stored:
            assert command.position == self.head + 1, f"{command.position} after {self.head}"
            self._records.append(record_of(command))
            self._digests.append(command.digest)

    @property
    def head(self) -> Position:
        return Position(self.base + len(self._records))

    def append(self, command: Command) -> bytes:
        """The next command of the history; the digest with it."""
        position = Position(self.head + 1)
        payload = command_to_bytes(command)
        kind = KINDS[type(command)]
        last = self._digests[-1] if self._digests else self._base_digest
        digest = extend(last, position, kind, payload)
        self._records.append(
            Record(position=position, kind=kind, subject=subject_of(command), payload=payload)
        )
        self._digests.append(digest)
        return digest

    def follow(self, command: StoredCommand) -> None:
        """The next command, which another controller has made durable."""
        assert command.position == self.head + 1, f"{command.position} follows {self.head}"
        self._records.append(record_of(command))
        self._digests.append(command.digest)

    def digest_at(self, position: Position) -> bytes | None:
        """Of the chain up to `position`; None: that is not known here."""
        if position == NO_POSITION:
            return EMPTY_DIGEST
        if position == self.base:
            return self._base_digest
        place = position - self.base - 1
        return self._digests[place] if 0 <= place < len(self._digests) else None

    def byte_count(self, position: Position) -> int:
        """Of the command there, without its envelope."""
        return len(self._records[position - self.base - 1].payload)

    def suffix(self, position: Position) -> list[Sent]:
        """Every command after `position`, unedited."""
        known = self.base <= position <= self.head
        assert known, f"{position} is not in ({self.base}, {self.head}]"
        return [sent_of(record) for record in self._records[position - self.base :]]

    def fold(self, to: Position) -> None:
        """The commands up to `to` are in the base."""
        assert self.base <= to <= self.head, f"{to} is not in ({self.base}, {self.head}]"
        digest = self.digest_at(to)
        assert digest is not None, "every position of the log has its digest"
        cut = to - self.base
        del self._records[:cut], self._digests[:cut]
        self.base, self._base_digest = to, digest
