"""Text that has the form of a value: what has not is an error of its row."""

from __future__ import annotations

from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from antiphon.protocol.buffers import values_of
from antiphon.protocol.schema import Type
from antiphon.replica.dataflow.expressions.frame import Frame
from antiphon.replica.dataflow.expressions.vector import Mask, Vector

_SPACES: Final = " \t\n\r\f\v"


def well_formed(
    frame: Frame,
    vector: Vector,
    pattern: str,
    target: Type,
    code: str,
    *,
    fold: bool = False,
    trim: bool = True,
) -> pa.Array:
    """The text where it matches, trimmed, null elsewhere; what does not match fails."""
    trimmed = pc.ascii_trim(vector.array, _SPACES) if trim else vector.array
    good = pc.match_substring_regex(trimmed, pattern, ignore_case=fold)
    if pc.all(good).as_py() in (True, None):
        return trimmed
    wrong = values_of(pc.fill_null(pc.invert(good), False))
    fail_malformed(frame, vector.array, wrong, target, code)
    return pc.if_else(good, trimmed, pa.scalar(None, pa.string()))


def fail_malformed(frame: Frame, text: pa.Array, wrong: Mask, kind: Type, code: str) -> None:
    if wrong.any():
        prefix = f'invalid input syntax for type {kind}: "'
        shown = pc.binary_join_element_wise(prefix, pc.fill_null(text, ""), '"', "")
        frame.fail(wrong, code, shown, "cast")
