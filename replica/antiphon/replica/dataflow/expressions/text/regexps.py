"""What regular expressions find in text: how often, where, which text, which groups, and what lies
between. The expressions are those of RE2."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from antiphon.protocol.buffers import array_of, offsets_of, valid_of, values_of
from antiphon.protocol.expression import Call
from antiphon.protocol.schema import arrow_type
from antiphon.replica.dataflow.arrangements.spine import expand
from antiphon.replica.dataflow.expressions.frame import Frame, fail_valid
from antiphon.replica.dataflow.expressions.text.text_slices import Characters
from antiphon.replica.dataflow.expressions.text.textual import by_constants, checked_patterns
from antiphon.replica.dataflow.expressions.vector import Vector, both_valid

_LIST: Final = pa.list_(pa.string())
_MARK: Final = "\0"  # in no text


def grouped(pattern: str) -> tuple[str, int]:
    """(the pattern as a group `g0`, its own groups named `g1` and so on; how many groups)."""
    found: list[str] = []
    count, place, in_class = 1, 0, False
    while place < len(pattern):
        char = pattern[place]
        if char == "\\":
            found.append(pattern[place : place + 2])
            place += 2
            continue
        if pattern.startswith("[:", place) and in_class:  # the name of a class in it
            char = pattern[place : pattern.find(":]", place) + 2] or char
            place += len(char) - 1
        elif in_class:
            in_class = char != "]"
        elif char == "[":
            in_class = True
            for mark in ("^", "]"):  # a bracket that comes first is one of the class
                if pattern[place + 1 : place + 2] == mark:
                    char, place = char + mark, place + 1
        elif char == "(" and pattern[place + 1 : place + 2] != "?":
            char = f"(?P<g{count}>"
            count += 1
        found.append(char)
        place += 1
    return f"(?P<g0>{''.join(found)})", count


def _first(array: pa.Array, pattern: str) -> pa.Array:
    """The first match; null where there is none."""
    found = pc.extract_regex(array, grouped(pattern)[0])
    return pc.if_else(found.is_valid(), found.field(0), pa.scalar(None, pa.string()))


def _groups(array: pa.Array, pattern: str) -> pa.Array:
    """The groups of the first match, or all of it if there are none; null where it matches
    nowhere, and a group that took no part in it is null."""
    whole, count = grouped(pattern)
    texts, spans = pc.extract_regex(array, whole), pc.extract_regex_span(array, whole)
    wanted = range(1, count) if count > 1 else range(1)
    parts = [
        pc.if_else(spans.field(n).is_valid(), texts.field(n), pa.scalar(None, pa.string()))
        for n in wanted
    ]
    size, rows = len(parts), len(array)
    order = (np.arange(size) * rows + np.arange(rows)[:, None]).reshape(-1)
    values = pa.concat_arrays(parts).take(pa.array(order))
    offsets = pa.array(np.arange(rows + 1, dtype=np.int32) * size)
    # By a mask: an offset that is null would give the list before it the values that follow.
    return pa.ListArray.from_arrays(offsets, values, mask=texts.is_null())


def _kernel(find: Callable[[pa.Array, str], pa.Array]) -> Callable[..., Vector]:
    def function(frame: Frame, call: Call, arguments: list[Vector]) -> Vector:
        patterns = checked_patterns(frame, call, arguments)
        kind = arrow_type(call.type)
        found = by_constants(find, arguments[0].array, [patterns], kind)
        return Vector.of_array(call.type, found)

    return function


def _place(frame: Frame, call: Call, arguments: list[Vector]) -> Vector:
    """Where the first match begins, counting characters from 1; 0 if there is none."""
    patterns = checked_patterns(frame, call, arguments)
    value = arguments[0].array
    found = by_constants(pc.find_substring_regex, value, [patterns], pa.int32())
    bytes_, valid = values_of(found).astype(np.int64), valid_of(found)
    inside = bytes_ >= 0 if valid is None else (bytes_ >= 0) & valid
    places = Characters(value).position_of_byte(np.where(inside, bytes_, 0))
    values = np.where(inside, places + 1, 0).astype(np.int32)
    return Vector.of_values(call.type, values, valid)


def _count(frame: Frame, call: Call, arguments: list[Vector]) -> Vector:
    patterns = _marking_patterns(frame, call, arguments)

    def count(text: pa.Array, pattern: str) -> pa.Array:
        return pc.count_substring(_marked(text, pattern), _MARK)

    found = by_constants(count, arguments[0].array, [patterns], pa.int32())
    return Vector.of_array(call.type, found)


def _split(frame: Frame, call: Call, arguments: list[Vector]) -> Vector:
    """What lies between matches."""
    patterns = _marking_patterns(frame, call, arguments)

    def split(text: pa.Array, pattern: str) -> pa.Array:
        return pc.split_pattern(_marked(text, pattern), _MARK)

    found = by_constants(split, arguments[0].array, [patterns], _LIST)
    return Vector.of_array(call.type, found)


def _all(frame: Frame, call: Call, arguments: list[Vector]) -> Vector:
    """The texts of all matches, in their order."""
    patterns = _marking_patterns(frame, call, arguments)
    found = by_constants(_matches, arguments[0].array, [patterns], _LIST)
    return Vector.of_array(call.type, found)


def _matches(text: pa.Array, pattern: str) -> pa.Array:
    """With a mark before and behind each match, every second part is one."""
    whole, _ = grouped(pattern)
    marked = pc.replace_substring_regex(text, whole, f"{_MARK}\\1{_MARK}")
    parts = pc.split_pattern(marked, _MARK)
    offsets = offsets_of(parts).astype(np.int64)
    sizes = np.diff(offsets) // 2
    edges = np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)]).astype(np.int32)
    _, places = expand(np.zeros(len(sizes), np.int64), sizes)
    rows = np.repeat(np.arange(len(sizes)), sizes)
    values = parts.values.take(array_of(offsets[:-1][rows] + 2 * places + 1, pa.int64()))
    ends = array_of(edges, pa.int32())
    if not parts.null_count:
        return pa.ListArray.from_arrays(ends, values)
    return pa.ListArray.from_arrays(ends, values, mask=parts.is_null())


def _all_groups(frame: Frame, call: Call, arguments: list[Vector]) -> Vector:
    """The groups of all matches. A pattern that asks nothing of what is around a match finds them
    in its text alone."""
    patterns = _marking_patterns(frame, call, arguments)

    def find(text: pa.Array, pattern: str) -> pa.Array:
        texts = _matches(text, pattern)
        groups = _groups(texts.values, f"\\A(?:{pattern})\\z")
        ends = array_of(offsets_of(texts).astype(np.int32), pa.int32())
        if not texts.null_count:
            return pa.ListArray.from_arrays(ends, groups)
        return pa.ListArray.from_arrays(ends, groups, mask=texts.is_null())

    found = by_constants(find, arguments[0].array, [patterns], pa.list_(_LIST))
    return Vector.of_array(call.type, found)


def _marked(text: pa.Array, pattern: str) -> pa.Array:
    """Every match replaced by a mark. Arrow's own split and count look at each rest of the text as
    if it began there, so that `^` matches often; and they may not end where a match is empty."""
    return pc.replace_substring_regex(text, pattern, _MARK)


def _marking_patterns(frame: Frame, call: Call, arguments: list[Vector]) -> Vector:
    """The patterns; those that match the empty text fail, for after a match RE2 leaves out an
    empty one, which PostgreSQL counts."""
    message = "a regular expression that matches the empty text neither counts nor splits"
    return without(frame, call, arguments, matches_nothing, message)


def without(
    frame: Frame, call: Call, arguments: list[Vector], test: Callable[[str], bool], message: str
) -> Vector:
    """The patterns; those of which the test is true fail."""
    patterns = checked_patterns(frame, call, arguments)
    bad = [pattern for pattern in patterns.array.unique().drop_null().to_pylist() if test(pattern)]
    if not bad:
        return patterns
    wrong = values_of(pc.is_in(patterns.array, pa.array(bad, pa.string())))
    fail_valid(frame, call, wrong, both_valid(*arguments), "feature_not_supported", message)
    none = pa.scalar(None, pa.string())
    kept = pc.if_else(array_of(wrong, pa.bool_()), none, patterns.array)
    return Vector.of_array(patterns.type, kept)


def matches_nothing(pattern: str) -> bool:
    """Whether it matches an empty part of some texts that stand for all."""
    spans = pc.extract_regex_span(pa.array(["", "a", " ", "a a", "-"]), grouped(pattern)[0])
    return any(span is not None and span["g0"][1] == 0 for span in spans.to_pylist())


FUNCTIONS: Final[dict[str, Callable[[Frame, Call, list[Vector]], Vector]]] = {
    "regexp_count": _count,
    "regexp_substring": _kernel(_first),
    "regexp_groups": _kernel(_groups),
    "regexp_place": _place,
    "regexp_split": _split,
    "regexp_all": _all,
    "regexp_all_groups": _all_groups,
}
