"""Errors as types, and whether anything happened.

    AntiphonError
    ├─ ProtocolError              the session is over
    │  ├─ RemoteProtocolError     the peer broke the protocol: close the stream
    │  └─ LocalProtocolError      we did: a bug
    └─ ComputeError               to reply with; carries ids, not prose
       ├─ request errors          the caller can mend them: always definite
       ├─ state errors            the world is not as the caller thought: definite
       └─ indefinite errors       it may have taken effect: `definite = False`

`definite` is False only where the operation may have taken effect. When unsure, it is False. gRPC
codes are assigned in `antiphon.protocol.io.status` and nowhere else.
"""

from __future__ import annotations

from typing import ClassVar


class AntiphonError(Exception):
    """The root of all errors of this project."""


class ProtocolError(AntiphonError):
    """The stream must close; nothing of the offending message was applied."""


class RemoteProtocolError(ProtocolError):
    """The peer broke the protocol."""


class LocalProtocolError(ProtocolError):
    """We were about to break the protocol: a bug here."""


class ComputeError(AntiphonError):
    """An answer that is an error: what, where, what to do.

    `code` is stable and snake_case; `details` holds the names and numbers of this case.
    """

    code: ClassVar[str] = "internal"
    definite: ClassVar[bool] = True

    def __init__(self, message: str, **details: str | int) -> None:
        super().__init__(message)
        self.message = message
        self.details = {name: str(value) for name, value in details.items()}


# Request errors: the caller can mend them.


class InvalidSql(ComputeError):
    """The statement does not parse or does not type; `details` has line and column if known."""

    code = "invalid_sql"


class UnsupportedSql(ComputeError):
    """The statement is understood and refused; the message names the construct and its place."""

    code = "unsupported_sql"


class TypeMismatch(ComputeError):
    """A value or an expression is not of the type that its place asks for."""

    code = "type_mismatch"


class InvalidArgument(ComputeError):
    """A request that contradicts itself or names something impossible."""

    code = "invalid_argument"


class SchemaMismatch(ComputeError):
    """Appended columns are not those of the collection."""

    code = "schema_mismatch"


class Unauthenticated(ComputeError):
    """No token, an unknown one, or a certificate that bears no name that is let in."""

    code = "unauthenticated"


class LimitExceeded(ComputeError):
    """A named limit of `antiphon.protocol.limits`, with its value and its unit."""

    code = "limit_exceeded"


class NotServed(ComputeError):
    """A command that this version knows but does not serve."""

    code = "not_served"


# State errors: the world is not as the caller thought.


class CollectionMissing(ComputeError):
    """There is no collection of that name or id."""

    code = "collection_missing"


class CollectionExists(ComputeError):
    """The name is taken."""

    code = "collection_exists"


class DependencyExists(ComputeError):
    """A drop that others depend on."""

    code = "dependency_exists"


class ReplicaMissing(ComputeError):
    """The instance has no replica of that name."""

    code = "replica_missing"


class ReplicaExists(ComputeError):
    """The instance has a replica of that name already."""

    code = "replica_exists"


class HoldMissing(ComputeError):
    """The instance has no named hold of that name."""

    code = "hold_missing"


class HoldLost(ComputeError):
    """A named hold that keeps nothing any more: its deadline passed, or its inputs are gone."""

    code = "hold_lost"


class ReplicaFailed(ComputeError):
    """The replica that the work was addressed to is gone."""

    code = "replica_failed"


class DuplicateKey(ComputeError):
    """An inserted row has the primary key of another."""

    code = "duplicate_key"


class ConstraintViolation(ComputeError):
    """A null in a NOT NULL column and the like."""

    code = "constraint_violation"


class SinceViolation(ComputeError):
    """The time is before since: that detail is gone for good."""

    code = "since_violation"


class NotComplete(ComputeError):
    """The time is not before upper: ask again later."""

    code = "not_complete"


class DataError(ComputeError):
    """The collection has errors at this time: data errors are data."""

    code = "data_error"


class Canceled(ComputeError):
    """The caller gave up, and nothing was done."""

    code = "canceled"


class EpochFenced(ComputeError):
    """A newer controller owns the instance."""

    code = "epoch_fenced"


class StaleFacts(ComputeError):
    """The facts that Hello relied on no longer hold: probe again."""

    code = "stale_facts"


class VersionMismatch(ComputeError):
    """The two sides have no protocol version in common."""

    code = "version_mismatch"


class InstanceMismatch(ComputeError):
    """A replica that belongs to another instance."""

    code = "instance_mismatch"


class StoreLocked(ComputeError):
    """Another controller is alive on this store."""

    code = "store_locked"


class DirectoryInUse(ComputeError):
    """Another process works in this data directory; `details["process"]` is its id."""

    code = "directory_in_use"


class Standby(ComputeError):
    """This controller waits for its promotion and serves no data; nothing was done.
    `details["live_address"]` is where the live one listens, if that is known."""

    code = "standby"


class UpperMismatch(ComputeError):
    """A compare-and-append lost; `details["upper"]` is where the shard stands."""

    code = "upper_mismatch"


class StoreFull(ComputeError):
    """There is no space for what was to be written: nothing was, and reads go on."""

    code = "store_full"


class ClockJumped(ComputeError):
    """The wall clock went ahead by more than is believable; allow it if it is right."""

    code = "clock_jumped"


class ReadConflict(ComputeError):
    """What an UPDATE or DELETE read was changed again and again by others."""

    code = "read_conflict"


class AddressInUse(ComputeError):
    """Something else listens there already; `details["address"]` says where."""

    code = "address_in_use"


class ProtocolViolated(ComputeError):
    """The peer ended the stream because we broke the protocol, as it says: a bug on one side."""

    code = "protocol_violated"


class Unavailable(ComputeError):
    """Nobody can serve this now; nothing was done."""

    code = "unavailable"


# Indefinite errors: it may have taken effect.


class LinkTimeout(ComputeError):
    """No answer within the deadline."""

    code = "link_timeout"
    definite = False


class OutcomeUnknown(ComputeError):
    """The connection or the process went away between the request and its answer."""

    code = "outcome_unknown"
    definite = False


class StorePoisoned(ComputeError):
    """A sync failed: the writer stops until it is opened again; reads go on."""

    code = "store_poisoned"
    definite = False


class Internal(ComputeError):
    """A bug of ours, or a code that this version does not know."""

    code = "internal"
    definite = False
