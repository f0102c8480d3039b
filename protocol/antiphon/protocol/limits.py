"""Every limit of the protocol, with its unit and its reason.

A limit that a caller can hit is answered with `LimitExceeded`, which carries its name; a queue
that is full refuses or disconnects, it never grows. Relations between limits are asserted below
them, so that nobody moves one without the others.
"""

from __future__ import annotations

from typing import Final

KIB: Final = 1 << 10
MIB: Final = 1 << 20

# --- Messages -------------------------------------------------------------------------------------

MESSAGE_BYTES_MAX: Final = 64 * MIB  # of one gRPC message, both ways; the library's 4 MiB is small
CHUNK_BYTES: Final = 1 * MIB  # of Arrow data in a message: large enough to cost nothing per byte
PEEK_INLINE_BYTES_MAX: Final = 1 * MIB  # larger answers are fetched, so they never clog a session
# A message costs ~100 us, ten commands' worth. In one piece, each end would wait for the other.
BATCH_MESSAGES_MAX: Final = 128  # in a batch: enough to hide its cost, few enough to work meanwhile
TYPE_DEPTH_MAX: Final = 32  # lists and structs in each other; Arrow reads twice as many
MESSAGE_DEPTH_MAX: Final = 100  # nested messages that a protobuf reader accepts
PLAN_BYTES_MAX: Final = 4 * MIB  # constants included; a larger one is data: load it into a table
APPEND_BYTES_MAX: Final = 32 * MIB  # of one append; larger loads are many appends
APPEND_ROWS_MAX: Final = 1_000_000  # of one append: it is one tick, which every view computes whole
APPEND_COPIES_MAX: Final = 1 << 24  # of one append's rows, so that what a tick adds up fits 64 bits
ROW_BYTES_MAX: Final = 16 * MIB  # one row must fit a message with room for its frame

ERROR_MESSAGE_BYTES_MAX: Final = 1 * KIB  # travels three times in metadata; peers cap that at 8 KiB
ERROR_DETAILS_BYTES_MAX: Final = 512  # names and values together; twice
GROUPING_SETS_MAX: Final = 128  # each is a reduce of its own: a CUBE of seven columns

DOMAIN_DEPTH_MAX: Final = 6  # of queries that read those around them; planning doubles with each
SERIES_ROWS_MAX: Final = 1_000_000  # of one call of generate_series: a slip of a digit is no flood

assert 5 * ERROR_MESSAGE_BYTES_MAX + 3 * ERROR_DETAILS_BYTES_MAX < 8 * KIB, "errors arrive whole"
assert CHUNK_BYTES <= MESSAGE_BYTES_MAX // 4, "a batch of chunks must fit a message"
assert ROW_BYTES_MAX <= APPEND_BYTES_MAX <= MESSAGE_BYTES_MAX // 2, "an append fits a message"
assert PLAN_BYTES_MAX * 8 <= MESSAGE_BYTES_MAX, "a command with a plan fits a message"

# --- The instance ---------------------------------------------------------------------------------

DATAFLOWS_MAX: Final = 1_024  # maintained by one instance; more are refused at CREATE
REPLICAS_MAX: Final = 16  # of one instance; each costs a copy of all work
COLUMNS_MAX: Final = 1_600  # of one collection or answer, as in PostgreSQL
NAME_BYTES_MAX: Final = 255  # of any identifier
SQL_BYTES_MAX: Final = 1 * MIB  # of one request's statements
SQL_TOKENS_MAX: Final = 65_536  # of one statement that is parsed: who plans it plans for all
PEEKS_PENDING_MAX: Final = 4_096  # in the live table; the next is refused
SUBSCRIBES_ACTIVE_MAX: Final = 256  # each is a dataflow on every replica

# --- Queues ---------------------------------------------------------------------------------------

SEND_QUEUE_COMMANDS_MAX: Final = 16_384  # a slower replica is disconnected and reconciled
RESPONSE_QUEUE_MAX: Final = 16_384  # of a replica's session; past it the stream is ended
SUBSCRIBE_QUEUE_BYTES_MAX: Final = 16 * MIB  # of one subscriber that reads too slowly: it is ended
TAIL_QUEUE_BYTES_MAX: Final = 64 * MIB  # of one replica's tail; past it the tail is reopened
STASH_BYTES_MAX: Final = 256 * MIB  # of large answers that wait at a replica to be fetched
# Each replica has one under way, and one that was killed may have left another.
WRITE_BACKS_WAITING_MAX: Final = 2 * REPLICAS_MAX  # of one view, for one before; more are refused
WRITE_BACK_BYTES_MAX: Final = 256 * MIB  # of all views, that wait or are on their way to the store
assert WRITE_BACK_BYTES_MAX >= MESSAGE_BYTES_MAX, "what arrives alone is taken"

