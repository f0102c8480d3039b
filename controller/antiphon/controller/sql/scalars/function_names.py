"""All scalar functions by name."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

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
    }
)
