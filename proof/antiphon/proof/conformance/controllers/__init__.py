"""Scripted replicas against any controller: numbered checks, over the wire and nothing else.

The suite adds replicas to the controller that do what a check says, hears what they are sent, and
is a client of it at the same time. `run` gives a `Report`, as for replicas.
"""

from antiphon.proof.conformance.controllers.io.run import REPLICAS_HOST, run

__all__ = ["REPLICAS_HOST", "run"]
