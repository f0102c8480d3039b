"""The unedited tail of the history, as far as the instance keeps it at hand.

A replica that missed a few commands is sent exactly those, so they are kept as they are stored,
with the digest of the chain at each. What is folded into the base some day leaves here first.
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
    """Commands in (base, head], each with the digest up to and with it."""

    def __init__(self, stored: Iterable[StoredCommand] = ()) -> None:
        self._records: list[Record] = []
        self._digests: list[bytes] = []
        for command in stored:
            self._records.append(record_of(command))
            self._digests.append(command.digest)
        first = self._records[0].position if self._records else Position(1)
        self.base = Position(first - 1)

    @property
    def head(self) -> Position:
        return Position(self.base + len(self._records))

    def append(self, command: Command) -> bytes:
        """The next command of the history; the digest with it."""
        position = Position(self.head + 1)
        payload = command_to_bytes(command)
        kind = KINDS[type(command)]
        last = self.digest_at(self.head)
        assert last is not None, "an empty log begins at the beginning"
        digest = extend(last, position, kind, payload)
        self._records.append(
            Record(position=position, kind=kind, subject=subject_of(command), payload=payload)
        )
        self._digests.append(digest)
        return digest

    def digest_at(self, position: Position) -> bytes | None:
        """Of the chain up to `position`; None: that is not known here."""
        if position == NO_POSITION:
            return EMPTY_DIGEST
        place = position - self.base - 1
        return self._digests[place] if 0 <= place < len(self._digests) else None

    def suffix(self, position: Position) -> list[Sent]:
        """Every command after `position`, unedited."""
        known = self.base <= position <= self.head
        assert known, f"{position} is not in ({self.base}, {self.head}]"
        return [sent_of(record) for record in self._records[position - self.base :]]
