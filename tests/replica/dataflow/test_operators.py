"""Every operator, fed change by change, says what evaluation from scratch says, at every time; and
forgets everything when everything is taken back."""

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from antiphon.protocol.errors import NotServed
from antiphon.protocol.expression import Branch, Call, Case, ColumnReference, Literal
from antiphon.protocol.plan import (
    Aggregate,
    AggregateFunction,
    Constant,
    Distinct,
    Join,
    JoinKind,
    Let,
    LocalGet,
    MapFilterProject,
    Negate,
    Reduce,
    SortKey,
    Threshold,
    TopK,
    Union,
)
from antiphon.protocol.schema import BOOLEAN, FLOAT64, INT64, TEXT, Column, Schema, decimal
from antiphon.replica.dataflow.columns.zset import ERRORS, Zset, to_delta
from antiphon.replica.dataflow.graph import Dataflow, ImportSpec, evaluate_once
from tests.replica.dataflow.changes import (
    MONEY,
    SCHEMA,
    A,
    B,
    check_plan,
    get,
    rows_of,
    ticks,
    zset,
)

PROFILE = settings(max_examples=40, deadline=None)
SMALL = Schema(SCHEMA.columns[:2] + SCHEMA.columns[3:4])


def column(index, schema=SCHEMA, offset=0):
    return ColumnReference(index=index + offset, type=schema.columns[index].type)


def literal(value, kind=INT64):
    return Literal(value=value, type=kind)


def call(function, *arguments, kind=BOOLEAN):
    return Call(function=function, arguments=arguments, type=kind)


K, N, X, S, M, D, FLAG = (column(i) for i in range(7))
RATIO = call("divide", literal(10), K, kind=INT64)
GUARDED = Case(
    branches=(Branch(condition=call("not_equal", K, literal(0)), value=RATIO),),
    otherwise=literal(None),
    type=INT64,
)


def everything(plan, *inputs, schema=SCHEMA):
    flow = check_plan(plan, *inputs, schema=schema)
    assert flow.state_rows == 0 or is_global(plan), "state is left when all rows are gone"


def is_global(plan):
    return isinstance(plan, Reduce) and not plan.keys


@PROFILE
@given(ticks())
def test_maps_filters_and_guards(changes):
    plan = MapFilterProject(
        input=get(),
        maps=(GUARDED, call("add", K, K, kind=INT64), RATIO),
        filters=(
            call("or", call("is_null", S), call("not_equal", S, literal("a", TEXT))),
            call("is_true", FLAG),
        ),
        project=(7, 3, 8, 0),
    )
    everything(plan, changes)


@PROFILE
@given(ticks())
def test_a_row_that_fails_is_an_error_until_it_is_taken_back(changes):
    plan = MapFilterProject(input=get(), maps=(RATIO,), filters=(), project=(7, 2))
    everything(plan, changes)


@PROFILE
@given(ticks())
def test_filters_keep_rows_from_later_filters_and_from_maps(changes):
    positive = call("greater", K, literal(0))
    plan = MapFilterProject(
        input=get(), maps=(RATIO,), project=(7,),
        filters=(positive, call("greater", RATIO, literal(2))),
    )  # fmt: skip
    everything(plan, changes)


@pytest.mark.parametrize("kind", list(JoinKind))
@PROFILE
@given(left=ticks(SMALL), right=ticks(SMALL), nulls_match=st.booleans(), residual=st.booleans())
def test_joins(kind, left, right, nulls_match, residual):
    test = call("less", column(1, SMALL), column(1, SMALL, 3))
    plan = Join(
        kind=kind, left=get(A, SMALL), right=get(B, SMALL), nulls_match=nulls_match,
        left_keys=(column(0, SMALL), column(2, SMALL)),
        right_keys=(column(0, SMALL), column(2, SMALL)),
        residual=test if residual else None,
    )  # fmt: skip
    everything(plan, left, right, schema=SMALL)


@pytest.mark.parametrize("kind", list(JoinKind))
@PROFILE
@given(changes=ticks(SMALL))
def test_self_joins_by_other_columns(kind, changes):
    wide = call("add", column(0, SMALL), literal(1), kind=INT64)
    plan = Join(
        kind=kind, left=get(A, SMALL), right=get(A, SMALL),
        left_keys=(wide,), right_keys=(column(0, SMALL),),
    )  # fmt: skip
    imports_errors = changes  # 2^62 + 1 still fits, so no key fails
    everything(plan, imports_errors, schema=SMALL)


@PROFILE
@given(left=ticks(SMALL), right=ticks(SMALL), keys=st.integers(1, 2), residual=st.booleans())
def test_not_in(left, right, keys, residual):
    test = call("less", column(1, SMALL), column(1, SMALL, 3))
    columns = (column(0, SMALL), column(2, SMALL))[:keys]
    plan = Join(
        kind=JoinKind.ANTI, left=get(A, SMALL), right=get(B, SMALL), null_aware=True,
        left_keys=columns, right_keys=columns, residual=test if residual else None,
    )  # fmt: skip
    everything(plan, left, right, schema=SMALL)


