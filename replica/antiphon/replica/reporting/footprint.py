"""The memory that dataflows hold, measured where something may have changed and nowhere else."""

from __future__ import annotations

from typing import Generic, Protocol, TypeVar


class Measured(Protocol):
    """What an installed dataflow is here."""

    @property
    def state_bytes(self) -> int: ...


T = TypeVar("T", bound=Measured)


class Footprint(Generic[T]):
    """A sum of `state_bytes`. Whoever changes a dataflow says so."""

    def __init__(self) -> None:
        self._known: dict[T, int] = {}
        self._stale: dict[T, None] = {}
        self._sum = 0

    def changed(self, dataflow: T) -> None:
        """It is new, or may hold more or less than when it was measured."""
        self._stale[dataflow] = None

    def forget(self, dataflow: T) -> None:
        """It is gone."""
        self._stale.pop(dataflow, None)
        self._sum -= self._known.pop(dataflow, 0)

    @property
    def byte_count(self) -> int:
        """Of all. O(those that changed since it was last asked for)."""
        for dataflow in self._stale:
            found = dataflow.state_bytes
            self._sum += found - self._known.get(dataflow, 0)
            self._known[dataflow] = found
        self._stale.clear()
        return self._sum
