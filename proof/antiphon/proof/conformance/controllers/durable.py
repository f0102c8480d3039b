"""What a controller writes down before it says it, and what it serves of the store."""

from __future__ import annotations

from antiphon.proof.conformance.controllers.ports import ControllerBench
from antiphon.proof.conformance.controllers.steps import created, two
from antiphon.proof.conformance.registry import Chapter
from antiphon.proof.conformance.verdict import Failed, expect, expect_equal
from antiphon.protocol.codec import command_to_bytes
from antiphon.protocol.command import AllowCompaction, Schedule
from antiphon.protocol.errors import EpochFenced
from antiphon.protocol.ids import NO_POSITION
from antiphon.protocol.response import Dropped

chapter = Chapter()


@chapter.check("C8", title="a numbered command is in the history before a replica hears it")
async def durable_first(bench: ControllerBench) -> None:
    table = await bench.table()
    replica = await bench.replica()
    stream = await replica.stream()
    name = bench.name("i")
    await bench.sql(f"CREATE INDEX {name} ON {table} (v)")
    sent = await created(stream, name)
    history = dict(await bench.history())
    expect(sent.position in history, f"position {sent.position} in the history", sorted(history))
    expect_equal(
        replica.scripted.facts.command_digest,
        history.get(replica.scripted.facts.applied_position),
        "the digest that the commands lead to",
    )


@chapter.check("C9", title="all replicas are sent the same, at the same position, and start it")
async def same_everywhere(bench: ControllerBench) -> None:
    table = await bench.table()
    one, other = await two(bench)
    name = bench.name("i")
    await bench.sql(f"CREATE INDEX {name} ON {table} (v)")
    here, there = await created(one, name), await created(other, name)
    expect_equal(there.position, here.position, "the position")
    same = command_to_bytes(here.command) == command_to_bytes(there.command)
    expect(same, "the same bytes", "others")
    for stream in (one, other):
        await stream.until(lambda heard: heard.of(Schedule), "a Schedule")


@chapter.check("C18", title="a drop is numbered, told to all, and may be acknowledged")
async def dropped(bench: ControllerBench) -> None:
    table = await bench.table()
    one, other = await two(bench)
    name = bench.name("i")
    await bench.sql(f"CREATE INDEX {name} ON {table} (v)")
    await created(one, name)
    await bench.sql(f"DROP INDEX {name}")
    for stream in (one, other):
        found = await stream.until(
            lambda heard: [
                sent
                for sent in heard.of(AllowCompaction)
                if isinstance(sent.command, AllowCompaction) and sent.command.frontier.is_closed
            ],
            "the drop",
        )
        expect(found[0].position != NO_POSITION, "a position", "none")
        command = found[0].command
        assert isinstance(command, AllowCompaction), "as it was looked for"
        await stream.say(Dropped(collection=command.collection))


@chapter.check("C14", title="a tail is contiguous from where it is asked, a snapshot exact")
async def served(bench: ControllerBench) -> None:
    table = await bench.table()
    before = await bench.upper()
    await bench.sql(f"INSERT INTO {table} VALUES (2, 'two')")
    after = await bench.upper()
    lower, upper, changes = await bench.tail(table, before)
    expect_equal((lower, upper >= after), (before, True), "where the tail begins, and reaches")
    found = [(row, diff) for row, time, diff in changes if before <= time < after]
    expect_equal(found, [((2, "two"), 1)], "the changes")
    expect_equal(sorted(await bench.snapshot(table, before - 1)), [(1, "one")], "the content then")
    now = sorted(await bench.snapshot(table, after - 1))
    expect_equal(now, [(1, "one"), (2, "two")], "the content now")


@chapter.check("C15", title="a shard is appended to by who is allowed now, and once")
async def fenced_writes(bench: ControllerBench) -> None:
    table = await bench.table()
    view = bench.name("m")
    await bench.sql(f"CREATE MATERIALIZED VIEW {view} AS SELECT k FROM {table}")
    stream = await (await bench.replica()).stream()
    hello = stream.heard.hello
    assert hello is not None, "a complete session has one"
    claim = hello.claim_id.value
    upper = await bench.upper()
    for epoch, named in ((hello.epoch - 1, claim), (hello.epoch, b"\x02" * 16)):
        try:
            await bench.append_view(view, epoch, named, 1, upper)
        except EpochFenced:
            continue
        raise Failed("EpochFenced for an older epoch or another claim", "an answer")
    expect(
        await bench.append_view(view, hello.epoch, claim, 1, upper), "to be applied", "a refusal"
    )
    again = await bench.append_view(view, hello.epoch, claim, 1, upper)
    expect(not again, "a second one to change nothing", "it applied")


@chapter.check("C25", title="an append in pieces counts whole, once, or not at all")
async def whole_or_not_at_all(bench: ControllerBench) -> None:
    table = await bench.table()
    view = bench.name("m")
    await bench.sql(f"CREATE MATERIALIZED VIEW {view} AS SELECT k, v FROM {table}")
    stream = await (await bench.replica()).stream()
    hello = stream.heard.hello
    assert hello is not None, "a complete session has one"
    claim, upper = hello.claim_id.value, await bench.upper()
    rows = [(number, "x") for number in range(5)]
    strange = b"\x02" * 16
    try:
        await bench.append_in_pieces(view, hello.epoch, strange, upper, *rows)
    except EpochFenced:
        pass
    else:
        raise Failed("EpochFenced for another claim", "an answer")
    await bench.append_in_pieces(view, hello.epoch, claim, upper, *rows, whole=False)
    applied = await bench.append_in_pieces(view, hello.epoch, claim, upper, *rows)
    expect(applied, "the whole one to be applied", "a refusal")
    again = await bench.append_in_pieces(view, hello.epoch, claim, upper, *rows)
    expect(not again, "a second one to change nothing", "it applied")
    expect_equal(sorted(await bench.snapshot(view, upper - 1)), rows, "the view's content")