@PROFILE
@given(left=ticks(SMALL), right=ticks(SMALL))
def test_a_join_without_keys_pairs_everything(left, right):
    plan = Join(
        kind=JoinKind.INNER, left=get(A, SMALL), right=get(B, SMALL), left_keys=(), right_keys=()
    )
    everything(plan, left, right, schema=SMALL)


def aggregate(function, argument, kind, *, distinct=False, condition=None):
    arguments = () if argument is None else (argument,)
    return Aggregate(
        function=AggregateFunction[function], arguments=arguments, type=kind, distinct=distinct,
        filter=condition,
    )  # fmt: skip


AGGREGATES = (
    aggregate("COUNT", None, INT64),
    aggregate("COUNT", S, INT64),
    aggregate("COUNT", S, INT64, distinct=True),
    aggregate("SUM", N, INT64),
    aggregate("SUM", K, decimal(38, 0)),
    aggregate("SUM", K, INT64),
    aggregate("SUM", K, INT64, distinct=True),
    aggregate("SUM", M, decimal(38, 2)),
    aggregate("SUM", X, FLOAT64),
    aggregate("AVG", N, decimal(38, 10)),
    aggregate("AVG", M, decimal(38, 1)),
    aggregate("AVG", K, FLOAT64),
    aggregate("MIN", K, INT64),
    aggregate("MAX", X, FLOAT64),
    aggregate("MIN", S, TEXT),
    aggregate("MAX", M, MONEY),
    aggregate("MAX", D, SCHEMA.columns[5].type, condition=FLAG),
    aggregate("BOOL_AND", FLAG, BOOLEAN),
    aggregate("BOOL_OR", FLAG, BOOLEAN, condition=call("is_not_null", S)),
    aggregate("COUNT", None, INT64, condition=FLAG),
)


@pytest.mark.parametrize("which", range(len(AGGREGATES)))
@settings(max_examples=15, deadline=None)
@given(changes=ticks())
def test_aggregates_of_groups(which, changes):
    everything(Reduce(input=get(), keys=(S,), aggregates=(AGGREGATES[which],)), changes)


@PROFILE
@given(changes=ticks(), chosen=st.lists(st.sampled_from(AGGREGATES), max_size=5))
def test_many_aggregates_without_keys(changes, chosen):
    everything(Reduce(input=get(), keys=(), aggregates=tuple(chosen)), changes)


@PROFILE
@given(changes=ticks(), chosen=st.lists(st.sampled_from(AGGREGATES), max_size=5))
def test_many_aggregates_by_computed_keys(changes, chosen):
    keys = (X, call("is_null", S))
    everything(Reduce(input=get(), keys=keys, aggregates=tuple(chosen)), changes)


@PROFILE
@given(ticks())
def test_distinct_threshold_and_differences(changes):
    narrow = MapFilterProject(input=get(), maps=(), filters=(), project=(3, 2))
    less = MapFilterProject(input=get(), maps=(), filters=(FLAG,), project=(3, 2))
    everything(Distinct(input=narrow), changes)
    gone = Threshold(input=Union(inputs=(narrow, Negate(input=less))))
    everything(gone, changes)


@PROFILE
@given(
    changes=ticks(SMALL),
    grouped=st.booleans(),
    order=st.lists(
        st.builds(
            SortKey, column=st.integers(0, 2), descending=st.booleans(), nulls_first=st.booleans()
        ),
        max_size=2,
    ),
    limit=st.none() | st.integers(0, 3),
    offset=st.integers(0, 2),
)
def test_top_k(changes, grouped, order, limit, offset):
    plan = TopK(
        input=get(A, SMALL), group_by=(2,) if grouped else (), order_by=tuple(order), limit=limit,
        offset=offset,
    )  # fmt: skip
    everything(plan, changes, schema=SMALL)


@PROFILE
@given(left=ticks(SMALL), right=ticks(SMALL))
def test_a_diamond_shows_only_states_that_existed(left, right):
    total = Reduce(
        input=LocalGet(binding=0, schema=SMALL), keys=(column(2, SMALL),),
        aggregates=(aggregate("SUM", column(1, SMALL), INT64),),
    )  # fmt: skip
    joined = Join(
        kind=JoinKind.LEFT, left=LocalGet(binding=0, schema=SMALL), right=total,
        left_keys=(column(2, SMALL),), right_keys=(ColumnReference(index=0, type=TEXT),),
    )  # fmt: skip
    plan = Let(binding=0, value=Union(inputs=(get(A, SMALL), get(B, SMALL))), body=joined)
    everything(plan, left, right, schema=SMALL)


def test_constants_stand_from_the_first_step_on():
    schema = Schema((Column(name="a", type=INT64), Column(name="b", type=TEXT)))
    constant = Constant(schema=schema, rows=(((1, "x"), 2), ((None, None), 1)))
    found = evaluate_once(constant, {}, {})
    assert rows_of(found)[0] == {(1, "x"): 2, (None, None): 1}
    flow = Dataflow.build(constant, {})
    assert flow.step(5, {}).row_count == 2
    assert flow.step(6, {}).is_empty


