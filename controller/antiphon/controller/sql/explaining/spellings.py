"""What the functions of plans are called in SQL."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

SYMBOLS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "equal": "=", "not_equal": "<>", "less": "<", "less_equal": "<=", "greater": ">",
        "greater_equal": ">=", "add": "+", "subtract": "-", "multiply": "*", "divide": "/",
        "modulo": "%", "and": "AND", "or": "OR", "like": "LIKE", "ilike": "ILIKE",
        "is_distinct_from": "IS DISTINCT FROM", "is_not_distinct_from": "IS NOT DISTINCT FROM",
    }
)  # fmt: skip
SUFFIXES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "is_null": "IS NULL", "is_not_null": "IS NOT NULL", "is_true": "IS TRUE",
        "is_false": "IS FALSE",
    }
)  # fmt: skip
# Those that a plan calls otherwise than a statement does.
_OTHERS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "not": "NOT", "negate": "-", "cast": "CAST", "only_row": "(SELECT ...)",
        "truncate": "trunc", "quotient": "div",
        "bitwise_and": "&", "bitwise_or": "|", "bitwise_xor": "#", "bitwise_not": "~",
        "shift_left": "<<", "shift_right": ">>",
        "contains": "strpos", "ends_with": "LIKE", "fit_text": "CAST", "number_text": "to_char",
        "utf8_bytes": "convert_to", "utf8_text": "convert_from", "byte_bit_count": "bit_count",
        "trim_bytes": "trim", "ltrim_bytes": "ltrim", "rtrim_bytes": "rtrim",
        "regexp_match": "~", "regexp_substring": "regexp_substr", "regexp_place": "regexp_instr",
        "regexp_groups": "regexp_match", "regexp_all": "regexp_matches",
        "regexp_all_groups": "regexp_matches", "regexp_split": "regexp_split_to_array",
        "timezone": "AT TIME ZONE", "timezone_of": "AT TIME ZONE",
        "list": "ARRAY[...]", "struct": "ROW(...)", "field": ".", "element": "[...]",
        "slice": "[...:...]", "list_length": "cardinality", "list_concat": "||",
        "list_position": "array_position", "list_positions": "array_positions",
        "list_contains_all": "@>", "list_overlaps": "&&", "list_remove": "array_remove",
        "list_replace": "array_replace", "list_sort": "array_sort",
        "list_reverse": "array_reverse", "list_to_text": "array_to_string",
        "text_to_list": "string_to_array", "list_trim": "trim_array",
        "any_equal": "= ANY", "any_not_equal": "<> ANY", "any_less": "< ANY",
        "any_less_equal": "<= ANY", "any_greater": "> ANY", "any_greater_equal": ">= ANY",
    }
)  # fmt: skip


def spelling(function: str) -> str:
    """As a statement says it; most say what a plan does."""
    for spelt in (SYMBOLS, SUFFIXES, _OTHERS):
        if function in spelt:
            return spelt[function]
    return function
