"""Every test of this folder starts real processes."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.system import Up, processes_of


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.end_to_end)
            item.add_marker(pytest.mark.timeout(180))


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A folder with a short name: the path of a Unix socket has at most 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="ap-") as directory:
        yield Path(directory)


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    """A running system; whatever the test did, nothing of it is left behind."""
    with Up(tmp_path) as system:
        yield system
    assert not processes_of(tmp_path), f"left behind: {system.tail()}"
