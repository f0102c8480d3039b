"""What a benchmark found, as a line for people or a JSON object for programs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.performance.goals import Goal

Inputs = Mapping[str, float | int | str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A ratio and the numbers it was made of. `ratio` None: not measured, and `why`."""

    ratio: float | None
    inputs: Inputs = field(default_factory=dict)
    why: str = ""


def missing(why: str) -> Measured:
    return Measured(ratio=None, why=why)


def verdict(goal: Goal, measured: Measured) -> str:
    if measured.ratio is None:
        return "not measured"
    return "met" if goal.is_met(measured.ratio) else "NOT MET"


def as_line(goal: Goal, measured: Measured) -> str:
    ratio = "-" if measured.ratio is None else f"{measured.ratio:.3g}"
    went_in = measured.why or ", ".join(f"{k} {_number(v)}" for k, v in measured.inputs.items())
    return f"{goal.name:24} {ratio:>8}  {goal!s:>9}  {verdict(goal, measured):12}  {went_in}"


def as_json(goal: Goal, measured: Measured) -> str:
    return json.dumps(
        {
            "name": goal.name,
            "ratio": measured.ratio,
            "goal": str(goal),
            "verdict": verdict(goal, measured),
            "what": goal.what,
            "inputs": dict(measured.inputs),
            "why": measured.why,
        }
    )


def _number(value: float | int | str) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


HEADER = f"{'benchmark':24} {'ratio':>8}  {'goal':>9}  {'verdict':12}  what went into it"
