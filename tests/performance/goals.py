"""The goals: what every ratio is held against; `goals.toml` lists them with what is measured."""

from __future__ import annotations

import operator
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

FILE: Final = Path(__file__).with_name("goals.toml")
_COMPARE: Final[Mapping[str, Callable[[float, float], bool]]] = {
    "<=": operator.le,
    ">=": operator.ge,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """`name` is group.key; `bound` is met by a ratio that compares so."""

    name: str
    comparison: str
    bound: float
    what: str

    def is_met(self, ratio: float) -> bool:
        return _COMPARE[self.comparison](ratio, self.bound)

    def __str__(self) -> str:
        return f"{self.comparison} {self.bound:g}"


def goals() -> dict[str, Goal]:
    """By name, in the order of the file."""
    found: dict[str, Goal] = {}
    for group, benchmarks in tomllib.loads(FILE.read_text("utf-8")).items():
        for key, entry in benchmarks.items():
            comparison, bound = entry["goal"].split()
            name = f"{group}.{key}"
            found[name] = Goal(
                name=name, comparison=comparison, bound=float(bound), what=entry["what"]
            )
    return found


def chosen(wanted: str) -> list[Goal]:
    """All goals for an empty name, those of a group, or the one of that name; none if unknown."""
    group = [goal for goal in goals().values() if goal.name.partition(".")[0] == wanted]
    if not wanted:
        return list(goals().values())
    return group or [goal for goal in goals().values() if goal.name == wanted]
