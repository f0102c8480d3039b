"""What every operator is, and what a step carries besides the data."""

from __future__ import annotations

from collections.abc import Sequence

from antiphon.replica.dataflow.columns.zset import Zset


class Step:
    """One time being processed: where operators leave the errors they meet."""

    __slots__ = ("errors", "is_first", "is_load", "time")

    def __init__(self, time: int, *, is_first: bool, is_load: bool = False) -> None:
        """`is_load`: what goes in is a part of the content that all begins with."""
        self.time = time
        self.is_first = is_first
        self.is_load = is_load
        self.errors: list[Zset] = []


class Operator:
    """A node of a dataflow.

    `step` computes the output's change and keeps what it will do to its state; `commit` does it.
    So a step that does not come to its end changes nothing. Zsets between operators carry no
    errors of their own; they go to the step. Stateless operators only override `step`.
    """

    runs_first = False  # whether it has output at the first step even without input

    def step(self, inputs: Sequence[Zset | None], step: Step) -> Zset | None:
        """None: the output does not change."""
        raise NotImplementedError

    @property
    def next_time(self) -> int | None:
        """When it is to run even without input; None: input alone moves it."""
        return None

    def commit(self) -> None:
        """Called after every step that came to its end, for the operators that ran in it."""

    def abandon(self) -> None:
        """Called after a step that did not: what other operators can see of it goes."""

    def maintain(self, fuel_rows: int) -> bool:
        """Spend up to about `fuel_rows` on merges; True: there is more to do."""
        return False

    @property
    def state_rows(self) -> int:
        return 0

    @property
    def state_bytes(self) -> int:
        return 0
