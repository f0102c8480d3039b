"""Runs of the suite wait for what must not come: together they take longer than ten seconds."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

RUNS: Final = ("test_checks_", "test_cli", "test_io_", "test_own_")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if item.path.parent == here and item.path.name.startswith(RUNS):
            item.add_marker(pytest.mark.slow)
