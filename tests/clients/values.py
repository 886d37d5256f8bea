"""Comparable form of values from any system, entry point or format.

A value is a kind and what it is: numbers are one kind, whatever their width; instants, local times
and dates are three. Intervals are months and microseconds, a day counted as 24 hours, and the same
where they are as long: what is written of them is compared where a question casts them to text.
Text of PostgreSQL's form and Arrow's values come to the same.
"""

import math
import re
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal

import pyarrow

# By the number that PostgreSQL has for a type.
KINDS = {
    16: "bool",
    **dict.fromkeys((20, 21, 23, 26, 700, 701, 1700), "number"),
    **dict.fromkeys((18, 19, 25, 705, 1042, 1043), "text"),
    1082: "date",
    1083: "time",
    1114: "timestamp",
    1184: "timestamptz",
    1186: "interval",
    **dict.fromkeys((114, 3802), "json"),
    1000: "bool[]",
    **dict.fromkeys((1005, 1007, 1016, 1021, 1022, 1231), "number[]"),
    **dict.fromkeys((1002, 1009, 1014, 1015), "text[]"),
    1182: "date[]",
    1183: "time[]",
    1115: "timestamp[]",
    1185: "timestamptz[]",
    1187: "interval[]",
}
DAY_US = 86_400_000_000
MOMENT = re.compile(
    r"(\d{4,})-(\d\d)-(\d\d)"
    r"(?:[ T](\d\d):(\d\d):(\d\d)(\.\d+)?)?"
    r"(Z|[+-]\d\d(?::?\d\d)?)?"
)
UNITS = {"year": 12, "years": 12, "mon": 1, "mons": 1, "month": 1, "months": 1}
UNITS_US = {"day": DAY_US, "hour": 3_600_000_000, "min": 60_000_000, "sec": 1_000_000}


def from_text(kind, text):
    """The value of a kind from PostgreSQL's text of it, or as close to it as a format comes."""
    if text is None:
        return None
    if kind.endswith("[]"):
        return (kind, tuple(from_text(kind[:-2], item) for item in elements(text)))
    read = {
        "bool": lambda: text.lower() in ("t", "true", "1"),
        "number": lambda: number(text),
        "interval": lambda: interval(text),
        "timestamptz": lambda: moment(text, is_instant=True),
        "timestamp": lambda: moment(text),
        "date": lambda: moment(text),
        "time": lambda: text.rstrip("0").rstrip(".") if "." in text else text,
    }.get(kind, lambda: text)
    return (kind, read())


def number(text):
    try:
        return int(text)
    except ValueError:
        value = Decimal(text)
        return value if value.is_finite() else float(value)


def moment(text, is_instant=False):
    """Year to microsecond, in UTC if it is an instant; the text itself where it is none."""
    found = MOMENT.fullmatch(text)
    if not found:
        return text
    year, month, day, hour, minute, second, fraction, zone = found.groups()
    micros = int(((fraction or ".")[1:] + "000000")[:6])
    parts = [int(part or 0) for part in (year, month, day, hour, minute, second)] + [micros]
    if not is_instant or zone in (None, "Z", "+00", "+00:00") or parts[0] > 9998:
        return tuple(parts)
    sign, hours, minutes = zone[0], int(zone[1:3]), int(zone[3:].strip(":") or 0)
    offset = timedelta(hours=hours, minutes=minutes) * (-1 if sign == "-" else 1)
    return of_datetime(datetime(*parts) - offset)


def of_datetime(at):
    return (at.year, at.month, at.day, at.hour, at.minute, at.second, at.microsecond)