def test_an_aggregate_without_keys_has_a_row_for_no_input():
    count = Reduce(input=get(), keys=(), aggregates=AGGREGATES)
    flow = Dataflow.build(count, {A: ImportSpec(schema=SCHEMA)})
    first = flow.step(1, {})
    assert first.row_count == 1
    assert first.columns[0].to_pylist() == [0]
    row = (1, 1, 1.0, "a", None, None, True)
    change = flow.step(2, {A: zset(SCHEMA, [(row, 1)])})
    assert sorted(change.diffs.tolist()) == [-1, 1]


def test_operators_without_input_do_not_run():
    nothing = MapFilterProject(
        input=get(A, SMALL), maps=(), filters=(literal(False, BOOLEAN),), project=(0, 1, 2)
    )
    plan = Distinct(input=nothing)
    flow = Dataflow.build(plan, {A: ImportSpec(schema=SMALL)})
    for time in range(1, 6):
        assert flow.step(time, {A: zset(SMALL, [((1, 1, "a"), 1)])}).is_empty
    by_name = {counter.name: counter for counter in flow.counters()}
    assert by_name["distinct"].steps == 0
    assert by_name["distinct"].idle_steps == 5
    assert by_name["map_filter_project"].rows_in == 5


def test_what_is_not_served_is_named():
    clock = MapFilterProject(input=get(), maps=(call("now", kind=INT64),), filters=(), project=(7,))
    with pytest.raises(NotServed, match="now"):
        Dataflow.build(clock, {A: ImportSpec(schema=SCHEMA)})
    median = aggregate("PERCENTILE_CONT", X, FLOAT64)
    with pytest.raises(NotServed, match="percentile_cont"):
        Dataflow.build(
            Reduce(input=get(), keys=(S,), aggregates=(median,)), {A: ImportSpec(schema=SCHEMA)}
        )


DIAMOND = Join(
    kind=JoinKind.LEFT, left=get(A, SMALL), right=Reduce(
        input=get(A, SMALL), keys=(column(2, SMALL),),
        aggregates=(
            aggregate("SUM", column(1, SMALL), INT64), aggregate("MAX", column(0, SMALL), INT64),
        ),
    ),
    left_keys=(column(2, SMALL),), right_keys=(ColumnReference(index=0, type=TEXT),),
)  # fmt: skip


@PROFILE
@given(changes=ticks(SMALL), seed=st.randoms(use_true_random=False))
def test_neither_the_split_into_ticks_nor_the_order_in_one_matters(changes, seed):
    flows = [Dataflow.build(DIAMOND, {A: ImportSpec(schema=SMALL)}) for _ in range(3)]
    finely, shuffled, at_once = [], [], []
    for time, tick in enumerate(changes, 1):
        mixed = list(tick)
        seed.shuffle(mixed)
        for flow, rows, found in ((flows[0], tick, finely), (flows[1], mixed, shuffled)):
            found.append((time, flow.step(time, {A: zset(SMALL, rows)})))
        flows[1].maintain(3)
    everything_ = [change for tick in changes for change in tick]
    at_once.append((1, flows[2].step(1, {A: zset(SMALL, everything_)})))
    same = [to_delta(flows[0].schema, part) for part in (finely, shuffled)]
    assert same[0] == same[1], "the same bytes, whatever the order"
    total = Zset.concat(flows[0].schema, [change for _, change in finely]).consolidated()
    assert to_delta(flows[0].schema, [(1, total)]) == to_delta(flows[0].schema, at_once)


def test_errors_of_an_input_are_errors_of_the_result():
    plan = Distinct(input=get(A, SMALL))
    flow = Dataflow.build(plan, {A: ImportSpec(schema=SMALL)})
    failure = zset(ERRORS, [(("data_error", "what", "where"), 1)])
    rows = zset(SMALL, [((1, 1, "a"), 1)])
    change = flow.step(1, {A: Zset(rows.columns, rows.diffs, failure)})
    assert rows_of(change) == ({(1, 1, "a"): 1}, {"data_error": 1})
    empty = Zset.empty(SMALL)
    change = flow.step(2, {A: Zset(empty.columns, empty.diffs, failure.negated())})
    assert rows_of(change) == ({}, {"data_error": -1})


def test_a_step_that_raises_changes_nothing():
    plan = Join(
        kind=JoinKind.INNER, left=get(A, SMALL), right=get(B, SMALL),
        left_keys=(column(2, SMALL),), right_keys=(column(2, SMALL),),
    )  # fmt: skip
    flow = Dataflow.build(plan, {c: ImportSpec(schema=SMALL) for c in (A, B)})
    good = zset(SMALL, [((1, 1, "a"), 1)])
    wrong = Zset((*good.columns[:2], pa.array([1], pa.duration("s"))), good.diffs)
    with pytest.raises(TypeError, match="no SQL type"):
        flow.step(1, {A: good, B: wrong})
    assert flow.time is None
    assert flow.state_rows == 0
    assert flow.step(1, {A: good, B: good}).row_count == 1
