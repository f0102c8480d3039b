"""What a heartbeat tells of the replica's processes."""

from __future__ import annotations

import os
from pathlib import Path


def resident_bytes(*processes: int) -> int:
    """Physical memory of these processes together; those that are gone count nothing. 0 where the
    system does not say."""
    page_bytes = os.sysconf("SC_PAGE_SIZE")
    total = 0
    for process in processes:
        try:
            fields = Path(f"/proc/{process}/statm").read_text(encoding="ascii").split()
        except OSError:
            continue
        total += int(fields[1]) * page_bytes
    return total
