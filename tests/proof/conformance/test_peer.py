"""A content as the scripted peer gives it."""

from __future__ import annotations

from collections import Counter

import pytest

from antiphon.proof.conformance.content import summed
from antiphon.proof.conformance.peer import chunks_of


@pytest.mark.parametrize("rows", [0, 1, 2, 7])
def test_its_chunks_are_numbered_and_add_up(rows: int) -> None:
    content = Counter({(number, "x"): 1 + number for number in range(rows)})
    chunks = chunks_of(content, 25, b"d" * 16)
    assert [(chunk.index, chunk.last) for chunk in chunks] == [(0, False), (1, False), (2, True)]
    assert summed(change for chunk in chunks for change in chunk.changes) == content
    assert {chunk.rows_total for chunk in chunks} == {rows}
    assert [chunk.digest for chunk in chunks] == [b"", b"", b"d" * 16]
