"""The `antiphon` script: an interrupt is no traceback, not even while the commands are imported."""

from __future__ import annotations

import os

from antiphon.cli.exit_codes import INTERRUPTED


def main() -> None:
    """Runs the command line, and exits."""
    try:
        from antiphon.cli.main import main as run_main

        run_main()
    except KeyboardInterrupt:
        # Half of what was imported would complain while it is torn down.
        os._exit(INTERRUPTED)
