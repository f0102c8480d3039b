"""A malformed plan is refused whole, and the error names the node and the field."""

from __future__ import annotations

import pytest

from antiphon.protocol.codec.field import MalformedMessage
from antiphon.protocol.codec.plan_decoder import plan_from_proto
from antiphon.v1 import plan_pb2 as pb
from antiphon.v1 import types_pb2

KIND = types_pb2.Type(kind=types_pb2.TYPE_KIND_INT64)
SCHEMA = types_pb2.Schema(columns=[types_pb2.Column(name="a", type=KIND)])
GET = pb.Plan(get=pb.Get(collection=1, schema=SCHEMA))
COLUMN = pb.Expression(column=pb.ColumnReference(index=0, type=KIND))
ONE = pb.Literal(type=KIND, integer=1)


@pytest.mark.parametrize(
    ("message", "path"),
    [
        (pb.Plan(), ""),
        (pb.Plan(get=pb.Get(collection=1)), "get.schema"),
        (pb.Plan(local_get=pb.LocalGet()), "local_get.schema"),
        (pb.Plan(distinct=pb.Distinct()), "distinct.input"),
        (pb.Plan(negate=pb.Negate(input=pb.Plan())), "negate.input"),
        (
            pb.Plan(threshold=pb.Threshold(input=pb.Plan(distinct=pb.Distinct()))),
            "threshold.input.distinct.input",
        ),
        (pb.Plan(union=pb.Union()), "union.inputs"),
        (pb.Plan(union=pb.Union(inputs=[GET, pb.Plan()])), "union.inputs[1]"),
        (pb.Plan(join=pb.Join(left=GET, right=GET)), "join.kind"),
        (pb.Plan(join=pb.Join(kind=pb.JOIN_KIND_INNER, right=GET)), "join.left"),
        (
            pb.Plan(join=pb.Join(kind=pb.JOIN_KIND_INNER, left=GET, left_keys=[COLUMN])),
            "join.right_keys",
        ),
        (
            pb.Plan(join=pb.Join(kind=pb.JOIN_KIND_LEFT, left=GET, right=GET, null_aware=True)),
            "join.null_aware",
        ),
        (
            pb.Plan(reduce=pb.Reduce(input=GET, aggregates=[pb.Aggregate(type=KIND)])),
            "reduce.aggregates[0].function",
        ),
        (
            pb.Plan(window=pb.Window(input=GET, functions=[pb.WindowFunction(type=KIND)])),
            "window.functions[0].name",
        ),
        (
            pb.Plan(
                window=pb.Window(
                    input=GET,
                    functions=[pb.WindowFunction(name="lag", type=KIND, frame=pb.Frame())],
                )
            ),
            "window.functions[0].frame.unit",
        ),
        (
            pb.Plan(constant=pb.Constant(schema=SCHEMA, rows=[pb.ConstantRow()])),
            "constant.rows[0].values",
        ),
        (
            pb.Plan(
                constant=pb.Constant(
                    schema=SCHEMA,
                    rows=[
                        pb.ConstantRow(values=[ONE]),
                        pb.ConstantRow(
                            values=[
                                pb.Literal(
                                    type=types_pb2.Type(kind=types_pb2.TYPE_KIND_TEXT), text="x"
                                )
                            ]
                        ),
                    ],
                )
            ),
            "constant.rows[1].values[0].type",
        ),
        (pb.Plan(let=pb.Let(value=GET)), "let.body"),
        (pb.Plan(recursion=pb.Recursion(value=GET, body=GET)), "recursion.schema"),
        (
            pb.Plan(map_filter_project=pb.MapFilterProject(input=GET, maps=[pb.Expression()])),
            "map_filter_project.maps[0]",
        ),
        (
            pb.Plan(temporal_filter=pb.TemporalFilter(input=GET, valid_until=pb.Expression())),
            "temporal_filter.valid_until",
        ),
        (pb.Plan(flat_map=pb.FlatMap(input=GET)), "flat_map.functions"),
        (
            pb.Plan(flat_map=pb.FlatMap(input=GET, functions=[pb.TableFunction()])),
            "flat_map.functions[0].name",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_error_names_the_field(message: pb.Plan, path: str) -> None:
    with pytest.raises(MalformedMessage) as caught:
        plan_from_proto(message)
    assert caught.value.path == path
