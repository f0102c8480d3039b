"""An import that is looked up where it is arranged for all who read it.

The operator holds nothing: it says what changes in a step, and looks at the arrangement as of the
step's time. While a dataflow is filled the arrangement has the whole content already, so only one
side of a join may bring its content as changes; `Join` sees to it.
"""

from __future__ import annotations

from collections.abc import Sequence

from antiphon.protocol.selection import Selected
from antiphon.replica.dataflow.arrangements.batch import Batch
from antiphon.replica.dataflow.arrangements.intake import Change
from antiphon.replica.dataflow.arrangements.reading import Reading
from antiphon.replica.dataflow.columns.zset import Zset
from antiphon.replica.dataflow.operators.arrange import Arranged, change_by
from antiphon.replica.dataflow.operators.operator import Operator, Step


class Imported(Operator, Arranged):
    """`selected`: what its input is of an import; `key_indices`: of the input. `reading` is set
    before the first step."""

    is_whole = True

    def __init__(self, selected: Selected, key_indices: Sequence[int], *, drop_nulls: bool) -> None:
        self.collection = selected.collection
        self.columns = selected.columns
        self.selection = selected.selection
        self.key_indices = tuple(key_indices)
        self.key = tuple(self.columns[index] for index in key_indices)
        self.reading: Reading | None = None
        self.pending: Change | None = None
        self._drop_nulls = drop_nulls

    def step(self, inputs: Sequence[Zset | None], step: Step) -> Zset | None:
        self.pending = None
        change = inputs[0]
        assert change is not None, "the scheduler runs only what has input"
        assert self.reading is not None, "nobody said where it is arranged"
        words = None if step.is_load else self.reading.words(step.time)
        found = change_by(change, self.key_indices, drop_nulls=self._drop_nulls, words=words)
        if found is None:
            return None
        self.pending, change = found
        return change

    def before(self, step: Step) -> list[Batch]:
        return self._until(step.time - 1)

    def after(self, step: Step) -> list[Batch]:
        return self._until(step.time)

    def _until(self, time: int) -> list[Batch]:
        assert self.reading is not None, "nobody said where it is arranged"
        batches = self.reading.until(time)
        places = self.reading.arrangement.columns
        if places == self.columns:
            return batches
        order = [places.index(column) for column in self.columns]
        return [
            Batch(b.ranks, tuple([b.columns[i] for i in order]), b.diffs, b.times, b.until, b.radix)
            for b in batches
        ]

    def commit(self) -> None:
        self.pending = None

    def abandon(self) -> None:
        self.pending = None
