"""A content on its way here: from the store, or from a peer."""

from __future__ import annotations

from dataclasses import dataclass, field

from antiphon.protocol.content_digest import EMPTY
from antiphon.protocol.dataflow import Import
from antiphon.protocol.ids import NO_EPOCH, Epoch
from antiphon.replica.dataflow.columns.zset import Zset
from antiphon.replica.importing.input import Input
from antiphon.replica.importing.source import Source


@dataclass(slots=True, kw_only=True)
class Load:
    """One snapshot under way: a source's base, or what a late reader brings."""

    imported: Import
    as_of: int
    source: Source | None  # None: for `reader` alone
    reader: Input | None
    brought: list[Zset] = field(default_factory=list)  # for `reader`
    retry_at_ms: int | None = None
    peer: str = ""  # a replica that gives the content; empty: the store
    epoch: Epoch = NO_EPOCH
    parts: int = 0  # received
    sum: int = EMPTY  # of the parts that a peer gave
    refused: bool = False  # for good, as long as the commands are the same
    has_failed: bool = False  # its peer does not give it; it waits to be told who does

    def restart(self) -> None:
        """The content comes again, from its first part on."""
        self.parts, self.sum = 0, EMPTY
        if self.source is not None:
            self.source.restart_base()
        if self.reader is not None:
            self.reader.restart()
            self.brought.clear()

    def is_due(self, now_ms: int) -> bool:
        """Whether it is to be read again."""
        return self.retry_at_ms is not None and self.retry_at_ms <= now_ms
