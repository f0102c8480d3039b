"""Copy-to: the content at one time, one answer, and nothing written that nobody waits for."""

from __future__ import annotations

from collections import Counter

from antiphon.protocol.dataflow import CopyToExport
from antiphon.protocol.errors import Unavailable
from antiphon.protocol.ids import CollectionId, transient
from antiphon.protocol.response import (
    CopyToDropped,
    CopyToResponse,
    CopyToRows,
    Dropped,
    Failure,
    Frontiers,
)
from antiphon.replica.ports import AbandonFile, FileFailed, FileWritten, WriteFile
from tests.replica.bench import Bench, S, compact, rows, schedule
from tests.replica.scripted import TABLE, Row, at, dataflow, dividing, get
from tests.replica.stored import Store

KIND = CopyToExport(uri="x.parquet", format="parquet")
OTHER = transient(2)


def answers(bench: Bench, collection: CollectionId = S) -> list[object]:
    return [
        response.result
        for response in bench.responses
        if isinstance(response, CopyToResponse) and response.collection == collection
    ]


def copying(**options: object) -> Bench:
    store = Store(upper=1)
    store.append(5, TABLE, *rows((1, "a"), (2, "b"), (2, "b")))
    store.upper = 20
    store.changes[TABLE] += [((3, "c"), 15, 1), ((1, "a"), 15, -1)]
    bench = Bench(store)
    bench.connect(dataflow((S, KIND), **options), schedule(S))  # type: ignore[arg-type]
    bench.run()
    return bench


def content(request: WriteFile) -> Counter[Row]:
    found: Counter[Row] = Counter()
    columns = [column.to_pylist() for column in request.columns]
    for row, diff in zip(zip(*columns, strict=True), request.diffs.tolist(), strict=True):
        found[row] += diff
    return found


def test_49_the_content_at_as_of_is_written_and_answered_once() -> None:
    bench = copying(until=11)
    (request,) = bench.files
    assert isinstance(request, WriteFile)
    assert (request.uri, request.format) == ("x.parquet", "parquet")
    assert content(request) == Counter({(1, "a"): 1, (2, "b"): 2})
    assert answers(bench) == []
    assert bench.frontiers(S)["write"] == [at(10)], "the file is not there yet"
    bench.handle(FileWritten(file=request.file, row_count=3, path="/x.parquet"))
    assert answers(bench) == [CopyToRows(row_count=3, path="/x.parquet")]
    assert bench.frontiers(S)["write"][-1].is_closed
    bench.send(compact(S, None))
    bench.run()
    assert len(answers(bench)) == 1
    assert bench.dropped() == [S]
    assert bench.files == [request]


def test_49_without_an_end_only_what_is_at_as_of_is_written() -> None:
    bench = copying()
    (request,) = bench.files
    assert isinstance(request, WriteFile)
    assert content(request) == Counter({(1, "a"): 1, (2, "b"): 2})
    bench.tick(30, ((4, "d"), 1))
    assert bench.files == [request]


def test_49_what_cannot_be_written_is_a_failure() -> None:
    bench = copying(until=11)
    (request,) = bench.files
    bench.handle(FileFailed(file=request.file, error=Unavailable("the disk is full")))
    (failure,) = answers(bench)
    assert isinstance(failure, Failure)
    assert failure.code == "unavailable"


def test_49_an_error_at_the_time_is_the_answer_and_nothing_is_written() -> None:
    store = Store(upper=1)
    store.append(5, TABLE, *rows((0, "a")))
    store.upper = 20
    bench = Bench(store)
    bench.connect(dataflow((S, KIND), plan=dividing(get(TABLE), 6), until=11), schedule(S))
    bench.run()
    (failure,) = answers(bench)
    assert isinstance(failure, Failure)
    assert failure.code == "data_error"
    assert bench.files == []


def test_49_a_drop_before_the_end_is_the_answer_and_the_file_is_given_up() -> None:
    bench = copying(until=11)
    (request,) = bench.files
    bench.send(compact(S, None))
    bench.run()
    assert answers(bench) == [CopyToDropped()]
    assert bench.files[1:] == [AbandonFile(file=request.file)]
    about = [r for r in bench.responses if isinstance(r, CopyToResponse | Dropped)]
    assert isinstance(about[-1], Dropped)
    bench.handle(FileWritten(file=request.file, row_count=3, path="/x"))
    assert len(answers(bench)) == 1


def test_49_what_was_never_started_is_dropped_too() -> None:
    bench = copying(until=11)
    bench.send(dataflow((OTHER, KIND)), compact(OTHER, None))
    bench.run()
    assert answers(bench, OTHER) == [CopyToDropped()]


def test_a_lost_connection_gives_the_file_up_without_a_word() -> None:
    bench = copying(until=11)
    (request,) = bench.files
    bench.disconnect()
    assert bench.files[1:] == [AbandonFile(file=request.file)]
    bench.take()
    bench.connect()
    bench.handle(FileWritten(file=request.file, row_count=3, path="/x"))
    bench.run()
    assert not any(isinstance(r, CopyToResponse | Frontiers) for r in bench.take())
