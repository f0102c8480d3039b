"""Errors as values and back: a `ComputeError` is raised, a `Failure` travels.

A code that this version does not know still arrives as an error of the safe kind: indefinite.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

from antiphon.protocol import errors
from antiphon.protocol.errors import ComputeError, Internal, OutcomeUnknown
from antiphon.protocol.response import Failure


def _classes(root: type[ComputeError]) -> Iterator[type[ComputeError]]:
    yield root
    for subclass in root.__subclasses__():
        yield from _classes(subclass)


# Only those of `errors`: the set of codes is closed and never depends on who was imported first.
ERRORS: Final[Mapping[str, type[ComputeError]]] = MappingProxyType(
    {
        kind.code: kind
        for kind in _classes(ComputeError)
        if kind is not ComputeError and kind.__module__ == errors.__name__
    }
)


def failure_of(error: ComputeError) -> Failure:
    """The error as a value."""
    return Failure(
        code=error.code,
        message=error.message,
        definite=error.definite,
        details=dict(error.details),
    )


def error_of(failure: Failure) -> ComputeError:
    """The failure as an error to raise, of its own type.

    An unknown code becomes `Internal`; a failure that its sender calls indefinite stays so, even
    where we would call its code definite. Both keep the code in `details["code"]`.
    """
    kind = ERRORS.get(failure.code)
    if kind is not None and (failure.definite or not kind.definite):
        return _with_details(kind(failure.message), failure.details)
    stand_in = Internal if kind is None else OutcomeUnknown
    return _with_details(stand_in(failure.message), {**failure.details, "code": failure.code})


def _with_details(error: ComputeError, details: Mapping[str, str]) -> ComputeError:
    # Not as keywords: a detail may have any name, `message` too.
    error.details = dict(details)
    return error