# Dataflows, their schedules and compactions; subscribes with theirs; every pending peek.
_REPLAY_COMMANDS_MAX: Final = 3 * DATAFLOWS_MAX + 3 * SUBSCRIBES_ACTIVE_MAX + PEEKS_PENDING_MAX
assert SEND_QUEUE_COMMANDS_MAX >= 2 * _REPLAY_COMMANDS_MAX, "a full replay fits the queue twice"

REBUILD_LIVE_ROWS_MAX: Final = 1 << 20  # that wait for a base; past it the rebuild fails

# --- Reads ----------------------------------------------------------------------------------------

ARRANGEMENTS_TOLD_MAX: Final = 256  # of a replica, in a heartbeat; the largest
SELECTION_PARTS_MAX: Final = 64  # of filters that are shared: a heartbeat tells them
PEEK_ROWS_MAX: Final = 10_000_000  # of one answer, unless the caller sets less
STATE_BYTES_MAX: Final = 1 << 59  # of a replica's dataflows, unless configured: no limit at all
PEEK_BYTES_MAX: Final = 128 * MIB  # of one answer, unless the caller sets less
assert PEEK_BYTES_MAX <= STASH_BYTES_MAX // 2, "one answer never fills the stash"

# --- Times, in milliseconds -----------------------------------------------------------------------

HEARTBEAT_INTERVAL_MS: Final = 1_000  # `Status` from a replica
HEARTBEAT_SILENCE_MS: Final = 5_000  # no word for so long: the link is dead
# A worker that says nothing for so long on what it was given is not ready, though its front beats.
WORKER_SILENCE_MS: Final = 10_000
# One that is silent for so long is hung: its holds pin the store, so the replica ends and starts
# anew. Far above any one step of a dataflow.
WORKER_HUNG_MS: Final = 120_000
GREETING_DEADLINE_MS: Final = 10_000  # from the open stream to Hello: a mute peer holds nothing
KEEPALIVE_INTERVAL_MS: Final = 10_000  # HTTP/2 pings find what the heartbeat cannot: a dead host
KEEPALIVE_TIMEOUT_MS: Final = 5_000  # a ping that waits longer means a dead peer
PING_INTERVAL_MIN_MS: Final = 5_000  # what a server tolerates; faster clients are thrown off
RECONNECT_BACKOFF_MIN_MS: Final = 100  # a restarted replica is found at once
RECONNECT_BACKOFF_MAX_MS: Final = 5_000  # one that is down costs a probe now and then
CONNECT_DEADLINE_MS: Final = 5_000  # to the peer's first word; a busy machine takes its time
UNARY_DEADLINE_MS: Final = 30_000  # of calls that return one message
RETAIN_MS: Final = 5_000  # of history that stays readable behind the upper
COMPACTION_INTERVAL_MS: Final = 1_000  # compaction is announced and persisted no more often
COMPARE_INTERVAL_MS: Final = 300_000  # of what replicas hold: each sums all of its rows
REPLICA_HOLD_MS: Final = 60_000  # a gone replica holds its inputs for so long
APPEND_SILENCE_MS: Final = 60_000  # between two pieces of an append: others wait for their turn
STASH_RETAIN_MS: Final = 60_000  # an answer nobody fetches is dropped
LOOK_MS: Final = 50  # between two looks at the store: of a standby, and of who may be replaced
LEASE_MS: Final = 30_000  # a standby that was silent for so long holds nothing back
LEASE_RENEW_MS: Final = 2_000
OWNERSHIP_MS: Final = 5_000  # a controller that could not look for so long answers no reads
STATE_RETAIN_MS: Final = 60_000  # of a peer that reads state and has stopped: it holds memory
DRAIN_MS: Final = 1_500  # from `Draining` to the end of the stream
CLOCK_JUMP_MAX_MS: Final = 3_600_000  # forward, between two appends of one process

assert HEARTBEAT_SILENCE_MS >= 3 * HEARTBEAT_INTERVAL_MS, "a lost beat is not death"
assert KEEPALIVE_INTERVAL_MS > PING_INTERVAL_MIN_MS, "our own clients ping within the limit"
assert RECONNECT_BACKOFF_MIN_MS < RECONNECT_BACKOFF_MAX_MS < REPLICA_HOLD_MS, (
    "a replica that comes back at once finds its inputs held"
)
assert WORKER_HUNG_MS > WORKER_SILENCE_MS, "it is shown before it is ended"
assert LOOK_MS * 10 < OWNERSHIP_MS, "a look that failed is no reason for doubt"
assert LEASE_RENEW_MS * 3 < LEASE_MS, "a renewal that failed is no reason to fold"
assert DRAIN_MS < 2_000, "Ctrl-C stops everything within two seconds"
