"""Expressions of SQL over the columns in reach: values of each kind, and conditions.

Only what means the same to uptally and DuckDB. Left out, as it means something else to one of them:
`a / b` of integers (see WORDS in `queries`), numbers such as 1.5 (a decimal in DuckDB, so they are
written as 1.5e0), text of floating numbers, integers of floating numbers unless they are whole
(half is rounded up here, to even there), the seconds of an instant (with their fraction here), the
hours of a date (refused here), zeros below zero (less than zero here). `IS TRUE` and `IS NOT FALSE`,
as DataFusion may lose its way among groups by them.
"""

from dataclasses import dataclass, field, replace

INT, REAL, TEXT, BOOL, INSTANT, DATE = "int", "real", "text", "bool", "instant", "date"
KINDS = (INT, REAL, TEXT, BOOL, INSTANT, DATE)

INTERVALS = ("1 hour", "90 minutes", "1 day", "2 days 3 hours", "1 second", "1 month")
UNITS = ("day", "hour", "week", "month", "minute", "second", "quarter", "year")
PARTS = "hour day dow isodow doy week month year quarter minute".split()
COMPARISONS = ("=", "<>", "<", "<=", ">", ">=")
# For days of instants: where those are equal, DataFusion takes the instants for equal as well, and
# does not order by them.
UNEQUAL = ("<>", "<", "<=", ">", ">=")
DISTINCTIONS = ("IS DISTINCT FROM", "IS NOT DISTINCT FROM")


@dataclass(frozen=True)
class Column:
    """Column in reach, with sample values as literals, else literals of its kind."""

    sql: str
    kind: str
    values: tuple = ()
    # As arithmetic has to see it, where the literals beside it would take its narrow type.
    wide: str = ""
    name: str = field(default="", compare=False)

    def at(self, alias):
        """The column of a table that the query calls so."""
        wide = self.wide and self.wide.format(f"{alias}.{self.name}")
        return replace(self, sql=f"{alias}.{self.name}", wide=wide)


