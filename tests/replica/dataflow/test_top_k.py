"""Top-k of large groups: what is read is the front, and the answer is the same."""

import math
import random
from collections import Counter
from decimal import Decimal

import pytest

from antiphon.protocol.plan import SortKey, TopK
from antiphon.protocol.schema import DATE, FLOAT64, INT64, TEXT, Column, Schema
from antiphon.replica.dataflow.graph import Dataflow, ImportSpec
from antiphon.replica.dataflow.operators.windowing import top_k
from tests.reference.plans import canonical_row, clean, result_of
from tests.replica.dataflow.changes import MONEY, A, add, get, rows_of, unquoted, zset

SCHEMA = Schema(
    tuple(
        Column(name=n, type=t)
        for n, t in (
            ("g", INT64), ("n", INT64), ("x", FLOAT64), ("s", TEXT), ("m", MONEY), ("d", DATE)
        )
    )
)  # fmt: skip
WORDS = ["", "a", "prefix of eight", "prefix of eighty", "prefix o", "z", "\u00e9t\u00e9"]


def random_row(rng):
    return (
        rng.randrange(2),
        rng.choice([None, rng.randrange(-50, 50), rng.randrange(10**6)]),
        rng.choice([None, math.nan, math.inf, rng.random(), -rng.random()]),
        rng.choice([None, *WORDS]),
        rng.choice([None, Decimal(rng.randrange(-9999, 9999)).scaleb(-2)]),
        rng.choice([None, rng.randrange(-9, 9)]),
    )


class Checked:
    def __init__(self, plan):
        self.plan = plan
        self.flow = Dataflow.build(plan, {A: ImportSpec(schema=SCHEMA)})
        self.content, self.seen, self.time = Counter(), Counter(), 0

    def step(self, tick):
        self.time += 1
        for row, diff in tick:
            self.content[canonical_row(row)] += diff
        self.content = clean(self.content)
        add(self.seen, rows_of(self.flow.step(self.time, {A: zset(SCHEMA, tick)}))[0])
        assert clean(self.seen) == result_of(self.plan, {A: self.content})[0]
        self.flow.maintain(50)

    def best(self):
        return [(unquoted(row), -count) for row, count in clean(self.seen).items()]


@pytest.mark.parametrize("seed", range(12))
def test_fronts_follow_inserts_deletes_and_refills(seed):
    rng = random.Random(seed)
    order = tuple(
        SortKey(column=c, descending=rng.random() < 0.5, nulls_first=rng.random() < 0.5)
        for c in rng.sample(range(1, 6), rng.choice([1, 2]))
    )
    plan = TopK(
        input=get(A, SCHEMA), group_by=(0,) if seed % 2 else (), order_by=order,
        limit=rng.choice([1, 3]), offset=rng.choice([0, 2]),
    )  # fmt: skip
    checked = Checked(plan)
    checked.step([(random_row(rng), 1) for _ in range(250)])
    for _ in range(14):
        tick = [(random_row(rng), 1) for _ in range(rng.choice([0, 1, 5, 40]))]
        if rng.random() < 0.7:
            tick += checked.best()  # take the winners away: fronts run dry
        present = list(checked.content)
        chosen = rng.sample(present, min(len(present), rng.choice([0, 10, 60])))
        leaving = {canonical_row(row) for row, diff in tick if diff < 0}
        tick += [(unquoted(row), -1) for row in chosen if row not in leaving]
        checked.step(tick)
    checked.step([(unquoted(row), -count) for row, count in checked.content.items()])
    while checked.flow.maintain(1_000):
        pass
    assert checked.flow.state_rows == 0


@pytest.mark.parametrize("seed", range(24))
def test_groups_about_as_large_as_what_is_shown(seed):
    rng = random.Random(seed)
    nulls_first, descending = rng.random() < 0.5, rng.random() < 0.5
    column = rng.choice([1, 3])
    plan = TopK(
        input=get(A, SCHEMA), group_by=(0, 5),
        order_by=(SortKey(column=column, descending=descending, nulls_first=nulls_first),),
        limit=rng.choice([0, 1, 3, 4]), offset=0 if seed % 4 else 2,
    )  # fmt: skip
    checked = Checked(plan)
    numbers = rng.choice([4, 30])  # few: most rows tie
    for _ in range(25):
        tick = []
        for copies in rng.choices([1, 2, 3], k=rng.choice([0, 2, 9])):
            number = rng.choice([None, *range(numbers)])
            row = (rng.randrange(3), number, None, rng.choice(WORDS), None, rng.choice([None, 1]))
            tick.append((row, copies))
        present = list(checked.content.items())
        for row, count in rng.sample(present, min(len(present), rng.choice([1, 4, 12]))):
            tick.append((unquoted(row), -rng.randint(1, count)))
        checked.step(tick)
    checked.step([(unquoted(row), -count) for row, count in checked.content.items()])
    while checked.flow.maintain(1_000):
        pass
    assert checked.flow.state_rows == 0


