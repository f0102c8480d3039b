"""Which dataflows change because time passes. While there is one, time has to pass: ticks come once
a second, even if nobody writes."""

from __future__ import annotations

from functools import lru_cache

from antiphon.protocol.codec.field import MalformedMessage
from antiphon.protocol.codec.plan import plan_from_bytes
from antiphon.protocol.plan import TemporalFilter, children


@lru_cache(maxsize=256)
def depends_on_clock(plan: bytes) -> bool:
    """A pure function of immutable bytes. Bytes that are no plan depend on nothing: the replicas
    refuse them."""
    try:
        stack = [plan_from_bytes(plan)]
    except MalformedMessage:
        return False
    while stack:
        node = stack.pop()
        if isinstance(node, TemporalFilter):
            return True
        stack.extend(children(node))
    return False
