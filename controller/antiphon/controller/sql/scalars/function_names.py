"""All scalar functions by name."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from antiphon.controller.sql.scalars.byte_functions import BYTE_FUNCTIONS
from antiphon.controller.sql.scalars.functions import FUNCTIONS, Builder
from antiphon.controller.sql.scalars.list_functions import LIST_FUNCTIONS
from antiphon.controller.sql.scalars.numeric_functions import NUMERIC_FUNCTIONS
from antiphon.controller.sql.scalars.text_functions import TEXT_FUNCTIONS
from antiphon.controller.sql.scalars.text_patterns import FORMATTED
from antiphon.controller.sql.scalars.text_regexps import REGEXPS
from antiphon.controller.sql.scalars.time_formats import TIME_FORMATS
from antiphon.controller.sql.scalars.time_functions import TIME_FUNCTIONS

BUILDERS: Final[Mapping[str, Builder]] = MappingProxyType(
    {
        **FUNCTIONS,
        **FORMATTED,
        **LIST_FUNCTIONS,
        **TEXT_FUNCTIONS,
        **REGEXPS,
        **NUMERIC_FUNCTIONS,
        **TIME_FUNCTIONS,
        **TIME_FORMATS,
        **BYTE_FUNCTIONS,
    }
)
_DIFFERS: Final = "; it differs each time, so that no two replicas would agree"
_ROWS: Final = "; it would be computed row by row"
# Functions that are not served, and what may be said instead, or why they are not.
REFUSED: Final[Mapping[str, str]] = MappingProxyType(
    {
        **dict.fromkeys(
            (
                "random", "rand", "random_normal", "setseed", "gen_random_uuid", "uuidv4", "uuidv7",
                "uuid_generate_v4", "uuid", "clock_timestamp", "timeofday", "array_shuffle",
                "array_sample",
            ),
            _DIFFERS,
        ),
        **dict.fromkeys(("erf", "erfc", "gamma", "lgamma"), _ROWS),
        **dict.fromkeys(
            ("nextval", "currval", "lastval", "setval"), "; ids are given by who inserts"
        ),
        **dict.fromkeys(("ifnull", "nvl"), "; say coalesce(...)"),
        **dict.fromkeys(("if", "iif"), "; say CASE WHEN ... THEN ... ELSE ... END"),
        **dict.fromkeys(("instr", "charindex", "locate"), "; say strpos(text, sought)"),
        **dict.fromkeys(("date_format", "strftime", "format_datetime"), "; say to_char(...)"),
        **dict.fromkeys(
            ("str_to_date", "strptime", "parse_datetime"), "; say to_date(...) or to_timestamp(...)"
        ),
        **dict.fromkeys(("getdate", "sysdate", "curdate"), "; say now() or current_date"),
        **dict.fromkeys(
            ("datediff", "date_diff", "timestampdiff"), "; subtract them, or say age(...)"
        ),
        **dict.fromkeys(("dateadd", "adddate"), "; add an interval"),
        **dict.fromkeys(
            ("json_extract_path", "json_extract_path_text", "jsonb_extract_path", "to_json",
             "to_jsonb", "json_build_object", "jsonb_build_object", "row_to_json"),
            "; there is no type json: a struct has fields",
        ),
        "quote_ident": "; which names need quotes differs between versions of PostgreSQL",
        "trim_scale": "; the digits are those of the type: cast it to numeric(p, s)",
        "make_time": "; there is no type time: say make_interval(...)",
        "unistr": "; write the characters, or say chr(n)",
        "casefold": "; say lower(...)",
        "to_ascii": "; say translate(...)",
        "pg_typeof": "; EXPLAIN shows types",
        "ucase": "; say upper(...)",
        "lcase": "; say lower(...)",
        "substring_index": "; say split_part(...)",
        "truncate": "; say trunc(...)",
        "try_cast": "; what cannot be cast is an error of its row",
    }
)  # fmt: skip
