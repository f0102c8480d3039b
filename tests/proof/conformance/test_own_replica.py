"""Our own replica, as its users start it, passes the suite; kill -9 and a restart included."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

import pytest

from antiphon.proof.conformance import Report, Verdict, run

pytestmark = [pytest.mark.end_to_end, pytest.mark.timeout(600, method="signal")]

PATIENCE_S: Final = 50.0  # on however busy a machine
# What a replica may leave out: state that is kept over a reconnection, and suffixes.
MAY_BE_MISSING: Final = {"57", "58", "D7"}


class Process:
    """One replica's process, again and again on the same data."""

    def __init__(self, directory: Path) -> None:
        self.address = f"unix:{directory / 'replica'}"
        self.controller = f"unix:{directory / 'controller'}"
        self._directory = directory
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(
            [
                sys.executable, "-m", "antiphon.cli", "replica", "--name", "r1",
                "--listen", self.address,
                "--controller", self.controller,
                "--data", str(self._directory / "data"),
                "--watch-stdin",
            ],
            stdin=subprocess.PIPE,
            stderr=(self._directory / "log").open("ab"),
        )  # fmt: skip

    def kill(self) -> None:
        assert self._process is not None, "it was not started"
        assert self._process.stdin is not None, "it was started with a pipe"
        self._process.kill()
        self._process.wait()
        self._process.stdin.close()

    async def restart(self) -> None:
        self.kill()
        self.start()


async def report_of_our_own() -> Report:
    # Not pytest's directory: the path of a Unix socket must be short.
    with tempfile.TemporaryDirectory(prefix="antiphon-") as directory:
        process = Process(Path(directory))
        process.start()
        try:
            return await run(
                process.address,
                collections_listen=process.controller,
                restart=process.restart,
                patience_s=PATIENCE_S,
            )
        finally:
            process.kill()


async def test_our_own_replica_conforms() -> None:
    report = await report_of_our_own()
    failed = [row for row in report.rows() if row[2] == Verdict.FAIL.value]
    assert not failed, "\n".join(map(str, failed))
    assert report.conforms
    missing = {
        number
        for outcome in report.outcomes
        if outcome.verdict is Verdict.NOT_APPLICABLE
        for number in outcome.numbers
    }
    assert missing <= MAY_BE_MISSING
