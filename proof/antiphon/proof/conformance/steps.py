"""What many checks do: ask and take the answer, wait for a frontier, see a stream refused."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import assert_never

from antiphon.proof.conformance.content import Row, changes_of, rows_of, summed
from antiphon.proof.conformance.dataflows import index, read, schedule, table
from antiphon.proof.conformance.ports import Bench, Session
from antiphon.proof.conformance.transcript import PeekResult, Transcript
from antiphon.proof.conformance.verdict import Failed, NotApplicable, expect, one_line
from antiphon.protocol.command import Peek
from antiphon.protocol.errors import AntiphonError, NotServed
from antiphon.protocol.facts import ReplicaFacts
from antiphon.protocol.frontier import CLOSED, Frontier
from antiphon.protocol.ids import CollectionId, PeekId, show
from antiphon.protocol.response import Failure, PeekCanceled, PeekRows, PeekStashed

ROWS: tuple[Row, ...] = ((1, "a"), (2, "b"), (3, "c"))
QUIET_S = 0.2  # for what must not come: on a local socket answers take a few milliseconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """A session with a scheduled index of a filled table, which has answered a read."""

    session: Session
    table: CollectionId
    index: CollectionId


async def serving(bench: Bench) -> Serving:
    source, target = bench.table(*ROWS), bench.collection()
    session = await bench.connect(index(target, table(source)), schedule(target))
    found = Serving(session=session, table=source, index=target)
    await still_serves(bench, found)
    return found


async def still_serves(bench: Bench, serving: Serving) -> None:
    """The session answers, and rightly, at the latest complete time."""
    time = bench.store.upper - 1
    seen = await rows_at(bench, serving.session, serving.index, time)
    expect_content(seen, bench.store.content(serving.table, time), f"at {time}")


async def settled_facts(bench: Bench, serving: Serving) -> ReplicaFacts:
    """The facts once the index is among them. Its progress is left out: it may lag, and moves."""
    facts = await bench.facts_where(
        lambda facts: any(serving.index in dataflow.exports for dataflow in facts.dataflows),
        "the index among the facts",
    )
    return replace(
        facts,
        dataflows=tuple(replace(one, hydrated=True, upper=CLOSED) for one in facts.dataflows),
    )


async def answer(session: Session, peek: Peek) -> PeekResult:
    """Asks and waits for the first answer."""
    await session.send(peek)
    return await answered(session, peek.peek_id)


async def answered(session: Session, peek_id: PeekId) -> PeekResult:
    def find(transcript: Transcript) -> PeekResult | None:
        return next(iter(transcript.answers(peek_id)), None)

    return await session.until(find, f"an answer to peek {peek_id}")


async def answered_once(bench: Bench, session: Session, peek_id: PeekId) -> PeekResult:
    """The answer, after which there is silence."""
    result = await answered(session, peek_id)
    await bench.pause(QUIET_S)
    expect_count(session, peek_id, 1)
    return result


def expect_count(session: Session, peek_id: PeekId, count: int) -> None:
    answers = session.transcript.answers(peek_id)
    expect(len(answers) == count, f"{count} answers to peek {peek_id}", f"{len(answers)}")


async def rows_at(
    bench: Bench, session: Session, collection: CollectionId, time: int
) -> Counter[Row]:
    """All rows of an index at `time`."""
    return counted(await answer(session, read(bench.peek_id(), collection, time)))


def counted(result: PeekResult) -> Counter[Row]:
    """The rows of an inline answer.

    Raises:
        Failed: it is something else, or its count is wrong.
        NotApplicable: the replica does not serve this.
    """
    if isinstance(result, Failure) and result.code == NotServed.code:
        raise NotApplicable(f"not served: {result.message}")
    if not isinstance(result, PeekRows):
        raise Failed("rows", shown(result))
    rows = rows_of(result.batches)
    expect(len(rows) == result.row_count, f"row_count {len(rows)}", result.row_count)
    return Counter(rows)


def expect_content(seen: Counter[Row], expected: Counter[Row], where: str) -> None:
    expect(seen == expected, f"{_rows(expected)} {where}", _rows(seen))


def expect_failure(result: PeekResult, *codes: str) -> None:
    """The answer is a failure with one of the codes."""
    wanted = f"a failure {' or '.join(codes)}"
    if isinstance(result, Failure) and result.code == NotServed.code:
        raise NotApplicable(f"not served: {result.message}")
    expect(isinstance(result, Failure) and result.code in codes, wanted, shown(result))


def shown(result: PeekResult) -> str:
    """An answer in a few words; rows are counted, not shown."""
    match result:
        case PeekRows(row_count=count) | PeekStashed(row_count=count):
            return f"{count} rows{'' if isinstance(result, PeekRows) else ', stashed'}"
        case PeekCanceled():
            return "Canceled"
        case Failure(code=code, message=message):
            return f"the failure {code}: {message}"
        case _:
            assert_never(result)


async def passes(
    session: Session, collection: CollectionId, time: int, kind: str = "output"
) -> Frontier:
    """Waits until the collection's frontier has passed `time`; returns it."""

    def find(transcript: Transcript) -> Frontier | None:
        reached = transcript.reached(collection, kind)
        return reached if reached is not None and reached.passes(time) else None

    return await session.until(find, f"the {kind} frontier of {show(collection)} past {time}")


async def covers(session: Session, collection: CollectionId, time: int) -> Counter[Row]:
    """Waits until a subscribe has passed `time`; returns what its updates add up to."""

    def find(transcript: Transcript) -> bool:
        batches = transcript.batches(collection)
        failures = [batch.failure for batch in batches if batch.failure is not None]
        if failures:
            raise Failed("updates", one_line(failures[0]))
        return bool(batches) and batches[-1].upper.passes(time)

    await session.until(find, f"the subscribe {show(collection)} past {time}")
    batches = session.transcript.batches(collection)
    changes = [change for batch in batches for change in changes_of(batch.batches)]
    return summed(changes, time)


async def dropped(session: Session, collection: CollectionId) -> None:
    """Waits for `Dropped`."""
    name = show(collection)
    await session.until(lambda transcript: transcript.drops(collection), f"Dropped for {name}")


async def refused(session: Session, *kinds: type[AntiphonError]) -> None:
    """The replica ends the stream with one of these errors."""
    error = await session.end()
    wanted = " or ".join(kind.__name__ for kind in kinds)
    if isinstance(error, NotServed) and NotServed not in kinds:
        raise NotApplicable(f"not served: {error}")
    seen = "an end without an error" if error is None else f"{type(error).__name__}: {error}"
    expect(isinstance(error, kinds), f"the stream to end with {wanted}", seen)


def _rows(content: Counter[Row]) -> str:
    if len(content) > 8:
        return f"{len(content)} distinct rows, {content.total()} in all"
    return ", ".join(f"{row}x{count}" for row, count in sorted(content.items())) or "no rows"