def test_small_and_large_groups_change_together():
    rng = random.Random(1)
    plan = TopK(input=get(A, SCHEMA), group_by=(0,), order_by=(SortKey(column=1),), limit=2)
    checked = Checked(plan)
    sizes = [1, 2, 3, 10, 150, 300]  # the last two have fronts
    for _ in range(12):
        tick = []
        for group, size in enumerate(sizes):
            present = [row for row in checked.content if unquoted(row)[0] == group]
            leaving = rng.sample(present, min(len(present), rng.choice([0, 1, size])))
            tick += [(unquoted(row), -checked.content[row]) for row in leaving]
            more = rng.choice([0, 1, size])
            tick += [((group, rng.randrange(10**6), *[None] * 4), 1) for _ in range(more)]
        checked.step(tick)


def row_of(group, number, word=None):
    return (group, number, None, word, None, None)


@pytest.fixture
def read(monkeypatch):
    """The keys whose rows were looked up."""
    seen = []

    def probed(batches, words):
        seen.extend(words.tolist())
        return probe_keys(batches, words)

    probe_keys = top_k.probe_keys
    monkeypatch.setattr(top_k, "probe_keys", probed)
    return seen


def test_a_group_that_shows_all_it_has_is_not_read(read):
    plan = TopK(input=get(A, SCHEMA), group_by=(0,), order_by=(SortKey(column=1),), limit=3)
    checked = Checked(plan)
    checked.step([(row_of(g, n), 1) for g in range(5) for n in range(2)])
    checked.step([(row_of(0, 7), 1), (row_of(1, 0), -1)])
    checked.step([(row_of(9, 7), 3), (row_of(1, 1), -1)])
    assert not read, "no group has more than three rows"
    checked.step([(row_of(0, 1), 2), (row_of(2, 7), 1)])
    assert len(set(read)) == 1, "one has five rows, of which three are shown"


def test_what_is_behind_the_last_row_shown_is_not_read(read):
    plan = TopK(input=get(A, SCHEMA), group_by=(0,), order_by=(SortKey(column=1),), limit=3)
    checked = Checked(plan)
    checked.step([(row_of(g, 10 * n), 1) for g in range(2) for n in range(10)])
    read.clear()
    checked.step([(row_of(0, 30), -1), (row_of(0, 50), 2), (row_of(1, 110), 1)])
    checked.step([(row_of(0, 50), -3), *((row_of(0, 10 * n), -1) for n in range(6, 10))])
    assert not read, "the first three, 0 to 20, stay"
    checked.step([(row_of(0, 20, word), 1) for word in WORDS])
    assert read, "rows that tie with the last one may come before it"
    checked.step([(row_of(0, 0), -1), (row_of(0, 10), -1), (row_of(1, 10), -1)])
    read.clear()
    checked.step([(row_of(1, 30), -1)])
    assert read, "now it is shown"


def test_the_last_row_shown_moves_while_all_are_shown(read):
    plan = TopK(input=get(A, SCHEMA), group_by=(0,), order_by=(SortKey(column=1),), limit=3)
    checked = Checked(plan)
    checked.step([(row_of(0, n), 1) for n in (0, 10, 20, 30)])
    read.clear()
    checked.step([(row_of(0, 30), -1)])
    checked.step([(row_of(0, 20), -1), (row_of(0, 50), 1)])
    assert not read
    checked.step([(row_of(0, 40), 1)])  # behind 20, but before 50


def test_a_group_that_grew_unread_gets_a_front(read):
    plan = TopK(input=get(A, SCHEMA), group_by=(0,), order_by=(SortKey(column=1),), limit=3)
    checked = Checked(plan)
    checked.step([(row_of(0, n), 1) for n in range(5)])
    for start in range(10, 310, 30):
        checked.step([(row_of(0, n), 1) for n in range(start, start + 30)])
    rows = 5 + 300
    while checked.flow.maintain(10_000):
        pass
    assert checked.flow.state_rows > rows + 5, "some rows are in a front"
    read.clear()
    checked.step([(row_of(0, 305), -1), (row_of(0, 400), 1)])
    assert not read
    checked.step([(row_of(0, n), -1) for n in range(5)])


def test_a_large_group_is_not_read_for_what_cannot_be_seen():
    plan = TopK(
        input=get(A, SCHEMA), group_by=(), order_by=(SortKey(column=1, descending=True),), limit=5
    )
    flow = Dataflow.build(plan, {A: ImportSpec(schema=SCHEMA)})
    rows = [((0, n, None, None, None, None), 1) for n in range(5_000)]
    assert flow.step(1, {A: zset(SCHEMA, rows)}).row_count == 5
    while flow.maintain(10_000):
        pass
    assert flow.state_rows < 5_000 + 100, "the front is short"
    assert flow.step(2, {A: zset(SCHEMA, rows[:1_000])}).is_empty
    change = flow.step(3, {A: zset(SCHEMA, [((0, 9_999, None, None, None, None), 1)])})
    assert rows_of(change)[0] == {
        (0, 9_999, None, None, None, None): 1,
        (0, 4_995, None, None, None, None): -1,
    }
