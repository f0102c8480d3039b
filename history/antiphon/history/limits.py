"""The bounds of the durable side, each with its unit and its reason."""

from __future__ import annotations

from typing import Final

# Submissions that wait for the writer. A driver that is this far ahead of its disk gets refusals:
# a queue that grows only hides that.
SUBMISSIONS_QUEUED_MAX: Final = 8_192
# Submissions of one durable transaction. More would delay the first without saving a sync that
# matters: the cost of a sync is spread thin long before.
GROUP_SUBMISSIONS_MAX: Final = 1_024

# Rows and bytes of one stored or streamed batch: it must fit a message with room to spare.
CHUNK_ROWS_MAX: Final = 65_536
CHUNK_BYTES_MAX: Final = 4 << 20

# Bytes of small batches that a merge gathers before it sorts them.
GATHER_BYTES_MAX: Final = 64 << 20

# Rows that one step of a fold merges and writes: an append waits for at most one such step.
FOLD_STEP_ROWS: Final = 16_384
# Foldable batches that accumulate before they are merged: each costs a reader one decode.
FOLD_BATCHES_MIN: Final = 64
# A revision smaller than this is rewritten for free; folding earlier would only churn.
FOLD_ROWS_MIN: Final = 4_096
# Stored parts of dead runs that one step of the janitor deletes.
GARBAGE_PARTS_MAX: Final = 16
# How many groups are committed, while more wait, for one step of maintenance.
GROUPS_PER_STEP: Final = 4
# Unique keys of dropped tables that one step of the janitor deletes.
GARBAGE_KEYS_MAX: Final = 4_096

# Unique keys that are worth sorting before they are written.
BULK_KEYS_MIN: Final = 256

# Sequences of one producer that are remembered: how many appends a client may have in flight and
# still learn of each what became of it.
PRODUCER_SEQUENCES_MAX: Final = 128
# A producer that was silent for longer is forgotten; a client does not retry for a week.
PRODUCER_RETAIN_MS: Final = 7 * 24 * 3_600 * 1_000
# How often, on the timeline, silent producers are looked for.
PRODUCER_FORGET_INTERVAL_MS: Final = 60_000
# The largest sequence: what a signed 64-bit column holds.
SEQUENCE_MAX: Final = 2**63 - 1

# Commands whose digests are checked when a store opens; `verify` checks all. A million would take
# seconds, and bit rot far back is not found sooner by restarts.
OPEN_VERIFY_COMMANDS_MAX: Final = 100_000
# Commands of one read of the journal: a page, not the whole history in memory.
COMMANDS_PAGE: Final = 1_000
# Connections that are kept for readers; more may be open while more read at once.
READERS_IDLE_MAX: Final = 8

assert GATHER_BYTES_MAX + CHUNK_BYTES_MAX < 2**31, "what is gathered fits 31-bit offsets"
assert FOLD_STEP_ROWS <= CHUNK_ROWS_MAX, "a step of a fold writes whole chunks"
