"""The goals can be read, each has a benchmark that measures it, and a ratio is judged rightly."""

from __future__ import annotations

import json

import pytest

from tests.performance.__main__ import GROUPS
from tests.performance.goals import Goal, chosen, goals
from tests.performance.report import Measured, as_json, as_line, missing, verdict

AT_LEAST = Goal(name="engine.group_10", comparison=">=", bound=1.0, what="theirs / ours")
AT_MOST = Goal(name="engine.memory", comparison="<=", bound=1.0, what="bytes / budget")


def test_every_goal_has_a_group_that_measures_it() -> None:
    assert {name.partition(".")[0] for name in goals()} == set(GROUPS)


@pytest.mark.parametrize(
    ("goal", "ratio", "expected"),
    [
        (AT_LEAST, 1.0, "met"),
        (AT_LEAST, 0.99, "NOT MET"),
        (AT_MOST, 1.0, "met"),
        (AT_MOST, 1.01, "NOT MET"),
        (AT_MOST, None, "not measured"),
    ],
)
def test_a_ratio_is_held_against_its_goal(goal: Goal, ratio: float | None, expected: str) -> None:
    assert verdict(goal, Measured(ratio=ratio)) == expected


def test_a_name_chooses_all_a_group_or_one() -> None:
    assert len(chosen("")) == len(goals())
    assert {goal.name.partition(".")[0] for goal in chosen("engine")} == {"engine"}
    assert [goal.name for goal in chosen("engine.memory")] == ["engine.memory"]
    assert chosen("engine.nothing") == []


def test_json_says_all_that_a_line_says() -> None:
    measured = Measured(ratio=2.5, inputs={"ours_p50_ms": 0.4, "pathway_p50_ms": 1.0})
    found = json.loads(as_json(AT_LEAST, measured))
    assert (found["name"], found["ratio"], found["verdict"]) == ("engine.group_10", 2.5, "met")
    assert found["inputs"] == measured.inputs
    assert "ours_p50_ms 0.4" in as_line(AT_LEAST, measured)


def test_what_is_missing_says_why() -> None:
    assert "needs Java" in as_line(AT_LEAST, missing("deephaven needs Java"))
