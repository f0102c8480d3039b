"""Streams from outside: whatever the bytes, rows or an error, and never memory of others."""

from __future__ import annotations

import struct

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.protocol.arrow_stream import read_stream
from antiphon.protocol.errors import SchemaMismatch


def stream_of(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()


SOUND = pa.table({"k": [1, 2], "s": ["a", None], "l": [[1], []], "r": [{"x": "y"}, None]})
SOUND_STREAM = stream_of(SOUND)


def test_a_sound_stream_gives_its_rows() -> None:
    assert read_stream(SOUND_STREAM).equals(SOUND)


def test_a_dictionary_has_what_is_asked_of_it() -> None:
    indices, values = pa.array([7], pa.int32()), pa.array(["a"])
    column = pa.DictionaryArray.from_arrays(indices, values, safe=False)
    with pytest.raises(SchemaMismatch, match="out of bounds"):
        read_stream(stream_of(pa.table({"k": column})))


TEXT = b"x" * 77
OFFSETS = struct.pack("<ii", 0, 77)


@pytest.mark.parametrize(
    ("sound", "broken"),
    [
        (OFFSETS, struct.pack("<ii", 0, 1 << 30)),
        (OFFSETS, struct.pack("<ii", -8, 77)),
        (TEXT, b"\xff" * 77),
    ],
    ids=["past the end", "before the beginning", "no text"],
)
def test_texts_that_are_none_are_refused(sound: bytes, broken: bytes) -> None:
    stream = stream_of(pa.table({"k": [TEXT.decode()]}))
    before, _, after = stream.rpartition(sound)  # the body comes after what describes it
    assert before
    with pytest.raises(SchemaMismatch, match="no valid Arrow stream: "):
        read_stream(before + broken + after)


@pytest.mark.parametrize("name", [b"k1k2", b"x1x2"], ids=["column", "field"])
def test_a_name_that_is_no_text_is_refused(name: bytes) -> None:
    stream = stream_of(pa.table({"k1k2": [{"x1x2": 1}]}))
    assert stream.count(name) == 1
    with pytest.raises(SchemaMismatch, match="utf-8"):
        read_stream(stream.replace(name, b"\xff" * 4))


@pytest.mark.parametrize("stream", [b"", b"hello", b"\xff\xff\xff\xff\xff\xff\xff\x7f" + bytes(64)])
def test_what_is_no_stream_is_refused(stream: bytes) -> None:
    with pytest.raises(SchemaMismatch):
        read_stream(stream)


@given(st.lists(st.tuples(st.integers(0, len(SOUND_STREAM) - 1), st.integers(0, 255)), max_size=4))
def test_whatever_bytes_are_changed_it_is_rows_or_the_error(changes: list[tuple[int, int]]) -> None:
    changed = bytearray(SOUND_STREAM)
    for place, value in changes:
        changed[place] = value
    try:
        table = read_stream(bytes(changed))
    except SchemaMismatch:
        return
    assert len(table.column_names) == table.num_columns
    table.validate(full=True)
