"""How a failure is told: one line on stderr, the traceback in the log file."""

from __future__ import annotations

import contextlib
import os
import sys
import time
import traceback
from pathlib import Path
from typing import Final

from antiphon.cli.exit_codes import FAILURE, USAGE_ERROR
from antiphon.client.session import explain
from antiphon.protocol.errors import (
    AddressInUse,
    AntiphonError,
    ComputeError,
    ProtocolError,
    StoreLocked,
    Unauthenticated,
)
from antiphon.protocol.io.settings_file import BadSetting

LOG_BYTES_MAX: Final = 1 << 20  # of old tracebacks; older ones make room

# What to do, where the error itself cannot know that a person sits at a terminal.
_ADVICE: Final[dict[type[ComputeError], str]] = {
    Unauthenticated: "pass --token or set ANTIPHON_TOKEN",
    AddressInUse: "stop who it is, or use another --listen",
    StoreLocked: "stop the other controller, or use another --data",
}


def state_directory() -> Path:
    """Where this user's shell history and tracebacks are kept; made, for the user alone."""
    root = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    directory = Path(root) / "antiphon"
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    return directory


def describe(error: Exception) -> str:
    """The failure in one line."""
    if isinstance(error, BadSetting):
        return explain(error)
    if isinstance(error, ComputeError):
        advice = next((text for kind, text in _ADVICE.items() if isinstance(error, kind)), "")
        line = f"{error.code.replace('_', ' ')}: {explain(error)}"
        if advice and advice not in line:
            line += f": {advice}"
        return line if error.definite else f"{line} (it may have taken effect)"
    if isinstance(error, ProtocolError):
        return f"protocol error: {explain(error)}"
    if isinstance(error, AntiphonError):
        return explain(error)
    if isinstance(error, OSError):
        return (
            f"{error.filename}: {error.strerror}"
            if error.filename
            else error.strerror or str(error)
        )
    return f"internal error: {type(error).__name__}: {' '.join(str(error).split())}"


def report(error: Exception) -> int:
    """Prints the line, logs the traceback; returns the exit code: a setting is wrong usage."""
    line = describe(error)
    place = _log(error)
    if not isinstance(error, AntiphonError | OSError) and place is not None:
        line += f"; the traceback is in {place}"
    print(f"antiphon: {line}", file=sys.stderr)
    return USAGE_ERROR if isinstance(error, BadSetting) else FAILURE


def _log(error: Exception) -> Path | None:
    """Appends the traceback to the log; None if the log cannot be written."""
    with contextlib.suppress(OSError):
        path = state_directory() / "errors.log"
        too_large = path.exists() and path.stat().st_size > LOG_BYTES_MAX
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S%z")
        with path.open("w" if too_large else "a") as log:
            path.chmod(0o600)
            log.write(f"{stamp} {' '.join(_without_secrets(sys.argv))}\n")
            traceback.print_exception(error, file=log)
        return path
    return None


def _without_secrets(words: list[str]) -> list[str]:
    """The command line as it may be kept."""
    previous = ["", *words]
    return [
        "***" if before == "--token" else "--token=***" if word.startswith("--token=") else word
        for before, word in zip(previous, words, strict=False)
    ]
