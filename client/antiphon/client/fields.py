"""What a caller gave, as a message of the wire: what does not fit is refused by its name."""

from __future__ import annotations

import reprlib
from typing import Any, TypeVar

from google.protobuf.message import Message

from antiphon.protocol.errors import InvalidArgument

M = TypeVar("M", bound=Message)


def fitted(kind: type[M], **fields: Any) -> M:
    """The message of `kind` with these fields; None leaves one unset.

    Raises:
        InvalidArgument: a value that its field cannot hold: of another type, out of range, or text
            that is no Unicode.
    """
    try:
        return kind(**fields)
    except (TypeError, ValueError):
        for name, value in fields.items():
            _try(kind, name, value)
        raise


def _try(kind: type[Message], name: str, value: Any) -> None:
    try:
        kind(**{name: value})
    except (TypeError, ValueError) as error:
        raise InvalidArgument(f"{name} cannot be {reprlib.repr(value)}: {error}") from None
