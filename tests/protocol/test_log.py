"""What a log cannot be written to stops nobody."""

from __future__ import annotations

import errno
import io
from collections.abc import Iterator

import pytest
import structlog

from antiphon.protocol.io.log import configure_logging


@pytest.fixture(autouse=True)
def _configuration() -> Iterator[None]:
    yield
    structlog.reset_defaults()


def test_lines_go_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("warning")
    log = structlog.get_logger()
    log.info("quiet")
    log.warning("loud", number=1)
    printed = capsys.readouterr().err
    assert '"event": "loud"' in printed
    assert "quiet" not in printed


class Full(io.StringIO):
    """A file on a disk without space."""

    def write(self, text: str, /) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    def flush(self) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_who_logs_to_what_was_closed_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr("sys.stderr", stream)
    configure_logging("info")
    log = structlog.get_logger()
    log.error("heard")
    assert '"event": "heard"' in stream.getvalue()
    stream.close()
    log.error("nobody hears this")


def test_who_logs_to_a_full_disk_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr", Full())
    configure_logging("info")
    structlog.get_logger().error("nobody hears this")
