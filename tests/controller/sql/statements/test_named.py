"""Calls that name a collection: what is read, by which index, and what is refused."""

from __future__ import annotations

import pyarrow as pa
import pytest

from antiphon.controller.sql.statement import Read
from antiphon.controller.sql.statements.named import (
    key_rows,
    plan_collection_read,
    plan_collection_subscribe,
)
from antiphon.protocol.command import IndexTarget, PlanTarget
from antiphon.protocol.errors import (
    CollectionMissing,
    ComputeError,
    InvalidArgument,
    LimitExceeded,
    SchemaMismatch,
)
from tests.controller.sql.recorded import SCHEMA
from tests.controller.sql.world import World


@pytest.fixture
def world() -> World:
    made = World()
    made.run(SCHEMA + "CREATE INDEX t_ca ON t (c, a);")
    return made


def stream(**columns: pa.Array) -> bytes:
    batch = pa.RecordBatch.from_pydict(columns)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    data: bytes = sink.getvalue().to_pybytes()
    return data


def read_of(
    world: World, name: str, *, columns: tuple[str, ...] = (), keys: bytes | None = None
) -> Read:
    if keys is None:
        return plan_collection_read(name, world.catalog, columns=columns).statement.read
    rows = key_rows(keys)
    planned = plan_collection_read(
        name, world.catalog, columns=columns, key=tuple(rows.schema.names)
    )
    return planned.with_keys(keys, rows).read


def test_a_named_collection_is_read_whole_or_by_columns(world: World) -> None:
    read = read_of(world, "k")
    assert isinstance(read.target, PlanTarget)
    assert read.schema.names == ("id", "name", "price", "at")
    assert read_of(world, "k", columns=("at", "id")).schema.names == ("at", "id")


def test_a_named_collection_is_read_by_the_key_of_an_index(world: World) -> None:
    keys = stream(c=pa.array(["x"]), a=pa.array([3], pa.int64()))
    read = read_of(world, "t", keys=keys, columns=("b",))
    assert isinstance(read.target, IndexTarget)
    assert read.target.keys is not None
    found = key_rows(read.target.keys)
    assert found.schema.types == [pa.string(), pa.int32()]
    assert found.to_pylist() == [{"c": "x", "a": 3}]
    assert read.schema.names == ("b",)


def test_a_read_by_key_is_planned_once_for_all_keys(world: World) -> None:
    planned = plan_collection_read("t", world.catalog, key=("c", "a"))
    for text in ("x", "y"):
        keys = stream(c=pa.array([text]), a=pa.array([3], pa.int32()))
        target = planned.with_keys(keys, key_rows(keys)).read.target
        assert isinstance(target, IndexTarget)
        assert target.keys == keys, "what fits is passed on as it came"


def test_an_index_is_read_as_what_it_is_on(world: World) -> None:
    assert read_of(world, "t_ca").schema.names == ("a", "b", "c")


@pytest.mark.parametrize(
    ("name", "arguments", "error"),
    [
        ("nope", {}, CollectionMissing),
        ("t", {"columns": ("zz",)}, InvalidArgument),
        ("t", {"keys": b"junk"}, InvalidArgument),
        ("t", {"keys": stream(a=pa.array([1]))}, InvalidArgument),
        ("u", {"keys": stream(a=pa.array([1]))}, InvalidArgument),
        ("t", {"keys": stream(c=pa.array(["x"]), a=pa.array(["y"]))}, SchemaMismatch),
    ],
)
def test_a_read_of_what_is_not_there_is_refused(
    world: World, name: str, arguments: dict[str, object], error: type[ComputeError]
) -> None:
    with pytest.raises(error):
        read_of(world, name, **arguments)  # type: ignore[arg-type]


def test_a_named_collection_is_subscribed_to(world: World) -> None:
    subscribe = plan_collection_subscribe("f", world.catalog)
    assert subscribe.with_snapshot
    assert subscribe.dataflow.exports == ()
    assert subscribe.dataflow.is_transient
    with pytest.raises(CollectionMissing, match="did you mean"):
        plan_collection_subscribe("t_cb", world.catalog)


def test_more_columns_than_an_answer_may_have_are_refused(world: World) -> None:
    with pytest.raises(LimitExceeded, match="1601 columns"):
        plan_collection_read("t", world.catalog, columns=("a",) * 1601, key=None)
