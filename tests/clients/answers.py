"""Compares two answers to a query.

Types may differ: numbers are equal by their values, floating ones but for rounding; instants and
durations to the microsecond. Rows are compared in order where the question settles one, otherwise
as a bag.
"""

import math
from collections import Counter

import pyarrow


def rows_of(table):
    return list(zip(*map(plain, table.columns)))


def plain(column):
    """Values that can be compared, whatever type they are of."""
    kind = column.type
    if pyarrow.types.is_timestamp(kind):
        return column.cast(pyarrow.timestamp("us", kind.tz)).cast(pyarrow.int64()).to_pylist()
    if pyarrow.types.is_decimal(kind):
        # DuckDB sums integers to decimals.
        return [None if value is None else int(value) for value in column.to_pylist()]
    return column.to_pylist()


def sort_key(row):
    """Sort key that is the same on both sides: numbers equal up to rounding are equal."""
    return tuple(
        (value is not None, float(f"{value:.12g}") if isinstance(value, float) else value)
        for value in row
    )


def is_same(one, other):
    if isinstance(one, float) and isinstance(other, (float, int)):
        return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-9)
    return isinstance(one, bool) == isinstance(other, bool) and one == other


def first_difference(question, found, expected):
    """The first rows that differ, as text; none where the answers are the same."""
    if question.all_sql:
        return cut_wrongly(question, found, expected)
    if not question.is_ordered:
        found, expected = sorted(found, key=sort_key), sorted(expected, key=sort_key)
    for place, (one, other) in enumerate(zip(found, expected), 1):
        if len(one) != len(other) or not all(map(is_same, one, other)):
            of = f"row {place} of {len(found)} and {len(expected)}"
            return f"{of}\n  uptally  {one}\n  DuckDB   {other}"
    if len(found) == len(expected):
        return None
    longer, name = (found, "uptally") if len(found) > len(expected) else (expected, "DuckDB")
    only = longer[min(len(found), len(expected))]
    return f"{len(found)} and {len(expected)} rows; the first that {name} alone gives\n  {only}"


def cut_wrongly(question, found, every):
    """Checks number and membership of the rows of an unordered query with LIMIT."""
    wanted = max(0, min(question.limit, len(every) - question.offset))
    if len(found) != wanted:
        return f"{len(found)} rows, expected {wanted} of {len(every)}"
    beyond = Counter(map(sort_key, found)) - Counter(map(sort_key, every))
    return f"rows that are none of all: {[*beyond][:3]}" if beyond else None


def check_that_differences_are_told(question_of):
    """The comparison itself: what is the same, and what is not."""
    rows = [(1, "a", 0.5), (2, None, 1.5)]
    bag, ordered = question_of(""), question_of("", is_ordered=True)
    cut = question_of("", all_sql="all", limit=1)
    for question, found in (
        (bag, rows[::-1]),
        (bag, [(1, "a", 0.5 + 1e-13), (2, None, 1.5)]),
        (ordered, rows),
        (cut, rows[1:]),
    ):
        assert first_difference(question, found, rows) is None, found
    for question, found in (
        (bag, rows[:1]),
        (bag, rows + rows[:1]),
        (bag, [(1, "a", 0.5), (2, "", 1.5)]),
        (bag, [(1, "a", 0.5 + 1e-6), (2, None, 1.5)]),
        (bag, [(True, "a", 0.5), (2, None, 1.5)]),
        (ordered, rows[::-1]),
        (cut, rows),
        (cut, []),
        (cut, [(3, "a", 0.5)]),
    ):
        assert first_difference(question, found, rows), found
