"""How time zones are called, where PostgreSQL's names differ from those of the IANA database."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

UTC: Final = "Etc/UTC"
# A name of the time zone database; offsets are left out, whose sign PostgreSQL reads the other way.
_NAME: Final = re.compile(r"[A-Za-z_]+(/[A-Za-z0-9_+-]+)*")
# To PostgreSQL these are abbreviations, of one offset in summer and winter.
_ABBREVIATIONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "UTC": UTC, "Z": UTC, "GMT": UTC, "WET": UTC,
        "CET": "Etc/GMT-1", "MET": "Etc/GMT-1", "EET": "Etc/GMT-2",
    }
)  # fmt: skip


def iana_name(zone: str) -> str | None:
    """What the database calls a zone, if it has it; None: this is no name."""
    if _NAME.fullmatch(zone) is None:
        return None
    return _ABBREVIATIONS.get(zone.upper(), zone)
