"""Lists to text and back: joined by a separator, and cut at one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from antiphon.protocol.buffers import valid_of, values_of
from antiphon.protocol.expression import Call
from antiphon.protocol.schema import TEXT, list_of
from antiphon.replica.dataflow.columns.gather import Rows, index_of, taken
from antiphon.replica.dataflow.expressions.casting.casts import converted
from antiphon.replica.dataflow.expressions.casting.nested_casts import output_text
from antiphon.replica.dataflow.expressions.frame import Frame
from antiphon.replica.dataflow.expressions.nested.lists import Lists, kept, list_vector
from antiphon.replica.dataflow.expressions.text.text_slices import Characters
from antiphon.replica.dataflow.expressions.vector import Vector

_TEXTS: Final = list_of(TEXT)


def _join(_: Frame, call: Call, arguments: list[Vector]) -> Vector:
    """(list, separator [, text for nulls]); without such a text nulls are left out."""
    lists = Lists(arguments[0])
    shown = output_text(converted, lists.frame(), lists.vector)
    if len(arguments) == 3:
        shown = pc.coalesce(shown, lists.spread(arguments[2]).array)
    texts = Lists(list_vector(_TEXTS, shown, lists.sizes, lists.valid))
    present = values_of(shown.is_valid())
    joined = pc.binary_join(kept(texts, _TEXTS, present).array, arguments[1].array)
    return Vector.of_array(call.type, joined)


def _split(_: Frame, call: Call, arguments: list[Vector]) -> Vector:
    """(text, separator [, text that is null]). No separator cuts into characters, an empty one
    nothing; of the empty text there are no parts. Cost: a pass for each separator that differs."""
    text, separators = arguments[0].array, arguments[1].array
    encoded = separators.dictionary_encode(null_encoding="encode")
    codes = values_of(encoded.indices)
    parts: list[pa.Array] = []
    order: list[Rows] = []
    for code, separator in enumerate(encoded.dictionary.to_pylist()):
        rows = np.flatnonzero(codes == code)
        parts.append(_cut(taken(text, index_of(rows)), separator))
        order.append(rows)
    if not parts:
        return Vector.of_array(call.type, pa.array([], pa.list_(pa.string())))
    whole = pa.concat_arrays(parts)
    place = np.empty(len(text), np.int64)
    place[np.concatenate(order)] = np.arange(len(text))
    found = Lists(Vector.of_array(_TEXTS, taken(whole, index_of(place))))
    elements = found.elements
    if len(arguments) == 3:
        nulls = pc.fill_null(pc.equal(elements, found.spread(arguments[2]).array), False)
        elements = pc.if_else(nulls, pa.scalar(None, pa.string()), elements)
    full = values_of(pc.fill_null(pc.not_equal(text, ""), False))
    made = Lists(list_vector(call.type, elements, found.sizes, found.valid))
    return kept(made, call.type, full[made.rows])


def _cut(text: pa.Array, separator: str | None) -> pa.Array:
    if separator is None:
        return _characters(text)
    if separator == "":
        present = values_of(text.is_valid())
        return list_vector(_TEXTS, text.drop_null(), present.astype(np.int64), present).array
    return pc.split_pattern(text, separator)


def _characters(text: pa.Array) -> pa.Array:
    """Each text as a list of its characters."""
    characters = Characters(pc.fill_null(text, ""))
    valid = valid_of(text)
    return list_vector(_TEXTS, characters.apart(), characters.lengths, valid).array


FUNCTIONS: Final[dict[str, Callable[[Frame, Call, list[Vector]], Vector]]] = {
    "list_to_text": _join,
    "text_to_list": _split,
}
