"""The newest row of each key of a feed, by which overwrites become differences.

It is an arrangement like others, by the feed's key and with all columns, and dataflows that look
the feed up by its key do so here: so its rows are held once. The feed's source is a reader of it
that is never behind: it needs what is there after the last tick. So it is there from the source's
beginning, folds all but the last tick while nobody else reads it, and stays when others go.
"""

from __future__ import annotations

from collections.abc import Callable

from antiphon.protocol.dataflow import Import
from antiphon.protocol.frontier import TIME_MAX, Frontier
from antiphon.protocol.selection import ALL
from antiphon.replica.dataflow.arrangements.batch import Batch, build_batch
from antiphon.replica.dataflow.columns.zset import Zset, concat_rows
from antiphon.replica.dataflow.overwrites import differences
from antiphon.replica.importing.arrangements import Arranging
from antiphon.replica.importing.deltas import Ticks


class Newest(Arranging):
    """Of the feed that is imported, from its content at `since` on. `untidied` as of Arranging."""

    is_kept = True

    def __init__(self, imported: Import, since: int, untidied: Callable[[Arranging], None]) -> None:
        self._schema = imported.schema
        columns = range(len(imported.schema))
        key = sorted(imported.key_columns)
        super().__init__(imported.collection, since, columns, key, ALL, untidied)

    def differences(self, overwrites: Zset) -> Zset:
        """What they change in the rows that there are."""
        arrangement = self.arrangement
        return differences(overwrites, arrangement.key, arrangement.until(TIME_MAX))

    def absorb(self, overwrites: Zset) -> None:
        """Takes them in as a part of the content."""
        self.load(self.differences(overwrites))

    def overwrite(self, time: int, overwrites: Zset) -> Zset:
        """Takes in the overwrites of one tick after all before it; its differences."""
        change = self.differences(overwrites)
        self.deliver([(time, change)], Frontier(time + 1))
        return change

    def complete(self, time: int) -> None:
        """What it has is the content at `time`, whole."""
        self.arrangement.fold(time)
        self.loaded = True
        self.deliver((), Frontier(time + 1))

    def parts(self, time: int) -> list[Zset]:
        """The content at `time`, which is not folded, as a sum; older parts first."""
        errors = self.arrangement.errors(time)
        found = self.arrangement.parts(time)
        if errors is not None:
            nothing = Zset.empty(self._schema)
            found.append(Zset(nothing.columns, nothing.diffs, errors))
        return found

    def held(self, time: int, later: Ticks) -> list[Batch]:
        """Batches without times that add up to the content at `time`. `later`: if that is folded,
        what changed after it, up to what is."""
        arrangement = self.arrangement
        found = [batch.seen() for batch in arrangement.until(max(time, arrangement.since))]
        undone = concat_rows([change.negated() for _, change in later])
        if undone is not None:
            found.append(build_batch(undone.columns, undone.diffs, arrangement.key))
        return found
