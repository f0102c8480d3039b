"""Every test of this folder starts real processes, and leaves none of them behind."""

from __future__ import annotations

import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from tests.end_to_end.system import Up, all_ended, started

# By signal: the test fails where it hangs, with all that is known of the system, and the next runs.
TEST_TIMEOUT = pytest.mark.timeout(600, method="signal")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.end_to_end)
            item.add_marker(TEST_TIMEOUT)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failure is told with how each system was: there may be no second one like it."""
    report = yield
    if report.failed:
        report.sections += [(f"antiphon up, {up.address}", up.described()) for up in started]
    if report.when == "teardown":
        started[:] = [up for up in started if up.is_alive]
    return report


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A folder with a short name: the path of a Unix socket has at most 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="ap-") as directory:
        yield Path(directory)
        all_ended(Path(directory))


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    """A running system; whatever the test did, nothing of it is left behind."""
    with Up(tmp_path) as system:
        yield system
