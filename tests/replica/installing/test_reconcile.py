"""Every rule of reuse, alone and together; and where a suffix lets new dataflows start."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.protocol.command import AllowCompaction, CreateDataflow
from antiphon.protocol.dataflow import (
    CopyToExport,
    DataflowDescription,
    IndexExport,
    SubscribeExport,
)
from antiphon.protocol.fingerprint import fingerprint_of
from antiphon.protocol.frontier import CLOSED, Frontier
from antiphon.protocol.ids import CollectionId
from antiphon.replica.installing.reconcile import (
    Bar,
    Key,
    Outcome,
    Standing,
    Verdict,
    advanced,
    key_of,
    reconcile,
)
from tests.replica.scripted import TABLE, above, at, dataflow, get, index, sent, table

A, B, C = CollectionId(7), CollectionId(8), CollectionId(9)


def wanted(collection: int = A, as_of: int = 15) -> DataflowDescription:
    return index(collection, as_of=as_of).dataflow


def standing(description: DataflowDescription, **options: object) -> Standing:
    found = Standing(
        key=key_of(description),
        fingerprint=fingerprint_of(description),
        as_of=at(10),
        since=at(12),
        inputs_upper=at(20),
    )
    return replace(found, **options)  # type: ignore[arg-type]


def judge(
    found: Standing, description: DataflowDescription, bar: Bar | None = None
) -> tuple[Verdict, ...]:
    return reconcile([found], [description], local_imports=[()], bar=bar)


def test_an_unchanged_dataflow_is_kept() -> None:
    (verdict,) = judge(standing(wanted()), wanted())
    assert verdict == Verdict(key=(A,), outcome=Outcome.KEPT)


def test_58_its_name_is_no_part_of_what_it_is() -> None:
    (verdict,) = judge(standing(wanted()), replace(wanted(), name="renamed"))
    assert verdict.outcome is Outcome.KEPT


def _other_plan() -> DataflowDescription:
    return index(A, plan=above(get(TABLE), 1), as_of=15).dataflow


def _subscribe() -> DataflowDescription:
    return dataflow((A, SubscribeExport()), as_of=15).dataflow


def _copy() -> DataflowDescription:
    return dataflow((A, CopyToExport(uri="x", format="parquet")), as_of=15).dataflow


def test_59_rule_a_other_work_is_replaced() -> None:
    (verdict,) = judge(standing(wanted()), _other_plan())
    assert verdict.bars == (Bar.OTHER_WORK,)
    assert str(verdict) == "u7 replaced (a: its plan, imports or exports differ)"


def test_59_rule_a_changed_imports_are_other_work() -> None:
    narrower = index(A, imports=(table(), table(C)), as_of=15).dataflow
    assert judge(standing(wanted()), narrower)[0].bars == (Bar.OTHER_WORK,)


def test_rule_a_what_started_later_than_asked_for_is_replaced() -> None:
    late = standing(wanted(), as_of=at(16), since=at(15))
    assert judge(late, wanted())[0].bars == (Bar.STARTED_LATER,)


@pytest.mark.parametrize(("since", "outcome"), [(15, Outcome.KEPT), (16, Outcome.REPLACED)])
def test_59_rule_b_what_is_compacted_beyond_is_replaced(since: int, outcome: Outcome) -> None:
    (verdict,) = judge(standing(wanted(), since=at(since)), wanted())
    assert verdict.outcome is outcome
    assert (Bar.COMPACTED in verdict.bars) is (outcome is Outcome.REPLACED)


def test_63_rule_c_a_subscribe_restarts() -> None:
    assert judge(standing(_subscribe()), _subscribe())[0].bars == (Bar.SUBSCRIBES,)


def test_rule_d_a_copy_to_restarts() -> None:
    assert judge(standing(_copy()), _copy())[0].bars == (Bar.COPIES,)


def test_60_rule_e_replacement_is_passed_on_to_all_who_read_it() -> None:
    installed = [standing(wanted(c)) for c in (A, B, C)]
    verdicts = reconcile(
        installed, [_other_plan(), wanted(B), wanted(C)], local_imports=[(), (A,), (B,)]
    )
    assert [verdict.bars for verdict in verdicts] == [
        (Bar.OTHER_WORK,),
        (Bar.INPUT_REPLACED,),
        (Bar.INPUT_REPLACED,),
    ]
    kept = reconcile(installed, [wanted(A), wanted(B), wanted(C)], local_imports=[(), (A,), (B,)])
    assert {verdict.outcome for verdict in kept} == {Outcome.KEPT}


def test_rule_f_what_could_not_run_gets_another_chance() -> None:
    assert judge(standing(wanted(), runs=False), wanted())[0].bars == (Bar.CANNOT_RUN,)


@pytest.mark.parametrize(
    ("reached", "as_of", "outcome"),
    [
        (at(16), 15, Outcome.KEPT),
        (at(15), 15, Outcome.REPLACED),
        (CLOSED, 15, Outcome.KEPT),
        (at(10), 12, Outcome.REPLACED),
    ],
)
def test_rule_g_what_asks_for_more_than_is_promised_is_replaced(
    reached: Frontier, as_of: int, outcome: Outcome
) -> None:
    found = standing(wanted(), inputs_upper=reached)
    assert judge(found, wanted(as_of=as_of))[0].outcome is outcome


def test_rule_g_at_the_same_as_of_all_that_it_lacks_is_promised() -> None:
    found = standing(wanted(), since=at(10), inputs_upper=at(10))
    assert judge(found, wanted(as_of=10))[0].outcome is Outcome.KEPT


@pytest.mark.parametrize("bar", [Bar.FOREIGN, Bar.DISCARDED, Bar.SPOILED])
def test_rule_h_speaks_against_everything(bar: Bar) -> None:
    (verdict,) = judge(standing(wanted()), wanted(), bar)
    assert verdict.bars == (bar,)


def test_61_what_is_not_asked_for_is_dropped_and_comes_first() -> None:
    verdicts = reconcile([standing(wanted(A))], [wanted(B)], local_imports=[()])
    assert [(v.key, v.outcome) for v in verdicts] == [
        ((A,), Outcome.DROPPED),
        ((B,), Outcome.CREATED),
    ]


def test_other_exports_are_another_dataflow() -> None:
    both = dataflow(
        (A, IndexExport(key_columns=(0,))), (B, IndexExport(key_columns=(1,))), as_of=15
    ).dataflow
    outcomes = [v.outcome for v in judge(standing(both), wanted(A))]
    assert outcomes == [Outcome.DROPPED, Outcome.CREATED]


TIMES = st.integers(0, 6)
INSTALLED = st.dictionaries(st.sampled_from((A, B, C)), st.tuples(TIMES, TIMES, TIMES))


@given(INSTALLED, st.dictionaries(st.sampled_from((A, B, C)), TIMES), st.booleans())
def test_what_is_kept_is_readable_and_stands_on_what_is_kept(
    installed: dict[CollectionId, tuple[int, int, int]],
    asked: dict[CollectionId, int],
    chained: bool,
) -> None:
    found = {
        c: standing(wanted(c), as_of=at(start), since=at(max(start, since)), inputs_upper=at(upper))
        for c, (start, since, upper) in installed.items()
    }
    order = sorted(asked)
    reads: list[Key] = [(order[i - 1],) if chained and i else () for i in range(len(order))]
    verdicts = reconcile(
        list(found.values()), [wanted(c, asked[c]) for c in order], local_imports=reads
    )
    assert [v.key for v in verdicts if v.outcome is not Outcome.DROPPED] == [(c,) for c in order]
    assert {v.key for v in verdicts} == {(c,) for c in {*order, *found}}
    kept = {v.key[0] for v in verdicts if v.outcome is Outcome.KEPT}
    for at_place, collection in enumerate(order):
        if collection in kept:
            assert found[collection].since.less_equal(at(asked[collection]))
            assert kept.issuperset(reads[at_place])


def test_a_suffix_creates_at_the_time_that_the_compaction_map_allows() -> None:
    raw = [
        sent(index(A), 1),
        sent(index(B), 2),
        sent(AllowCompaction(collection=B, frontier=CLOSED), 3),
        sent(AllowCompaction(collection=A, frontier=at(40))),
    ]
    first, second, *rest = advanced(raw)
    assert isinstance(first.command, CreateDataflow)
    assert first.command.dataflow.as_of == at(40)
    assert (second, *rest) == (raw[1], raw[2], raw[3])
