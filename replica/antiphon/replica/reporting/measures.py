"""What is told of the memory that dataflows take, and of the arrangements that they share."""

from __future__ import annotations

from typing import Final

from antiphon.protocol.limits import ARRANGEMENTS_TOLD_MAX
from antiphon.protocol.response import ArrangementState
from antiphon.replica.held import Held

MEASURE_INTERVAL_MS: Final = 1_000  # a heartbeat; measuring looks at every batch


class Measures:
    """Measured at most once in a while; what was found last until then."""

    def __init__(self, held: Held) -> None:
        self._held = held
        self._found: tuple[ArrangementState, ...] = ()
        self._at_ms: int | None = None
        self.state_bytes = 0  # of all dataflows, as last measured

    def arrangements(self, now_ms: int) -> tuple[tuple[ArrangementState, ...], bool]:
        """(the largest first, whether that is how it is now). O(batches of all arrangements)."""
        is_due = self._at_ms is None or now_ms - self._at_ms >= MEASURE_INTERVAL_MS
        if is_due:
            self._at_ms = now_ms
            self.state_bytes = self._held.state_bytes
            found = [
                ArrangementState(
                    collection=collection,
                    key_columns=each.arrangement.key,
                    column_count=len(each.arrangement.columns),
                    row_count=each.arrangement.row_count,
                    byte_count=each.arrangement.byte_count,
                    reader_count=each.reader_count,
                    selection=each.selection,
                )
                for collection, each in self._held.arranged
            ]
            found.sort(key=_largest_first)
            self._found = tuple(found[:ARRANGEMENTS_TOLD_MAX])
        return self._found, is_due


def _largest_first(one: ArrangementState) -> tuple[int, int, tuple[int, ...], str]:
    return -one.byte_count, one.collection, one.key_columns, repr(one.selection)
