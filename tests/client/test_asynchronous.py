"""The asynchronous client against a real server that fails on purpose."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from antiphon.client import AsyncClient, connect_async
from antiphon.protocol.errors import (
    CollectionMissing,
    DuplicateKey,
    InvalidArgument,
    OutcomeUnknown,
    SchemaMismatch,
    Unauthenticated,
    Unavailable,
)
from antiphon.protocol.schema import INT64, TEXT, Column, Schema
from tests.client.fake_control import FakeControl, Planned, broken

SALES = Schema((Column(name="id", type=INT64, nullable=False), Column(name="region", type=TEXT)))


@pytest.fixture
async def control() -> AsyncIterator[FakeControl]:
    async with FakeControl() as server:
        server.add("sales", SALES)
        yield server


@pytest.fixture
async def client(control: FakeControl) -> AsyncIterator[AsyncClient]:
    async with await connect_async(control.address, patience_s=5) as connected:
        yield connected


async def test_an_append_whose_answer_is_lost_is_applied_once(
    control: FakeControl, client: AsyncClient
) -> None:
    control.fail("Append", *broken(2, applied=True))
    done = await client.append("sales", [{"id": 1, "region": "north"}])
    assert control.rows("sales") == [{"id": 1, "region": "north"}]
    assert (done.row_count, done.append_count, done.duplicate_count) == (1, 1, 1)
    assert len({r.producer.SerializeToString() for r in control.requests["Append"]}) == 1


async def test_an_append_that_never_arrived_is_sent_again(
    control: FakeControl, client: AsyncClient
) -> None:
    control.fail("Append", *broken(3))
    await client.append("sales", [{"id": 1}])
    assert len(control.rows("sales")) == 1


async def test_a_definite_refusal_is_not_sent_again(
    control: FakeControl, client: AsyncClient
) -> None:
    control.fail("Append", Planned(DuplicateKey("id 1 is there", id=1)))
    with pytest.raises(DuplicateKey) as raised:
        await client.append("sales", [{"id": 1}])
    assert raised.value.details == {"id": "1"}
    assert len(control.requests["Append"]) == 1
    await client.append("sales", [{"id": 2}])
    first, second = (r.producer for r in control.requests["Append"])
    assert (first.producer_id, second.sequence) == (second.producer_id, 2)


async def test_concurrent_appends_never_share_a_producer(
    control: FakeControl, client: AsyncClient
) -> None:
    await asyncio.gather(*(client.append("sales", [{"id": i}]) for i in range(20)))
    assert sorted(row["id"] for row in control.rows("sales")) == list(range(20))


async def test_a_large_table_goes_in_order_and_in_bounded_pieces(
    control: FakeControl, client: AsyncClient
) -> None:
    seen: list[int] = []
    table = pa.table({"id": range(150_000), "region": ["x"] * 150_000})
    done = await client.append("sales", table, progress=lambda p: seen.append(p.rows_done))
    assert (done.row_count, done.append_count) == (150_000, 3)
    assert seen == [65_536, 131_072, 150_000]
    assert [row["id"] for row in control.rows("sales")] == list(range(150_000))


async def test_files_are_read_by_their_names_ending(
    control: FakeControl, client: AsyncClient, tmp_path: Path
) -> None:
    table = pa.table({"region": ["a", None], "id": [1, 2]})
    parquet.write_table(table, tmp_path / "one.parquet")
    (tmp_path / "two.csv").write_text('id,region\n3,""\n4,\n5,"x, y"\n')
    (tmp_path / "three.txt").write_text("id\tregion\n6\tNA\n")
    await client.append("sales", tmp_path / "one.parquet")
    done = await client.append("sales", str(tmp_path / "two.csv"))
    await client.append("sales", str(tmp_path / "three.txt"), file_format="tsv", nulls=["NA"])
    assert done.row_count == 3
    assert [tuple(row.values()) for row in control.rows("sales")] == [
        (1, "a"), (2, None), (3, ""), (4, None), (5, "x, y"), (6, None)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("absent.csv", None, "no such file"),
        ("what.xyz", "id\n1\n", "the name does not say"),
        ("bad.csv", "id,region\n1,a\nseven,b\n", "row 3 .*, column id: .*'seven'"),
        ("other.csv", 'region,id\n"a\nb",1\nc,seven\n', "row 3 .*, column id: .*'seven'"),
        ("short.csv", "id,region\n1\n", "[Ee]xpected 2 columns"),
        ("bad.parquet", "not parquet", "bad.parquet"),
    ],
)
async def test_a_bad_file_is_named(
    client: AsyncClient, tmp_path: Path, name: str, text: str | None, message: str
) -> None:
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(InvalidArgument, match=message):
        await client.append("sales", tmp_path / name)


async def test_the_header_of_a_file_without_rows_is_read(
    client: AsyncClient, control: FakeControl, tmp_path: Path
) -> None:
    (tmp_path / "none.csv").write_text("id,region\n")
    parquet.write_table(pa.table({"id": pa.array([], pa.int64())}), tmp_path / "none.parquet")
    for name in ("none.csv", "none.parquet"):
        assert (await client.append("sales", tmp_path / name)).row_count == 0
    assert (await client.append("sales", [])).row_count == 0
    (tmp_path / "headless.csv").write_text("1,a\n")
    parquet.write_table(pa.table({"other": pa.array([], pa.int64())}), tmp_path / "other.parquet")
    for name in ("headless.csv", "other.parquet"):
        with pytest.raises(SchemaMismatch, match="no column"):
            await client.append("sales", tmp_path / name)
    assert not control.requests["Append"]


async def test_a_feed_deletes_by_key_and_a_table_by_row(
    control: FakeControl, client: AsyncClient
) -> None:
    control.add("feed", SALES, kind="feed", key=("id",))
    await client.delete("feed", [{"id": 1}])
    assert control.rows("feed") == [{"id": 1, "region": None, "antiphon_diff": -1}]
    await client.delete("sales", [{"id": 1, "region": "a"}])
    assert control.rows("sales") == [{"id": 1, "region": "a", "antiphon_diff": -1}]


async def test_what_does_not_fit_is_refused_before_anything_is_sent(
    control: FakeControl, client: AsyncClient
) -> None:
    with pytest.raises(SchemaMismatch):
        await client.append("sales", [{"id": 1, "colour": "red"}])
    with pytest.raises(CollectionMissing):
        await client.append("nothing", [{"id": 1}])
    assert not control.requests["Append"]


async def test_a_collection_that_changed_is_looked_up_again(
    control: FakeControl, client: AsyncClient
) -> None:
    await client.append("sales", [{"id": 1}])
    control.fail("Append", Planned(SchemaMismatch("other columns now")))
    with pytest.raises(SchemaMismatch):
        await client.append("sales", [{"id": 2}])
    before = len(control.requests["ListCollections"])
    await client.append("sales", [{"id": 2}])
    assert len(control.requests["ListCollections"]) == before + 1


async def test_a_select_comes_back_as_arrow_tuples_and_dicts(
    control: FakeControl, client: AsyncClient
) -> None:
    control.answers["SELECT 1"] = pa.table({"a": [1, 2], "b": ["x", None]})
    result = await client.sql("SELECT 1;")
    assert result.rows() == [(1, "x"), (2, None)] == list(result)
    assert result.dicts()[1] == {"a": 2, "b": None}
    assert (result.tag, result.time, len(result)) == ("SELECT", 100, 2)
    assert result.to_arrow().num_rows == 2
    assert list(result.to_pandas()["a"]) == [1, 2]
    with pytest.raises(InvalidArgument, match="2 rows"):
        result.scalar()


async def test_a_script_runs_statement_by_statement_and_stops_at_the_first_failure(
    control: FakeControl, client: AsyncClient
) -> None:
    control.answers = {"CREATE TABLE a (x int)": "CREATE TABLE", "INSERT ';'": "INSERT 1"}
    results = await client.script("CREATE TABLE a (x int); INSERT ';';")
    assert [result.tag for result in results] == ["CREATE TABLE", "INSERT 1"]
    with pytest.raises(CollectionMissing):
        await client.script("INSERT ';'; SELECT nothing; INSERT ';'")
    assert [r.sql for r in control.requests["Execute"]][2:] == ["INSERT ';'", "SELECT nothing"]
    with pytest.raises(InvalidArgument, match="no statement"):
        await client.sql("-- nothing")


async def test_an_insert_is_repeated_under_its_sequence_and_a_create_is_not(
    control: FakeControl, client: AsyncClient
) -> None:
    control.answers = {"INSERT 1": "INSERT 1", "CREATE 1": "CREATE TABLE"}
    control.fail("Execute", *broken(1, applied=True))
    await client.sql("INSERT 1")
    first, second = control.requests["Execute"]
    assert first.producer.SerializeToString() == second.producer.SerializeToString() != b""
    assert [sequence for sequence, _ in control.applied.values()] == [1]
    control.fail("Execute", *broken(1))
    with pytest.raises(OutcomeUnknown):
        await client.sql("CREATE 1")
    control.fail("Execute", Planned(Unavailable("no replica")))
    assert (await client.sql("CREATE 1")).tag == "CREATE TABLE"


async def test_a_producer_whose_change_may_still_arrive_is_not_used_again(
    control: FakeControl,
) -> None:
    async with await connect_async(control.address, patience_s=0) as client:
        control.fail("Append", *broken(1))
        with pytest.raises(OutcomeUnknown):
            await client.append("sales", [{"id": 1}])
        await client.append("sales", [{"id": 2}])
    first, second = (r.producer.producer_id for r in control.requests["Append"])
    assert first != second


async def test_a_lost_answer_is_not_forgotten_when_the_last_attempt_is_refused(
    control: FakeControl,
) -> None:
    async with await connect_async(control.address, patience_s=0.5) as client:
        control.fail("Append", *broken(1, applied=True))
        control.fail("Append", *(Planned(Unavailable("not now")) for _ in range(1000)))
        with pytest.raises(OutcomeUnknown, match="not now"):
            await client.append("sales", [{"id": 1}])
    assert len(control.rows("sales")) == 1


async def test_a_subscribe_statement_is_sent_elsewhere(client: AsyncClient) -> None:
    with pytest.raises(InvalidArgument, match="subscribe"):
        await client.sql("SUBSCRIBE sales")


async def test_a_peek_names_columns_times_and_keys(
    control: FakeControl, client: AsyncClient
) -> None:
    control.collections["sales"].batches.append(pa.table({"id": [1], "region": ["a"]}))
    control.add("by_region", SALES, kind="index", key=("region",), on="sales")
    table = await client.peek("sales", columns=["region"], as_of=7, replica="r2")
    assert table.to_pylist() == [{"region": "a"}]
    request = control.requests["Peek"][0]
    assert (request.as_of, request.replica) == (7, "r2")
    await client.peek("sales", key="a")
    (request,) = control.requests["Lookup"]
    assert request.collection == "by_region"
    assert pa.ipc.open_stream(request.keys).read_all().to_pylist() == [{"region": "a"}]
    control.fail("Peek", *broken(2))
    assert (await client.peek("sales")).num_rows == 1


async def test_a_key_without_an_index_is_refused(client: AsyncClient) -> None:
    with pytest.raises(InvalidArgument, match="no key of its own"):
        await client.peek("sales", key=1)


async def test_patience_ends_with_the_last_error(control: FakeControl) -> None:
    async with await connect_async(control.address, patience_s=0.2) as client:
        control.fail("Append", *broken(1000))
        with pytest.raises(OutcomeUnknown):
            await client.append("sales", [{"id": 1}])


async def test_nobody_there_is_told_with_what_to_do() -> None:
    with pytest.raises(Unavailable, match="antiphon up"):
        await connect_async("127.0.0.1:1")


async def test_a_controller_that_comes_up_later_is_waited_for(tmp_path: Path) -> None:
    later = FakeControl()
    later.address = f"unix:{tmp_path / 'socket'}"  # a free port might be taken meanwhile
    waiting = asyncio.create_task(connect_async(later.address, wait_s=100))
    await asyncio.sleep(0.2)
    async with later, await waiting as client:
        assert (await client.status()).instance == "main"


async def test_a_wrong_token_is_refused_and_the_right_one_let_in() -> None:
    async with FakeControl(tokens=("secret",)) as control:
        for token in (None, "guess"):
            with pytest.raises(Unauthenticated):
                await connect_async(control.address, token=token)
        async with await connect_async(control.address, token="secret") as client:
            assert (await client.status()).epoch == 2


async def test_replicas_are_added_explained_and_removed(
    control: FakeControl, client: AsyncClient
) -> None:
    assert (await client.add_replica("r9", "127.0.0.1:1")).name == "r9"
    assert [d.outcome for d in await client.explain_replica("r1")] == ["completed"]
    await client.remove_replica("r9")
    assert control.requests["RemoveReplica"][0].name == "r9"


async def test_calls_after_close_say_that_it_is_closed(control: FakeControl) -> None:
    client = await connect_async(control.address, patience_s=0)
    await client.close()
    with pytest.raises(InvalidArgument, match="the client is closed"):
        await client.status()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"as_of": -1}, "as_of cannot be -1"),
        ({"as_of": 2**64}, "as_of cannot be 18446744073709551616"),
        ({"as_of": "x"}, "as_of cannot be 'x'"),
        ({"rows_max": -1}, "rows_max cannot be -1"),
        ({"replica": 5}, "replica cannot be 5"),
    ],
)
async def test_what_no_message_can_hold_is_refused_by_its_name(
    client: AsyncClient, wrong: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidArgument, match=message):
        await client.sql("SELECT 1", **wrong)
    with pytest.raises(InvalidArgument, match=message):
        await client.peek("sales", **wrong)


async def test_sql_that_is_no_text_is_refused(client: AsyncClient) -> None:
    nothing: Any = None
    with pytest.raises(InvalidArgument, match="SQL is text, not a NoneType"):
        await client.sql(nothing)
    with pytest.raises(InvalidArgument, match="SQL is text, not a NoneType"):
        client.subscribe(nothing)
    with pytest.raises(InvalidArgument, match="sql cannot be"):
        await client.sql("SELECT '\ud800'")
    with pytest.raises(InvalidArgument, match="from_position cannot be -1"):
        client.history(from_position=-1)
    with pytest.raises(InvalidArgument, match="deadline_ms cannot be -1"):
        await anext(client.subscribe("sales", hold="mine", hold_deadline_ms=-1))
