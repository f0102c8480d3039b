"""The entry: statements from text, and reads of named collections."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.controller.catalog import Catalog, empty_catalog
from antiphon.controller.sql.planner import (
    plan_collection_read,
    plan_collection_subscribe,
    plan_statement,
)
from antiphon.controller.sql.statement import StatementText
from antiphon.protocol.command import IndexTarget, PlanTarget
from antiphon.protocol.errors import (
    CollectionMissing,
    ComputeError,
    InvalidArgument,
    InvalidSql,
    SchemaMismatch,
    UnsupportedSql,
)
from tests.controller.sql.recorded import SCHEMA, check
from tests.controller.sql.world import World, plan_one


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


def test_statements_are_planned_as_recorded() -> None:
    check("planner")


def test_the_same_statement_on_the_same_catalog_is_the_same_plan(world: World) -> None:
    text = "SELECT t.c, count(*) FROM t JOIN u USING (a) GROUP BY t.c ORDER BY 2 LIMIT 3"
    assert plan_one(text, world.catalog) == plan_one(text, world.catalog)


def test_the_place_counts_from_where_the_statement_begins(world: World) -> None:
    with pytest.raises(InvalidSql, match="line 5:13: ") as caught:
        plan_statement(StatementText(text="SELECT zz FROM t", line=5, column=6), world.catalog)
    assert caught.value.details["line"] == "5"


def test_every_error_has_a_place(world: World) -> None:
    for text in ("CREATE TABLE t (a int)", "SELECT row_number(a) OVER () FROM t"):
        with pytest.raises(ComputeError) as caught:
            plan_one(text, world.catalog)
        assert {"line", "column"} <= caught.value.details.keys()


def test_deep_nesting_is_an_error_and_not_a_crash(world: World) -> None:
    for text in (
        "SELECT " + "(" * 3000 + "1" + ")" * 3000,
        "SELECT " + " + ".join(["a"] * 3000) + " FROM t",
        "SELECT a FROM t WHERE " + "NOT " * 3000 + "true",
    ):
        with pytest.raises(ComputeError):
            plan_one(text, world.catalog)


def test_a_long_conjunction_is_fine(world: World) -> None:
    for word in ("AND", "OR"):
        parts = f" {word} ".join(f"a <> {number}" for number in range(1_000))
        plan_one(f"SELECT a FROM t WHERE {parts}", world.catalog)


def test_now_is_what_the_caller_says(world: World) -> None:
    with pytest.raises(UnsupportedSql, match="current time"):
        plan_one("SELECT now()", world.catalog)
    statement = plan_one("SELECT now() AS n", world.catalog, now_ms=1_000)
    assert statement.rows.column(0).cast(pa.int64()).to_pylist() == [1_000_000]  # type: ignore[union-attr]


def test_a_named_collection_is_read_whole_or_by_columns(world: World) -> None:
    read = plan_collection_read("k", world.catalog).read
    assert isinstance(read.target, PlanTarget)
    assert read.schema.names == ("id", "name", "price", "at")
    some = plan_collection_read("k", world.catalog, columns=("at", "id")).read
    assert some.schema.names == ("at", "id")


def test_a_named_collection_is_read_by_the_key_of_an_index(world: World) -> None:
    keys = stream(c=pa.array(["x"]), a=pa.array([3], pa.int64()))
    read = plan_collection_read("t", world.catalog, keys=keys, columns=("b",)).read
    assert isinstance(read.target, IndexTarget)
    assert read.target.keys is not None
    found = pa.ipc.open_stream(read.target.keys).read_all()
    assert found.schema.types == [pa.string(), pa.int32()]
    assert found.to_pylist() == [{"c": "x", "a": 3}]
    assert read.schema.names == ("b",)


def test_an_index_is_read_as_what_it_is_on(world: World) -> None:
    assert plan_collection_read("t_ca", world.catalog).read.schema.names == ("a", "b", "c")


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
        plan_collection_read(name, world.catalog, **arguments)  # type: ignore[arg-type]


def test_a_named_collection_is_subscribed_to(world: World) -> None:
    subscribe = plan_collection_subscribe("f", world.catalog)
    assert subscribe.with_snapshot
    assert subscribe.dataflow.exports == ()
    assert subscribe.dataflow.is_transient
    with pytest.raises(CollectionMissing, match="did you mean"):
        plan_collection_subscribe("t_cb", world.catalog)


_WORDS = [
    "SELECT", "FROM", "WHERE", "GROUP BY", "ORDER BY", "JOIN", "ON", "t", "u", "a", "b", "c", "*",
    ",", "(", ")", "=", "1", "'x'", "count(*)", "IN", "NOT", "EXISTS", "LIMIT", "UNION", "AS",
    "INSERT INTO", "VALUES", "CREATE VIEW", "CASE", "WHEN", "END", "NULL", ".", "+", ";", "DELETE",
]  # fmt: skip


def refusal(text: str, catalog: Catalog) -> ComputeError | None:
    try:
        plan_statement(StatementText(text=text), catalog)
    except ComputeError as error:
        return error
    return None


@given(st.lists(st.sampled_from(_WORDS), max_size=14))
def test_any_words_are_planned_or_refused_with_a_place(words: list[str]) -> None:
    refused = refusal(" ".join(words), _WORLD.catalog)
    assert refused is None or "line" in refused.details


@given(st.text(max_size=40))
def test_any_text_is_planned_or_refused_with_a_place(text: str) -> None:
    refused = refusal(text, empty_catalog())
    assert refused is None or "line" in refused.details


_WORLD = World()
_WORLD.run(SCHEMA)
