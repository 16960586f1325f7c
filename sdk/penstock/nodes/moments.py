"""Points in time from what workflows hold: ISO, HTTP, mail and SQL dates, and dates themselves."""

import math
from functools import lru_cache
from typing import Any

from penstock.nodes.field_types import INVALID
from penstock.workflow.expressions.convert import to_string
from penstock.workflow.expressions.date_parse import from_http, from_iso, from_rfc2822, from_sql
from penstock.workflow.expressions.dates import DateTime
from penstock.workflow.expressions.js_date import parse_date
from penstock.workflow.expressions.values import JsDate
from penstock.workflow.expressions.zones import UTC_ZONE, find_zone


def parse_moment(value: Any, timezone: str) -> Any:
    """Milliseconds since the epoch, or `INVALID`. Dates without a zone are of `timezone`."""
    if isinstance(value, DateTime | JsDate):
        return INVALID if math.isnan(value.ms) else value.ms
    return _parse_text(to_string(value).strip(), timezone)


@lru_cache(maxsize=1024)
def _parse_text(text: str, timezone: str) -> Any:
    zone = find_zone(timezone) or UTC_ZONE
    for parse in (from_iso, from_http, from_rfc2822, from_sql):
        made = parse(text, zone)
        if made.is_valid:
            return made.ms
    ms = parse_date(text)
    return INVALID if math.isnan(ms) else ms
