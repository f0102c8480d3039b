"""Which dataflows may have something to do, so that those that have not cost nothing.

A thousand views may be installed while a tick concerns two. Whoever gives a dataflow something says
so here: what arrives at its inputs *stirs* it, what it computes or may forget leaves it *untidy*,
with merges to do. Both are hints: who is named is asked, who is not named is not.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar


class Task(Protocol):
    """What an installed dataflow is to an agenda."""

    hydrated: bool

    @property
    def is_ready(self) -> bool: ...

    @property
    def pending_ticks(self) -> int: ...

    def maintain(self, fuel_rows: int) -> bool: ...


T = TypeVar("T", bound=Task)


class Agenda(Generic[T]):
    """Dataflows in turn, each at most once in a row of each kind."""

    def __init__(self, tended: Callable[[T], None]) -> None:
        """`tended`: told of each dataflow that was maintained."""
        self._tended = tended
        self._stirred: OrderedDict[T, None] = OrderedDict()
        self._untidy: OrderedDict[T, None] = OrderedDict()
        self._stuck: dict[T, None] = {}  # cannot go on with what has arrived until more does

    def stir(self, dataflow: T) -> None:
        """It may be ready. Whoever is named already keeps its place."""
        self._stirred[dataflow] = None
        self._stuck.pop(dataflow, None)

    def untidy(self, dataflow: T) -> None:
        """It may have merges to do."""
        self._untidy[dataflow] = None

    def forget(self, dataflow: T) -> None:
        """It is gone."""
        self._stirred.pop(dataflow, None)
        self._untidy.pop(dataflow, None)
        self._stuck.pop(dataflow, None)

    @property
    def backlog_ticks(self) -> int:
        """Of the dataflow that has most to take in. O(dataflows that have any)."""
        return max((each.pending_ticks for each in (*self._stirred, *self._stuck)), default=0)

    @property
    def is_ready(self) -> bool:
        """Whether any dataflow would get further."""
        return self._first(hydrating=True) is not None

    def take(self, *, hydrating: bool) -> T | None:
        """The dataflow whose turn it is, among those that would get further; without `hydrating`,
        only of those that are filled. It is named no more: stir it again if it may have more to do,
        and it is last."""
        first = self._first(hydrating=hydrating)
        if first is not None:
            del self._stirred[first]
        return first

    def maintain(self, fuel_rows: int, *, filling: bool = False) -> bool:
        """One slice of background work, of whoever has some, each in turn; of those alone that are
        yet to be filled, if so asked. True: there may be more of it."""
        while (dataflow := self._next_untidy(filling=filling)) is not None:
            more = dataflow.maintain(fuel_rows)
            self._tended(dataflow)
            if more:
                self._untidy.move_to_end(dataflow)  # whoever took it all lets the others go first
                return True
            del self._untidy[dataflow]
        return False

    def _next_untidy(self, *, filling: bool) -> T | None:
        return next((each for each in self._untidy if not (filling and each.hydrated)), None)

    def _first(self, *, hydrating: bool) -> T | None:
        idle: list[T] = []
        first: T | None = None
        for dataflow in self._stirred:
            if not dataflow.is_ready:
                idle.append(dataflow)
            elif hydrating or dataflow.hydrated:
                first = dataflow
                break
        for dataflow in idle:
            del self._stirred[dataflow]
            if dataflow.pending_ticks:
                self._stuck[dataflow] = None
        return first
