"""Starts the process that computes.

It is started as `python -m antiphon.replica.io.worker_process FD REPLICA FOLDER` rather than
through multiprocessing, which would import the parent's main module (command line, gRPC server and
all) into the child. Nor does the parent import what the child runs: the engine would cost each
start half a second more.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Final

_COMMAND: Final = (sys.executable, "-m", "antiphon.replica.io.worker_process")
# numpy's AVX-512 sort is five times slower than its AVX2 sort on Zen 4 (AMD family 25).
_SLOW_AVX512_FAMILY: Final = "25"
_NUMPY_WITHOUT_AVX512: Final = "X86_V4 AVX512_ICL"


def start_worker(child: socket.socket, replica: str, copies: Path) -> subprocess.Popen[bytes]:
    """Starts a worker on its end of a socket pair, which the caller then closes. `copies`: the
    folder of the files that it writes for clients."""
    environment = dict(os.environ)
    if _has_slow_avx512():
        environment.setdefault("NPY_DISABLE_CPU_FEATURES", _NUMPY_WITHOUT_AVX512)
    return subprocess.Popen(
        [*_COMMAND, str(child.fileno()), replica, str(copies)],
        pass_fds=[child.fileno()],
        env=environment,
        stdin=subprocess.DEVNULL,
    )


def _has_slow_avx512() -> bool:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")
    except OSError:
        return False
    facts = dict(
        (name.strip(), value.strip())
        for name, _, value in (line.partition(":") for line in text.split("\n\n")[0].splitlines())
    )
    return (
        facts.get("vendor_id") == "AuthenticAMD"
        and facts.get("cpu family") == _SLOW_AVX512_FAMILY
        and "avx512f" in facts.get("flags", "").split()
    )
