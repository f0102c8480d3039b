"""Inputs at rest, by what would concern them: a change finds those whose constant it has."""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow.compute as pc

from antiphon.protocol.expression import Expression
from antiphon.replica.dataflow.columns.zset import Zset
from antiphon.replica.dataflow.expressions.evaluate import evaluate
from antiphon.replica.dataflow.expressions.frame import Frame
from antiphon.replica.importing.input import Input
from antiphon.replica.installing.guard import Guard

_Waiting = dict[Input, None]


class Router:
    """The inputs of one source that rest."""

    def __init__(self) -> None:
        self._guards: dict[Input, Guard | None] = {}
        self._any: _Waiting = {}  # whatever comes concerns them
        self._by_value: dict[Expression, dict[int | str, _Waiting]] = {}

    def __contains__(self, reader: Input) -> bool:
        return reader in self._guards

    def add(self, reader: Input, guard: Guard | None) -> None:
        assert reader not in self._guards, "it rests already"
        self._guards[reader] = guard
        if guard is None:
            self._any[reader] = None
        else:
            values = self._by_value.setdefault(guard.expression, {})
            values.setdefault(guard.value, {})[reader] = None

    def remove(self, reader: Input) -> None:
        guard = self._guards.pop(reader)
        if guard is None:
            del self._any[reader]
            return
        values = self._by_value[guard.expression]
        del values[guard.value][reader]
        if not values[guard.value]:
            del values[guard.value]
        if not values:
            del self._by_value[guard.expression]

    def concerned(self, changes: Iterable[Zset]) -> list[Input]:
        """Whoever may have to look at one of the changes, each once.

        O(rows) for each expression, and the inputs that are found; none that are not.
        """
        found: _Waiting = {}
        for change in changes:
            if change.is_empty or not self._guards:
                continue
            if change.errors is not None:
                return list(self._guards)
            found |= self._any
            for expression, values in self._by_value.items():
                _find(change, expression, values, found)
        return list(found)


def _find(
    change: Zset, expression: Expression, values: dict[int | str, _Waiting], found: _Waiting
) -> None:
    frame = Frame(change.columns, change.row_count)
    computed = evaluate(frame, expression)
    if frame.failed is not None:  # what fails is an error of each of them
        for waiting in values.values():
            found |= waiting
        return
    for value in pc.unique(computed.array).to_pylist():
        found |= values.get(value, {})
