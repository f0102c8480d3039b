"""A whole system of the demo's own: `antiphon up` as a child process over a private folder."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from antiphon.protocol.errors import Unavailable

STOP_TIMEOUT_S: Final = 30.0  # a busy machine takes its time
LOG_LINES_SHOWN: Final = 5


class System:
    """Starts on entry; on exit stops every process and removes the folder."""

    def __init__(self, data: str | None, *, replicas: int = 2) -> None:
        self._parent = data
        self._replicas = replicas
        self._directory: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self.address = ""

    def __enter__(self) -> Self:
        if self._parent is not None:
            Path(self._parent).mkdir(parents=True, exist_ok=True)
        self._directory = Path(tempfile.mkdtemp(prefix="demo-", dir=self._parent))
        try:
            self._start(self._directory)
        except BaseException:
            self._remove()
            raise
        return self

    def _start(self, directory: Path) -> None:
        # In its own folder: a port that is free now may be another's when it is listened on.
        self.address = f"unix:{directory / 'socket'}"
        arguments = [
            sys.executable, "-m", "antiphon.cli", "up", "--data", str(directory / "d"),
            "--replicas", str(self._replicas), "--listen", self.address, "--watch-stdin",
        ]  # fmt: skip
        with (directory / "log").open("wb") as log:
            self._process = subprocess.Popen(
                arguments,
                stdin=subprocess.PIPE,  # closes with us, however we end: nothing is left behind
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is ours to handle: it stops the child by `stop`
            )

    def check(self) -> None:
        """Raises:
        Unavailable: the system has ended by itself; with the last lines of its log.
        """
        assert self._process is not None, "entered"
        assert self._directory is not None, "entered"
        code = self._process.poll()
        if code is None:
            return
        lines = (self._directory / "log").read_text(errors="replace").splitlines()
        raise Unavailable(
            f"`antiphon up` ended with code {code}: {' | '.join(lines[-LOG_LINES_SHOWN:])}"
        )

    def stop(self) -> float:
        """Interrupts the system and waits for its end; how long that took, in seconds."""
        process = self._process
        if process is None:
            return 0.0
        started_s = time.monotonic()
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                # Its children die with it; a hung system must not outlive the demo.
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        self._process = None
        return time.monotonic() - started_s

    def _remove(self) -> None:
        self.stop()
        if self._directory is not None:
            shutil.rmtree(self._directory, ignore_errors=True)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._remove()