def interval(text):
    """Months and microseconds of `1 year 2 mons -3 days +04:05:06.7`, or of an ISO duration."""
    if text.lstrip("-").startswith("P"):
        return iso_interval(text)
    months = micros = 0
    for count, unit in re.findall(r"([+-]?\d+(?:\.\d+)?) ([a-z]+)", text):
        if unit in UNITS:
            months += int(count) * UNITS[unit]
        else:
            micros += int(Decimal(count) * UNITS_US[unit.rstrip("s") if unit != "s" else "sec"])
    clock = re.search(r"([+-]?)(\d+):(\d\d)(?::(\d\d(?:\.\d+)?))?$", text)
    if clock:
        sign, hours, minutes, seconds = clock.groups()
        of_clock = (int(hours) * 60 + int(minutes)) * 60_000_000
        of_clock += int(Decimal(seconds or 0) * 1_000_000)
        micros += -of_clock if sign == "-" else of_clock
    return (months, micros)


def iso_interval(text):
    factor = -1 if text.startswith("-") else 1
    days, _, clock = text.lstrip("-")[1:].partition("T")
    months = micros = 0
    for count, unit in re.findall(r"([+-]?\d+(?:\.\d+)?)([YMWD])", days):
        if unit in "YM":
            months += int(count) * (12 if unit == "Y" else 1)
        else:
            micros += int(Decimal(count) * DAY_US * (7 if unit == "W" else 1))
    for count, unit in re.findall(r"([+-]?\d+(?:\.\d+)?)([HMS])", clock):
        micros += int(Decimal(count) * {"H": 3600, "M": 60, "S": 1}[unit] * 1_000_000)
    return (factor * months, factor * micros)


def elements(text):
    """The items of an array's text, `{1,NULL,"a b"}`; nested arrays stay text."""
    items, item, quoted, was_quoted, depth = [], "", False, False, 0
    inner = text[1:-1]
    if not inner.strip():
        return []
    place = 0
    while place < len(inner):
        sign = inner[place]
        if sign == "\\":
            place += 1
            item += inner[place]
        elif sign == '"' and depth == 0:
            quoted = not quoted
            was_quoted = True
        elif sign == "," and not quoted and depth == 0:
            items.append(item if was_quoted or item != "NULL" else None)
            item, was_quoted = "", False
        else:
            depth += (sign == "{") - (sign == "}") if not quoted else 0
            item += sign
        place += 1
    items.append(item if was_quoted or item != "NULL" else None)
    return items


def from_arrow(table):
    """Rows of values, and the kinds of the columns."""
    columns = [column_from_arrow(column) for column in table.columns]
    return list(zip(*columns)), [kind_of_arrow(column.type) for column in table.columns]


def column_from_arrow(column):
    kind = kind_of_arrow(column.type)
    if kind in ("timestamp", "timestamptz"):
        whole = column.cast(pyarrow.timestamp("us", column.type.tz), safe=False)
        micros = whole.cast(pyarrow.int64()).to_pylist()
        return [value if value is None else (kind, of_micros(value)) for value in micros]
    if kind == "time":
        column = column.cast(pyarrow.time64("us"), safe=False)
    return [value_of(kind, value) for value in column.to_pylist()]


def of_micros(micros):
    try:
        return of_datetime(datetime(1970, 1, 1) + timedelta(microseconds=micros))
    except OverflowError:
        return f"{micros} us"


