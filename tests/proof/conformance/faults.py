"""The faults that the fake replica can have, one at a time."""

from __future__ import annotations

from enum import Enum, auto


class Fault(Enum):
    """What the replica does wrong."""

    NONE = auto()
    SPEAKS_TOO_EARLY = auto()
    HAS_NO_HEARTBEAT = auto()
    KEEPS_BOTH_CONNECTIONS = auto()
    SAYS_THE_OLD_CONNECTION_ID = auto()
    IGNORES_EPOCHS = auto()
    IGNORES_FACTS = auto()
    IGNORES_VERSIONS = auto()
    IGNORES_POSITIONS = auto()
    KEEPS_WHAT_IS_HALF_SENT = auto()
    KEEPS_WHAT_IS_ABSENT = auto()
    STARTS_BEFORE_AS_OF = auto()
    REGRESSES = auto()
    COMPUTES_UNSCHEDULED = auto()
    DROPS_TWICE = auto()
    ANSWERS_TWICE = auto()
    ANSWERS_TOO_EARLY = auto()
    ANSWERS_BEFORE_SINCE = auto()
    ANSWERS_NEVER = auto()
    LOSES_A_MULTIPLICITY = auto()
    FORGETS_PINNED_READS = auto()
    CANCELS_UNASKED = auto()
    LEAVES_A_GAP = auto()
    ENDS_A_SUBSCRIBE_TWICE = auto()
    WRITES_UNASKED = auto()
    WRITES_TWICE = auto()
    TRUSTS_PUSHES = auto()
    NEVER_REOPENS_A_TAIL = auto()
