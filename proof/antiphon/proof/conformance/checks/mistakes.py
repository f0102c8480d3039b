"""What a controller gets wrong is answered with a typed error: never rows, silence or a crash.

A replica may say so to whoever reads, or end the stream; the protocol leaves it the choice. It may
not go away, and no other collection may suffer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from antiphon.proof.conformance.content import PAIRS
from antiphon.proof.conformance.dataflows import (
    drop,
    get,
    index,
    indexed,
    read,
    read_plan,
    schedule,
    table,
)
from antiphon.proof.conformance.ports import Bench
from antiphon.proof.conformance.registry import Chapter
from antiphon.proof.conformance.steps import (
    Serving,
    dropped,
    serving,
    shown,
    still_serves,
)
from antiphon.proof.conformance.transcript import PeekResult, Transcript
from antiphon.proof.conformance.verdict import expect, expect_equal
from antiphon.protocol.command import CreateDataflow, IndexTarget, Peek
from antiphon.protocol.dataflow import Finishing
from antiphon.protocol.errors import ComputeError, Internal, OutcomeUnknown, Unavailable
from antiphon.protocol.ids import CollectionId
from antiphon.protocol.response import Failure

chapter = Chapter()
NOISE: Final = b"\xff\xffnoise"
NOWHERE: Final = CollectionId(1 << 62)  # nobody creates it


@chapter.check("D20", title="a read that makes no sense is a typed error, and nothing else suffers")
async def senseless_reads(bench: Bench) -> None:
    incarnation = (await bench.probe()).incarnation
    found = await serving(bench)
    for what, spoil in READS:
        peek = spoil(read(bench.peek_id(), found.index, 15), found)
        await found.session.send(peek)
        await _error(found, peek, what)
        if found.session.ended:
            found = await serving(bench)
        await still_serves(bench, found)
    expect_equal((await bench.probe()).incarnation, incarnation, "the incarnation")


@chapter.check("D21", title="a dataflow that cannot run is a typed error, and nothing else suffers")
async def impossible_dataflows(bench: Bench) -> None:
    incarnation = (await bench.probe()).incarnation
    found = await serving(bench)
    for what, make in DATAFLOWS:
        target = bench.collection()
        peek = read(bench.peek_id(), target, 15)
        await found.session.send(make(target, found), schedule(target), peek)
        await _error(found, peek, what)
        if found.session.ended:
            found = await serving(bench)
        else:
            await found.session.send(drop(target))
            await dropped(found.session, target)
        await still_serves(bench, found)
    expect_equal((await bench.probe()).incarnation, incarnation, "the incarnation")


def _finishing(peek: Peek, finishing: Finishing) -> Peek:
    return replace(peek, finishing=finishing)


def _described(create: CreateDataflow, **fields: Any) -> CreateDataflow:
    return CreateDataflow(dataflow=replace(create.dataflow, **fields))


def _own(target: CollectionId, found: Serving, **options: Any) -> CreateDataflow:
    return index(target, table(found.table), **options)


READS: Final[tuple[tuple[str, Callable[[Peek, Serving], Peek]], ...]] = (
    (
        "an order by a column that is not there",
        lambda peek, _: _finishing(peek, Finishing(order_by=((9, False, False),))),
    ),
    (
        "a projection of a column that is not there",
        lambda peek, _: _finishing(peek, Finishing(project=(9, 0))),
    ),
    ("a schema of one column", lambda peek, _: replace(peek, schema=PAIRS.project((0,)))),
    ("a schema of other types", lambda peek, _: replace(peek, schema=PAIRS.project((0, 0)))),
    (
        "keys that are noise",
        lambda peek, found: replace(peek, target=IndexTarget(collection=found.index, keys=NOISE)),
    ),
    (
        "a plan that is noise",
        lambda peek, found: replace(peek, target=IndexTarget(collection=found.index, plan=NOISE)),
    ),
    (
        "a plan over what is not imported",
        lambda peek, found: read_plan(peek.peek_id, get(NOWHERE), (table(found.table),), 15),
    ),
)

DATAFLOWS: Final[tuple[tuple[str, Callable[[CollectionId, Serving], CreateDataflow]], ...]] = (
    ("an import that is not there", lambda target, _: index(target, indexed(NOWHERE))),
    (
        "an import at a time that is gone",
        lambda target, found: index(target, indexed(found.index), as_of=5),
    ),
    (
        "a plan that is noise",
        lambda target, found: _described(_own(target, found), plan=NOISE),
    ),
    (
        "a plan over what is not imported",
        lambda target, found: _own(target, found, plan=get(NOWHERE)),
    ),
    (
        "a plan of another schema",
        lambda target, found: _described(_own(target, found), schema=PAIRS.project((1, 0))),
    ),
)


async def _error(found: Serving, peek: Peek, what: str) -> None:
    """The read is answered with a failure, or the stream ends with a typed error."""

    def find(transcript: Transcript) -> list[PeekResult] | bool:
        return transcript.answers(peek.peek_id) or found.session.ended

    await found.session.until(find, f"an error for {what}")
    for result in found.session.transcript.answers(peek.peek_id):
        typed = isinstance(result, Failure) and result.code != Internal.code
        expect(typed, f"a typed failure for {what}", shown(result))
    if found.session.ended:
        error = await found.session.end()
        crash = error is None or isinstance(error, Unavailable | OutcomeUnknown | Internal)
        expect(
            isinstance(error, ComputeError) and not crash, f"a typed error for {what}", repr(error)
        )