def value_of(kind, value):
    if value is None:
        return None
    if kind.endswith("[]"):
        return (kind, tuple(value_of(kind[:-2], item) for item in value))
    if kind == "number" and isinstance(value, float):
        return (kind, value)
    if kind == "interval":
        if isinstance(value, timedelta):
            return (kind, (0, value // timedelta(microseconds=1)))
        months, days, nanos = value
        return (kind, (months, days * DAY_US + nanos // 1000))
    if isinstance(value, datetime):
        value = value.astimezone(timezone.utc).replace(tzinfo=None) if value.tzinfo else value
        return (kind, of_datetime(value))
    if isinstance(value, date):
        return (kind, (value.year, value.month, value.day, 0, 0, 0, 0))
    if isinstance(value, time):
        return from_text("time", value.isoformat())
    return (kind, value)


def kind_of_arrow(data_type):
    types = pyarrow.types
    lists = (types.is_list, types.is_large_list, types.is_fixed_size_list)
    if any(is_of_kind(data_type) for is_of_kind in lists):
        return kind_of_arrow(data_type.value_type) + "[]"
    if types.is_timestamp(data_type):
        return "timestamptz" if data_type.tz else "timestamp"
    for kind, tests in {
        "bool": (types.is_boolean,),
        "number": (types.is_integer, types.is_floating, types.is_decimal),
        "text": (types.is_string, types.is_large_string, types.is_string_view),
        "date": (types.is_date,),
        "time": (types.is_time,),
        "interval": (types.is_interval, types.is_duration),
        "null": (types.is_null,),
    }.items():
        if any(test(data_type) for test in tests):
            return kind
    return str(data_type)


def is_same(one, other):
    """True if two values are equal, floating-point numbers up to rounding."""
    if one is None or other is None:
        return one is other
    (kind, value), (other_kind, other_value) = one, other
    if kind != other_kind:
        return False
    if kind.endswith("[]"):
        return len(value) == len(other_value) and all(map(is_same, value, other_value))
    if kind == "interval":
        return length(value) == length(other_value)
    if kind == "number":
        if isinstance(value, int) and isinstance(other_value, int):
            return value == other_value
        value, other_value = float(value), float(other_value)
        both_nan = math.isnan(value) and math.isnan(other_value)
        return both_nan or math.isclose(value, other_value, rel_tol=1e-12, abs_tol=1e-12)
    return value == other_value


def length(interval):
    """Microseconds, a month counted as 30 days, as comparisons of SQL count it."""
    months, micros = interval
    return months * 30 * DAY_US + micros


def sort_key(row):
    """Orders rows alike on every side: numbers that are equal but for rounding are one."""
    return [str(rounded(value)) for value in row]


def rounded(value):
    if value is None:
        return ""
    kind, of_kind = value
    if kind == "interval":
        return (kind, length(of_kind))
    return f"{float(of_kind) + 0:.9g}" if kind == "number" else (kind, of_kind)


def same_rows(one, other, is_ordered):
    if not is_ordered:
        one, other = sorted(one, key=sort_key), sorted(other, key=sort_key)
    return len(one) == len(other) and all(map(is_same_row, one, other))


def is_same_row(one, other):
    return len(one) == len(other) and all(map(is_same, one, other))


def check_that_values_are_told_apart():
    """The comparison itself: what is the same, and what is not."""
    for kind, one, other in (
        ("number", "2.50", "2.5"),
        ("number", "1", "1.0000000000001"),
        ("interval", "1 mon 2 days", "32 days"),
        ("interval", "1 day 02:00:00", "PT26H"),
        ("interval", "-00:00:01.5", "-PT1.5S"),
        ("timestamptz", "2023-01-24 09:30:00+02", "2023-01-24T07:30:00Z"),
        ("timestamp", "2023-01-24 00:00:00", "2023-01-24"),
        ("time", "09:30:00.500", "09:30:00.5"),
        ("bool", "t", "true"),
        ("text[]", '{"a, b",NULL,c}', '{"a, b",NULL,"c"}'),
    ):
        assert is_same(from_text(kind, one), from_text(kind, other)), (one, other)
    for kind, one, other in (
        ("number", "1", "1.000001"),
        ("number", "9223372036854775807", "9223372036854775806"),
        ("interval", "1 day", "25:00:00"),
        ("timestamptz", "2023-01-24 09:30:00+02", "2023-01-24 09:30:00Z"),
        ("timestamp", "2023-01-24 00:00:00.000001", "2023-01-24"),
        ("text", "", None),
        ("text[]", '{"NULL"}', "{NULL}"),
    ):
        assert not is_same(from_text(kind, one), from_text(kind, other)), (one, other)
    midnight = "2023-01-24 00:00:00"
    assert not is_same(from_text("date", "2023-01-24"), from_text("timestamp", midnight))
    one, two = (("number", 1),), (("number", 2),)
    assert same_rows([one, two], [two, one], False)
    assert not same_rows([one, two], [two, one], True)
    assert not same_rows([one, one, two], [one, two, two], False)
    assert not same_rows([one], [one, one], False)
