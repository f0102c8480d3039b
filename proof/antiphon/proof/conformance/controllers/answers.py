"""Whose answer a client gets, and what the others are told."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from antiphon.proof.conformance.controllers.ports import ControllerBench, Stream
from antiphon.proof.conformance.controllers.steps import (
    QUIET_S,
    canceled,
    peek,
    peeks_of,
    two,
)
from antiphon.proof.conformance.registry import Chapter
from antiphon.proof.conformance.verdict import Failed, expect, expect_equal
from antiphon.protocol.command import CreateDataflow
from antiphon.protocol.delta import delta_schema, encode_batch
from antiphon.protocol.errors import DataError, ReplicaFailed
from antiphon.protocol.frontier import Frontier
from antiphon.protocol.ids import CollectionId, is_transient
from antiphon.protocol.response import Failure, PeekResponse, SubscribeBatch, SubscribeResponse
from antiphon.protocol.schema import Schema

chapter = Chapter()


@chapter.check(
    "33", title="the first of two answers is the client's, and the other is told to stop"
)
async def first_wins(bench: ControllerBench) -> None:
    table = await bench.table()
    one, other = await two(bench)
    asked = bench.ask(f"SELECT k FROM {table}")
    here, there = await peek(one), await peek(other)
    expect_equal((here.peek_id, here.time), (there.peek_id, there.time), "one read on both")
    await one.answer(here, (1,))
    expect_equal(await asked.rows(), [(1,)], "the first answer")
    await canceled(other, there.peek_id)
    await other.answer(there, (2,))
    again = bench.ask(f"SELECT v FROM {table}")
    await other.answer(await peek(other, 2), ("x",))
    expect_equal(await again.rows(), [("x",)], "a later read")


@chapter.check("34", title="a read for one replica is sent to that one alone")
async def targeted(bench: ControllerBench) -> None:
    table = await bench.table()
    replica, bystander = await bench.replica(), await bench.replica()
    stream, other = await replica.stream(), await bystander.stream()
    asked = bench.ask(f"SELECT k FROM {table}", replica=replica.name)
    found = await peek(stream)
    await bench.pause(QUIET_S)
    expect_equal(peeks_of(other.heard), [], "what the other one was asked")
    await stream.answer(found, (3,))
    expect_equal(await asked.rows(), [(3,)], "the answer")


@chapter.check("35", title="a read for one replica ends with it, as a typed error")
async def target_lost(bench: ControllerBench) -> None:
    table = await bench.table()
    replica = await bench.replica()
    stream = await replica.stream()
    asked = bench.ask(f"SELECT k FROM {table}", replica=replica.name)
    await peek(stream)
    await stream.hang_up()
    error = await asked.error()
    expect(isinstance(error, ReplicaFailed), "ReplicaFailed", type(error).__name__)


@chapter.check("36", title="a read waits for a replica to come, and is answered by it")
async def waits(bench: ControllerBench) -> None:
    table = await bench.table()
    asked = bench.ask(f"SELECT k FROM {table}")
    await bench.pause(QUIET_S)
    expect(not asked.is_done, "a read that waits", "its end")
    stream = await (await bench.replica()).stream()
    await stream.answer(await peek(stream), (4,))
    expect_equal(await asked.rows(), [(4,)], "the answer")


@chapter.check("38", title="a client that gives up: the replica is told, and late rows go nowhere")
async def gives_up(bench: ControllerBench) -> None:
    table = await bench.table()
    stream = await (await bench.replica()).stream()
    asked = bench.ask(f"SELECT k FROM {table}")
    found = await peek(stream)
    await asked.cancel()
    await canceled(stream, found.peek_id)
    await stream.answer(found, (5,))
    again = bench.ask(f"SELECT k FROM {table}")
    await stream.answer(await peek(stream, 2), (6,))
    expect_equal(await again.rows(), [(6,)], "the answer to another")


@chapter.check("C13", title="a data error is the answer; a replica's own failure waits for others")
async def failures(bench: ControllerBench) -> None:
    table = await bench.table()
    one, other = await two(bench)
    asked = bench.ask(f"SELECT k FROM {table}")
    here, there = await peek(one), await peek(other)
    broken = Failure(code="internal", message="it broke", definite=False)
    await one.say(PeekResponse(peek_id=here.peek_id, result=broken))
    await bench.pause(QUIET_S)
    expect(not asked.is_done, "to wait for the other", "an end")
    await other.answer(there, (8,))
    expect_equal(await asked.rows(), [(8,)], "the other's answer")
    asked = bench.ask(f"SELECT k FROM {table}")
    here = await peek(one, 2)
    wrong = Failure(code="data_error", message="division by zero")
    await one.say(PeekResponse(peek_id=here.peek_id, result=wrong))
    error = await asked.error()
    expect(isinstance(error, DataError), "the data error", type(error).__name__)


@chapter.check("62", "C17", title="a read that waits is asked again on a new connection")
async def repeated(bench: ControllerBench) -> None:
    table = await bench.table()
    replica = await bench.replica()
    stream = await replica.stream()
    asked = bench.ask(f"SELECT k FROM {table}")
    before = await peek(stream)
    await stream.hang_up()
    again = await replica.stream(2)
    after = await peek(again)
    expect_equal((after.peek_id, after.time), (before.peek_id, before.time), "the same read")
    await again.answer(after, (9,))
    expect_equal(await asked.rows(), [(9,)], "the answer")


@chapter.check("44", title="replicas with other boundaries make one sequence, each update once")
async def boundaries(bench: ControllerBench) -> None:
    table = await bench.table()
    one, other = await two(bench)
    subscribed = bench.subscribe(table)
    target, schema, start = await _subscribe(one)
    await _subscribe(other)

    def batch(lower: int, upper: int, *times: int) -> SubscribeResponse:
        changes = [(time - start, "x", time, 1) for time in times]
        return _interval(target, schema, lower, upper, changes)

    await one.say(batch(0, start + 1), batch(start + 1, start + 10, start + 3, start + 7))
    await other.say(batch(0, start + 1), batch(start + 1, start + 5, start + 3))
    await other.say(batch(start + 5, start + 20, start + 7, start + 15))
    seen: list[int] = []
    reached = 0
    while reached < start + 20:
        lower, upper, changes = await subscribed.next()
        expect(lower == reached or not seen, f"an interval from {reached}", (lower, upper))
        seen += [row[0] for row, _, _ in changes]
        reached = upper
    expect_equal(seen, [3, 7, 15], "the updates")
    await subscribed.close()


@chapter.check("45", title="a replica that begins a subscribe again causes neither gap nor repeat")
async def begins_again(bench: ControllerBench) -> None:
    table = await bench.table()
    replica = await bench.replica()
    stream = await replica.stream()
    subscribed = bench.subscribe(table)
    target, schema, start = await _subscribe(stream)
    await stream.say(
        _interval(target, schema, 0, start + 1, []),
        _interval(target, schema, start + 1, start + 4, [(1, "x", start + 2, 1)]),
    )
    seen: list[object] = []
    while not seen:
        _, reached, changes = await subscribed.next()
        seen += [row[0] for row, _, _ in changes]
    await stream.hang_up()
    again = await replica.stream(2)
    target, schema, start = await _subscribe(again)
    expect(start < reached, f"to be read from before {reached}", start)
    late = [(1, "x", reached - 2, 1)] if start < reached - 2 else []
    await again.say(
        _interval(target, schema, 0, start + 1, []),
        _interval(target, schema, start + 1, reached + 6, [*late, (2, "x", reached + 1, 1)]),
    )
    lower, _, changes = await subscribed.next()
    expect_equal((lower, [row[0] for row, _, _ in changes]), (reached, [2]), "what follows")
    await subscribed.close()


async def _subscribe(stream: Stream) -> tuple[CollectionId, Schema, int]:
    """The transient dataflow that a subscription has made: its export, its columns, its as_of."""
    found = await stream.until(
        lambda said: [
            sent.command.dataflow
            for sent in said.of(CreateDataflow)
            if isinstance(sent.command, CreateDataflow)
            and is_transient(sent.command.dataflow.exports[0].collection)
        ],
        "a transient dataflow",
    )
    dataflow = found[-1]
    as_of = dataflow.as_of.time
    if as_of is None:
        raise Failed("a subscribe that begins at a time", "the closed frontier")
    return dataflow.exports[0].collection, dataflow.schema, as_of


def _interval(
    target: CollectionId,
    schema: Schema,
    lower: int,
    upper: int,
    changes: Sequence[tuple[object, ...]],
) -> SubscribeResponse:
    batches: tuple[bytes, ...] = ()
    if changes:
        arrow = delta_schema(schema)
        columns = list(zip(*changes, strict=True))
        arrays = [pa.array(c, f.type) for c, f in zip(columns, arrow, strict=True)]
        batches = (encode_batch(pa.RecordBatch.from_arrays(arrays, schema=arrow)),)
    result = SubscribeBatch(lower=Frontier(lower), upper=Frontier(upper), batches=batches)
    return SubscribeResponse(collection=target, result=result)
