"""The workload is the same for every side, and its ticks are what the goals say."""

from __future__ import annotations

import numpy as np

from tests.performance.workload import WARM_UP_TICKS, Source, Workload, answer

SMALL = Workload("group", orders=2_000, keys=200, ticks=((10, 4), (100, 2)))


def test_one_seed_gives_one_sequence() -> None:
    one, other = Source(SMALL), Source(SMALL)
    for mine, theirs in zip(one.ticks(), other.ticks(), strict=True):
        assert mine.size == theirs.size
        assert np.array_equal(mine.rows.id, theirs.rows.id)
        assert np.array_equal(mine.rows.amount, theirs.rows.amount)


def test_half_of_a_tick_deletes_rows_that_are_there() -> None:
    source = Source(SMALL)
    content = source.content()
    present = {row for row in zip(content.id.tolist(), content.key, content.amount, strict=True)}
    for tick in source.ticks():
        rows = list(zip(tick.rows.id.tolist(), tick.rows.key, tick.rows.amount, strict=True))
        half = len(rows) // 2
        assert tick.rows.diff.tolist() == [-1] * half + [1] * half
        assert len(rows) == tick.size
        assert present.issuperset(rows[:half])
        present = (present - set(rows[:half])) | set(rows[half:])
    assert len(present) == SMALL.orders


def test_ticks_of_one_change_delete_and_insert_in_turn() -> None:
    singles = Workload("group", orders=50, keys=10, ticks=((1, 7),))
    source = Source(singles)
    content = source.content()
    present = set(zip(content.id.tolist(), content.key, content.amount, strict=True))
    for number, tick in enumerate(source.ticks()):
        rows = tick.rows
        assert rows.diff.tolist() == [1 if number % 2 else -1]
        row = {(int(rows.id[0]), rows.key[0], rows.amount[0])}
        present = present | row if number % 2 else present - row
        assert len(present) == 49 + number % 2
    assert len(present) == singles.orders


def test_the_first_ticks_of_each_size_warm_up() -> None:
    counts = [(tick.size, tick.counts) for tick in Source(SMALL).ticks()]
    assert counts[:WARM_UP_TICKS] == [(10, False)] * WARM_UP_TICKS
    assert sum(counting for size, counting in counts if size == 10) == 4
    assert sum(counting for size, counting in counts if size == 100) == 2


def test_answers_are_those_of_a_naive_computation() -> None:
    source = Source(SMALL)
    rows = list(zip(source.key.tolist(), source.amount.tolist(), source.id.tolist(), strict=True))
    by_key: dict[int, list[tuple[int, int]]] = {}
    for key, amount, order in rows:
        by_key.setdefault(key, []).append((-amount, order))
    totals = [-sum(amount for amount, _ in found) for found in by_key.values()]
    assert answer(source, "group") == [len(by_key), sum(total**2 for total in totals)]
    tops = [[-amount for amount, _ in sorted(found)[:10]] for found in by_key.values()]
    assert answer(source, "top_k") == [
        sum(map(len, tops)),
        sum(sum(amounts) ** 2 for amounts in tops),
    ]
    assert answer(source, "join")[0] == len(rows)


def test_it_survives_being_told_to_another_process() -> None:
    assert Workload.from_json(SMALL.to_json()) == SMALL
