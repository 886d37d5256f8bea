"""Checks that an error message is one sentence for people, without engine terms."""

import re

ENGINE_WORDS = re.compile(
    r"""
    DataFusion | \barrow\b | \bbug\b | \bplan(ning|ner)?\ error | physical\ plan
    | logical\ ?(plan|expr) | internal\ error | error\ during | execution\ error | cast\ error
    | compute\ error | schema\ error | parser\ ?error | \boptimi[sz]er\b | panicked
    | failed\ to\ match\ any\ signature | \bcoerc
    | MonthDayNano | \bU?Int(8|16|32|64)\b | \bFloat(16|32|64)\b | \b(Large)?Utf8(View)?\b
    | \bDecimal(32|64|128|256)\b | \bDate(32|64)\b | \bTime(32|64)\b | \bTimestamp\((s|ms|µs|ns)
    | \bDuration\( | \bInterval\( | \bList\( | \bSome\( | \bNone\b | \w+\ \{\ \w+: | <subquery>
    | \bTypeSignature\b | \bScalarUDF\b | \bAggregateUDF\b | \bWindowUDF\b | \bExpr\b | ::\w+::
    | \bNo\ field\ named\b | \bthe\ server\ failed\b
    """,
    re.VERBOSE | re.IGNORECASE,
)
# Begins small, with a word of SQL, or with what it is about.
BEGINNING = re.compile(r"[a-z0-9\"'`(\[$<>=+\-*/%|^&~:.]|[A-Z][A-Z]+\b|[A-Z]\b")


def fault(told):
    """Defect of the message; `None` without one."""
    told = told.strip()
    if not told:
        return "nothing is said"
    if "\n" in told:
        return "several lines"
    if found := ENGINE_WORDS.search(told):
        return f'says "{found[0]}"'
    if not BEGINNING.match(told):
        return "begins with a capital"
    return "ends with a full stop" if told.endswith(".") else None


def check_that_faults_are_found():
    for told in (
        "division by zero",
        "LIMIT must not be negative",
        '"soon" is not an interval; write it as 1 day 02:03:04',
        "EXISTS among what is selected is not supported; join instead",
    ):
        assert fault(told) is None, (told, fault(told))
    for told in (
        "",
        "Division by zero",
        "division by zero.",
        "Internal error: nothing",
        "cannot cast Utf8 to Int64",
        "not supported: Exists(Exists { subquery: <subquery>, negated: false })",
        "cannot get a type for Interval(MonthDayNano) * Int64",
        "the server failed; its log says why",
        "this is a bug in uptally",
    ):
        assert fault(told), told
