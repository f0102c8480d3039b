"""Every test that asks for `disk` or `driver` runs on both stores."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.history.stores import SHARDS, Disk, Driver, MemoryDisk, SqliteDisk


@pytest.fixture(params=["memory", "sqlite"])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Disk]:
    made: Disk = MemoryDisk() if request.param == "memory" else SqliteDisk(tmp_path / "data")
    yield made
    made.close()


@pytest.fixture
def driver(disk: Disk) -> Driver:
    """A controller on a store with a keyed table, a feed, a materialized view and a plain table."""
    opened = disk.open()
    opened.commit(new_shards=SHARDS)
    return opened
