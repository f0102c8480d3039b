"""Whether two dataflows are the same work: a digest of what they compute, not of when.

The fingerprint covers the plan's bytes as stored, the imports, the exports, the columns and
`until`. It leaves out the name and `as_of`, which may move while the work stays the same.
"""

from __future__ import annotations

import hashlib
from typing import Final

from antiphon.protocol.codec.dataflow import dataflow_to_proto
from antiphon.protocol.dataflow import DataflowDescription

# A change of what is covered changes every fingerprint, so it changes this word too.
DOMAIN: Final = b"antiphon.dataflow.1\x00"
FINGERPRINT_BYTES: Final = 32


def fingerprint_of(dataflow: DataflowDescription) -> bytes:
    """32 bytes: SHA-256 of DOMAIN, then the serialized description without name and as_of.

    The message holds no maps, so writing its fields in the order of their numbers is its one
    encoding, in every language.
    """
    message = dataflow_to_proto(dataflow)
    message.ClearField("name")
    message.ClearField("as_of")
    return hashlib.sha256(DOMAIN + message.SerializeToString(deterministic=True)).digest()
