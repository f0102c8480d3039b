"""Files that clients ask for: whole or absent, and only where they belong."""

from __future__ import annotations

import select
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from antiphon.protocol.errors import DataError, InvalidArgument, NotServed, ReplicaFailed
from antiphon.protocol.schema import (
    DATE,
    INT64,
    INTERVAL,
    TEXT,
    TIMESTAMPTZ,
    UUID,
    Column,
    Schema,
    Type,
    arrow_schema,
    arrow_type,
    decimal,
)
from antiphon.replica.io import files as module
from antiphon.replica.io.files import Files, place_of
from antiphon.replica.ports import AbandonFile, FileFailed, FileWritten, WriteFile

PAIRS = Schema((Column(name="k", type=INT64), Column(name="v", type=TEXT)))


def request(file: int, uri: str, *rows: tuple[int, str, int], form: str = "parquet") -> WriteFile:
    """Each row with how often it is there."""
    return WriteFile(
        file=file,
        uri=uri,
        format=form,
        schema=PAIRS,
        columns=(pa.array([r[0] for r in rows], pa.int64()), pa.array([r[1] for r in rows])),
        diffs=np.array([r[2] for r in rows], np.int64),
    )


def written(files: Files, *requests: WriteFile) -> list[FileWritten | FileFailed]:
    for one in requests:
        files.perform(one)
    news: list[FileWritten | FileFailed] = []
    while len(news) < len(requests):
        assert select.select([files.done], [], [], 30)[0], "nothing ends"
        news += files.take()
    return news


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path, "r1")


def left(directory: Path) -> list[str]:
    return sorted(str(p.relative_to(directory)) for p in directory.rglob("*") if p.is_file())


def test_a_file_holds_every_row_as_often_as_it_is_there(
    files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ROWS_PER_GROUP", 3)
    rows = ((1, "a", 1), (2, "b", 5), (3, "c", 0), (4, "d", 2))
    (done,) = written(files, request(1, "to/x.parquet", *rows))
    path = tmp_path / "to" / "x.parquet"
    assert done == FileWritten(file=1, row_count=8, path=str(path))
    table = pq.read_table(path)
    assert table.schema.remove_metadata().equals(arrow_schema(PAIRS).remove_metadata())
    expected = [(k, v) for k, v, count in rows for _ in range(count)]
    assert [tuple(row.values()) for row in table.to_pylist()] == expected
    assert left(tmp_path) == ["to/x.parquet"]


def test_nothing_is_a_file_without_rows_and_another_takes_its_place(
    files: Files, tmp_path: Path
) -> None:
    (first,) = written(files, request(1, "x.parquet"))
    assert isinstance(first, FileWritten)
    assert pq.read_table(tmp_path / "x.parquet").num_rows == 0
    written(files, request(2, "x.parquet", (1, "a", 1)))
    assert pq.read_table(tmp_path / "x.parquet").num_rows == 1


@pytest.mark.parametrize(
    "uri",
    ["", "/etc/passwd", "../x", "a/../../x", "a/", ".", "x\0y", "out/x", "x.partial", "folder"],
)
def test_no_file_is_written_elsewhere(tmp_path: Path, uri: str) -> None:
    inside = tmp_path / "copies"
    (inside / "folder").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    (inside / "out").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InvalidArgument):
        place_of(inside, uri)
    (done,) = written(Files(inside, "r1"), request(1, uri, (1, "a", 1)))
    assert isinstance(done, FileFailed)
    assert left(tmp_path) == []


def test_a_whole_path_is_taken_if_it_leads_there(tmp_path: Path) -> None:
    assert place_of(tmp_path, str(tmp_path / "x")) == (tmp_path / "x").resolve()


def test_what_cannot_be_written_leaves_nothing_behind(files: Files, tmp_path: Path) -> None:
    negative, unknown, blocked = written(
        files,
        request(1, "x", (1, "a", 1), (2, "b", -1)),
        request(2, "x", form="csv"),
        request(3, "y/x", (1, "a", 1)),
    )
    assert isinstance(negative, FileFailed)
    assert isinstance(negative.error, DataError)
    assert isinstance(unknown, FileFailed)
    assert isinstance(unknown.error, NotServed)
    assert isinstance(blocked, FileWritten)
    (in_the_way,) = written(files, request(4, "y/x/z", (1, "a", 1)))
    assert isinstance(in_the_way, FileFailed)
    assert isinstance(in_the_way.error, ReplicaFailed)
    assert left(tmp_path) == ["y/x"]


def test_what_was_given_up_is_not_there_and_not_spoken_of(files: Files, tmp_path: Path) -> None:
    files.perform(AbandonFile(file=1))
    first = request(1, "x", (1, "a", 1))
    files.perform(first)
    (done,) = written(files, request(2, "y", (1, "a", 1)))
    assert done.file == 2
    assert left(tmp_path) == ["y"]


def test_what_an_earlier_life_left_half_written_is_removed(tmp_path: Path) -> None:
    mine, theirs = ".x.r1-0a1b2c3d.partial", ".x.r2-0a1b2c3d.partial"
    for name in (mine, theirs, "x"):
        (tmp_path / name).write_text("")
    Files(tmp_path, "r1")
    assert left(tmp_path) == [theirs, "x"]


@pytest.mark.parametrize("kind", [DATE, TIMESTAMPTZ, UUID, decimal(38, 5), INTERVAL])
def test_every_type_is_written_as_it_is_or_refused(
    files: Files, tmp_path: Path, kind: Type
) -> None:
    schema = Schema((Column(name="c", type=kind),))
    column = pa.nulls(2, arrow_type(kind))
    wanted = WriteFile(
        file=1, uri="x", format="parquet", schema=schema, columns=(column,),
        diffs=np.ones(2, np.int64),
    )  # fmt: skip
    (done,) = written(files, wanted)
    if kind == INTERVAL:
        assert isinstance(done, FileFailed)
        assert isinstance(done.error, NotServed)
        assert left(tmp_path) == []
    else:
        assert isinstance(done, FileWritten)
        assert pq.read_table(tmp_path / "x").schema.types == arrow_schema(schema).types
