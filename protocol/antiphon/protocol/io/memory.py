"""What the collector of cyclic garbage looks at."""

from __future__ import annotations

import gc


def spare_what_is_loaded() -> None:
    """Call it once a process has started: what is loaded by then, over 100,000 objects, lives as
    long as the process does, and each full collection would look at all of it, for 60 ms in which
    nothing is served. Not collected first, which would cost a start as much. O(1)."""
    gc.freeze()
