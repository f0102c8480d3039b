"""The checkers can fail: each kind of wrong answer is a violation."""

from collections import Counter

import pytest

from antiphon.proof.simulation.checkers import (
    Acknowledged,
    Answer,
    Interval,
    Observations,
    Violation,
    check,
)
from antiphon.proof.simulation.model import Change, Model, Row

ITEM = (1, "alpha", 10)
WRITE = Acknowledged(began_ms=0, ended_ms=10, time=5, change=Change(inserted=(ITEM,)))


def _answer(rows: list[Row], *, time: int = 5, began_ms: int = 20, view: str = "items") -> Answer:
    return Answer(
        view=view, began_ms=began_ms, ended_ms=began_ms + 5, time=time, rows=Counter(rows),
        replica="r1",
    )  # fmt: skip


def test_a_right_run_passes() -> None:
    intervals = [
        Interval(lower=0, upper=5, rows=()),
        Interval(lower=5, upper=6, rows=((("alpha", 1, 10, 10), 5, 1),)),
    ]
    check(
        Observations(
            answers=[_answer([ITEM]), _answer([("alpha", 1, 10, 10)], view="totals")],
            writes=[WRITE],
            intervals={"totals#1": intervals},
        )
    )


@pytest.mark.parametrize("rows", [[], [ITEM, ITEM], [(1, "alpha", 11)]])
def test_a_missing_a_doubled_and_a_wrong_row_are_violations(rows: list[Row]) -> None:
    with pytest.raises(Violation, match="items at 5"):
        check(Observations(answers=[_answer(rows)], writes=[WRITE]))


def test_a_read_before_an_acknowledged_write_is_a_violation() -> None:
    with pytest.raises(Violation, match="was read at 4"):
        check(Observations(answers=[_answer([], time=4)], writes=[WRITE]))


def test_a_read_that_began_before_the_write_ended_may_miss_it() -> None:
    check(Observations(answers=[_answer([], time=4, began_ms=9)], writes=[WRITE]))


def test_reads_never_go_back_in_time() -> None:
    later = _answer([ITEM], time=5, began_ms=20)
    earlier = _answer([], time=4, began_ms=40)
    write = Acknowledged(began_ms=0, ended_ms=90, time=5, change=Change(inserted=(ITEM,)))
    with pytest.raises(Violation, match="was read at 4"):
        check(Observations(answers=[later, earlier], writes=[write]))


@pytest.mark.parametrize(
    "intervals",
    [
        [Interval(lower=0, upper=5, rows=()), Interval(lower=6, upper=7, rows=())],
        [Interval(lower=0, upper=5, rows=()), Interval(lower=4, upper=6, rows=())],
        [Interval(lower=0, upper=6, rows=())],
        [Interval(lower=0, upper=6, rows=((ITEM, 9, 1),))],
    ],
)
def test_gaps_repeats_and_wrong_sums_of_a_subscribe_are_violations(
    intervals: list[Interval],
) -> None:
    with pytest.raises(Violation):
        check(Observations(writes=[WRITE], intervals={"items#1": intervals}))


def test_the_model_follows_feeds_and_joins() -> None:
    model = Model()
    model.apply(1, Change(inserted=(ITEM,), upserted=(("alpha", 3),)))
    model.apply(2, Change(upserted=(("alpha", 4),)))
    model.apply(3, Change(removed=("alpha",)))
    assert model.view("priced", 1) == Counter([(*ITEM, 3)])
    assert model.view("priced", 2) == Counter([(*ITEM, 4)])
    assert model.view("priced", 3) == Counter([(*ITEM, None)])
    assert model.view("totals", 3) == Counter([("alpha", 1, 10, 10)])
