"""All checks of controllers."""

from __future__ import annotations

from typing import Final

from antiphon.proof.conformance.controllers import answers, durable, rebuilds, sessions
from antiphon.proof.conformance.registry import Check, ordered

CHECKS: Final[tuple[Check, ...]] = ordered(
    module.chapter for module in (sessions, answers, durable, rebuilds)
)
