"""What the process says with its exit code."""

from __future__ import annotations

import signal
from typing import Final

FAILURE: Final = 1
USAGE_ERROR: Final = 2
INTERRUPTED: Final = 128 + signal.SIGINT
