"""What begins again, and when."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from antiphon.replica.dataflow.columns.zset import Zset
from antiphon.replica.importing.input import Input
from antiphon.replica.importing.load import Load
from tests.replica.scripted import TABLE, table


def test_a_content_that_begins_again_leaves_nothing_of_what_had_come() -> None:
    reader = Input(TABLE, 10)
    part = Zset((pa.array([1]),), np.ones(1, np.int64))
    load = Load(imported=table(), as_of=10, source=None, reader=reader)
    load.brought.append(part)
    load.parts = 1
    reader.load(part)
    load.restart()
    assert (load.parts, load.brought, reader.has_content) == (0, [], False)


def test_it_is_due_from_the_moment_that_was_set() -> None:
    load = Load(imported=table(), as_of=10, source=None, reader=None)
    assert not load.is_due(99)
    load.retry_at_ms = 50
    assert [load.is_due(now_ms) for now_ms in (49, 50)] == [False, True]