class Expressions:
    """Expressions over some columns, from a die; `pools` are literals of each kind."""

    def __init__(self, dice, columns, pools):
        self.dice, self.columns, self.pools = dice, columns, pools

    def column(self, kind):
        of_kind = [column for column in self.columns if column.kind == kind]
        return self.dice.choice(of_kind) if of_kind else None

    def literal(self, kind, column=None):
        values = column.values if column and column.values else self.pools[kind]
        return self.dice.choice(values)

    def value(self, kind, depth=2):
        """An expression of the kind; columns and literals where the depth is used up."""
        dice = self.dice
        if depth <= 0 or dice.random() < 0.25:
            column = self.column(kind)
            if column and dice.random() < 0.85:
                return column.wide or column.sql
            return self.literal(kind)
        if dice.random() < 0.25:
            return self.of_any_kind(kind, depth - 1)
        return getattr(self, kind)(depth - 1)

    def of_any_kind(self, kind, depth):
        one, other = self.value(kind, depth), self.value(kind, depth)
        form = self.dice.randrange(5)
        if form == 0:
            return f"CASE WHEN {self.condition(depth)} THEN {one} ELSE {other} END"
        if form == 1:
            return f"CASE WHEN {self.condition(depth)} THEN {one} END"
        if form == 2:
            return f"coalesce({one}, {other})"
        if form == 3:
            return f"nullif({one}, {other})"
        least = self.dice.choice(("least", "greatest"))
        return f"{least}({one}, {other})" if kind != BOOL else f"coalesce({one}, {other})"

    def int(self, depth):
        dice, small = self.dice, self.dice.randrange(2, 12)
        one = f"({self.value(INT, depth)})"
        forms = [
            lambda: f"{one} + {self.value(INT, depth)}",
            lambda: f"{one} - ({self.value(INT, depth)})",
            lambda: f"{one} * {small}",
            lambda: f"{one} {{div}} {small}",
            lambda: f"{one} % {small}",
            lambda: f"abs({one})",
            lambda: f"-{one}",
            lambda: f"length({self.value(TEXT, depth)})",
            lambda: f"strpos({self.value(TEXT, depth)}, '{dice.choice('15a-')}')",
            lambda: f"CAST({self.value(BOOL, depth)} AS INT)",
            lambda: f"extract({dice.choice(PARTS)} FROM {self.value(INSTANT, depth)})",
            lambda: f"extract({dice.choice(PARTS[1:9])} FROM {self.value(DATE, depth)})",
            lambda: f"({self.value(DATE, depth)}) - ({self.value(DATE, depth)})",
            lambda: f"CAST(floor({self.value(REAL, depth)}) AS BIGINT)",
        ]
        return dice.choice(forms)()

    def real(self, depth):
        dice = self.dice
        one = f"({self.value(REAL, depth)})"
        forms = [
            lambda: f"CAST({self.value(INT, depth)} AS DOUBLE)",
            lambda: f"{one} + {self.value(REAL, depth)}",
            lambda: f"{one} - ({self.value(REAL, depth)})",
            lambda: f"{one} * {dice.choice(('0.5e0', '3e0', '1e-3'))} + 0e0",
            lambda: f"({self.value(INT, depth)}) * {dice.choice(('0.25e0', '1e2'))}",
            lambda: f"{one} / (1e0 + abs({self.value(REAL, depth)}))",
            lambda: f"sqrt(abs({one}))",
            lambda: f"{dice.choice(('floor', 'ceil', 'round', 'abs'))}({one}) + 0e0",
            lambda: f"extract(epoch FROM {self.value(INSTANT, depth)})",
        ]
        return dice.choice(forms)()

    def text(self, depth):
        dice = self.dice
        one = self.value(TEXT, depth)
        forms = [
            lambda: f"({one}) || {self.value(TEXT, depth)}",
            lambda: f"{dice.choice(('upper', 'lower', 'reverse', 'trim'))}({one})",
            lambda: f"substr({one}, {dice.randrange(1, 6)}, {dice.randrange(0, 9)})",
            lambda: f"{dice.choice(('left', 'right'))}({one}, {dice.randrange(0, 6)})",
            lambda: f"replace({one}, '{dice.choice('15a-')}', '{dice.choice(('', 'xy'))}')",
            lambda: f"lpad({one}, {dice.randrange(1, 24)}, '*')",
            lambda: f"split_part({one}, '{dice.choice('-/,')}', {dice.randrange(1, 4)})",
            lambda: f"CAST({self.value(INT, depth)} AS VARCHAR)",
            lambda: f"CAST({self.value(BOOL, depth)} AS VARCHAR)",
            lambda: f"CAST({self.value(DATE, depth)} AS VARCHAR)",
            lambda: f"repeat(left({one}, 2), {dice.randrange(0, 4)})",
        ]
        return dice.choice(forms)()

    def bool(self, depth):
        return f"({self.condition(depth)})"

    def instant(self, depth):
        dice = self.dice
        one = self.value(INSTANT, depth)
        forms = [
            lambda: f"{one} {dice.choice('+-')} INTERVAL '{dice.choice(INTERVALS)}'",
            lambda: f"date_trunc('{dice.choice(UNITS)}', {one})",
            lambda: f"{{bin}}(INTERVAL '{dice.choice(('15 minutes', '1 hour', '1 day'))}', {one})",
            lambda: f"CAST({self.value(DATE, depth)} AS TIMESTAMPTZ)",
        ]
        return dice.choice(forms)()

    def date(self, depth):
        dice, days = self.dice, self.dice.randrange(1, 9)
        one = self.value(DATE, depth)
        forms = [
            lambda: f"CAST({self.value(INSTANT, depth)} AS DATE)",
            lambda: f"CAST({one} {dice.choice('+-')} INTERVAL '{days} days' AS DATE)",
            lambda: f"({one}) {dice.choice('+-')} {days}",
            lambda: f"CAST(date_trunc('{dice.choice(('month', 'week', 'day'))}', {one}) AS DATE)",
        ]
        return dice.choice(forms)()

    def condition(self, depth=2):
        """A condition, of several where the depth allows."""
        dice = self.dice
        if depth > 0 and dice.random() < 0.35:
            word = dice.choice(("AND", "OR"))
            both = [f"({self.condition(depth - 1)})" for _ in range(2)]
            return f" {word} ".join(both)
        if depth > 0 and dice.random() < 0.08:
            return f"NOT ({self.condition(depth - 1)})"
        if depth > 0 and dice.random() < 0.35:
            return self.of_values(depth - 1)
        return self.of_column(dice.choice(self.columns))

    def of_values(self, depth):
        dice, kind = self.dice, self.dice.choice(KINDS)
        one, other = f"({self.value(kind, depth)})", f"({self.value(kind, depth)})"
        if not any(column.sql in one for column in self.columns):
            # What no row decides says little.
            return self.of_column(dice.choice(self.columns))
        form = dice.randrange(8)
        if "AS DATE)" in one + other:
            return f"{one} {dice.choice(UNEQUAL)} {other}"
        if form == 0:
            return f"{one} BETWEEN {other} AND {self.value(kind, depth)}"
        if form == 1:
            return f"{one} {dice.choice(DISTINCTIONS)} {other}"
        if form == 2:
            return f"{one} IS {dice.choice(('', 'NOT '))}NULL"
        if form == 3 and kind == TEXT:
            return f"starts_with({one}, '{dice.choice('12345abc')}')"
        if form == 4 and kind == TEXT:
            return f"{{matches}}({one}, '{dice.choice(('^[0-9]+$', '^[1-4]', '[a-c]-', '7$'))}')"
        return f"{one} {dice.choice(COMPARISONS)} {other}"

    def of_column(self, column):
        """A condition of one column and literals: what reading may be spared by."""
        dice, sql = self.dice, column.sql
        value = lambda: self.compared(column)  # noqa: E731
        form = dice.randrange(12)
        if column.kind == BOOL and form < 6:
            return dice.choice(("{}", "NOT {}", "{} = TRUE", "{} <> FALSE", "{} IS NULL")).format(
                sql
            )
        if form == 0:
            return f"{value()} {dice.choice(COMPARISONS)} {sql}"
        if form == 1:
            values = ", ".join(value() for _ in range(dice.randrange(1, 5)))
            return f"{sql} {dice.choice(('', 'NOT '))}IN ({values})"
        if form == 2:
            return f"{sql} {dice.choice(('', 'NOT '))}BETWEEN {value()} AND {value()}"
        if form == 3:
            return f"{sql} IS {dice.choice(('', 'NOT ', 'NOT '))}NULL"
        if form == 4:
            return f"{sql} {dice.choice(DISTINCTIONS)} {value()}"
        if form < 8 and column.kind in (TEXT, INSTANT, INT, DATE):
            return getattr(self, f"around_{column.kind}")(column)
        return f"{sql} {dice.choice(COMPARISONS)} {value()}"

    def compared(self, column):
        """A literal that the column can be compared with, in one of the ways to write it."""
        dice, literal = self.dice, self.literal(column.kind, column)
        if column.kind == INSTANT and literal.startswith("TIMESTAMPTZ"):
            text = literal[len("TIMESTAMPTZ '") : -len("Z'")]
            forms = (
                "TIMESTAMPTZ '{}Z'",
                "TIMESTAMP '{}'",
                "'{}Z'",
                "'{}'",
                "CAST('{}' AS TIMESTAMPTZ)",
            )
            day = f"DATE '{text[:10]}'"
            midnight = f"TIMESTAMP '{text[:10]} 00:00:00'"
            return dice.choice((*(form.format(text) for form in forms), day, midnight))
        if column.kind == DATE and literal.startswith("DATE"):
            text = literal[len("DATE '") : -1]
            forms = ("DATE '{}'", "'{}'", "CAST('{}' AS DATE)", "TIMESTAMP '{} 00:00:00'")
            return dice.choice(forms).format(text)
        if column.kind == INT and dice.random() < 0.1:
            return f"{literal}.5e0" if literal.isdigit() else literal
        return literal

    def around_text(self, column):
        dice, sql = self.dice, column.sql
        text = self.literal(TEXT, column)[1:-1].replace("''", "_").replace("\\", "_")
        start, length = dice.randrange(0, 3), dice.randrange(1, 4)
        part = text[start : start + length]
        pattern = dice.choice(
            (f"{text[:length]}%", f"%{part}%", f"%{text[-1:]}", f"_{text[1:2]}%", text)
        )
        like = dice.choice(("LIKE", "NOT LIKE", "ILIKE"))
        return dice.choice(
            (
                f"{sql} {like} '{pattern}'",
                f"substr({sql}, 1, {length}) = '{text[:length]}'",
                f"{sql} {dice.choice(COMPARISONS)} '{text[:length]}'",
                f"length({sql}) {dice.choice(COMPARISONS)} {len(text)}",
            )
        )

    def around_instant(self, column):
        dice, sql = self.dice, column.sql
        literal = self.literal(INSTANT, column)
        comparison, unit = dice.choice(COMPARISONS), dice.choice(UNITS)
        return dice.choice(
            (
                f"date_trunc('{unit}', {sql}) {comparison} date_trunc('{unit}', {literal})",
                f"date_trunc('day', {sql}) {comparison} {self.literal(DATE)}",
                f"CAST({sql} AS DATE) {dice.choice(UNEQUAL)} CAST({literal} AS DATE)",
                f"{sql} + INTERVAL '{dice.choice(INTERVALS)}' {comparison} {literal}",
                f"{sql} {comparison} {literal} - INTERVAL '{dice.choice(INTERVALS)}'",
                f"extract({dice.choice(PARTS)} FROM {sql}) {comparison} {dice.randrange(1, 24)}",
                f"{sql} >= {literal} AND {sql} < {literal} + INTERVAL '1 day'",
            )
        )

    def around_date(self, column):
        dice, sql = self.dice, column.sql
        literal, comparison = self.literal(DATE, column), dice.choice(COMPARISONS)
        return dice.choice(
            (
                f"{sql} {dice.choice('+-')} 1 {comparison} {literal}",
                f"CAST({sql} AS TIMESTAMPTZ) {comparison} {self.literal(INSTANT)}",
                f"CAST({sql} AS VARCHAR) LIKE '%-2{dice.randrange(0, 6)}'",
                f"extract({dice.choice(PARTS[1:5])} FROM {sql}) % 2 = {dice.randrange(2)}",
                f"coalesce({sql}, {literal}) {comparison} {literal}",
                f"{sql} {comparison} {literal} OR {sql} IS NULL",
                f"CASE WHEN {sql} > {literal} THEN 1 ELSE 2 END = {dice.choice('12')}",
            )
        )

    def around_int(self, column):
        dice, sql = self.dice, column.wide or column.sql
        literal, comparison = self.literal(INT, column), dice.choice(COMPARISONS)
        return dice.choice(
            (
                f"{sql} + 1 {comparison} {literal}",
                f"{sql} % 3 = {dice.randrange(3)}",
                f"CAST({sql} AS BIGINT) {comparison} {literal}",
                f"CAST({sql} AS DOUBLE) {comparison} {literal}",
                f"CAST({sql} AS VARCHAR) {comparison} '{literal}'",
                f"{sql} BETWEEN {literal} AND {literal} + {dice.randrange(9)}",
                f"NOT {sql} {comparison} {literal}",
            )
        )
