"""Sources of a query: tables, tables as of a version, joins, values, and subqueries.

Left out: joins that would make more rows than a query ought to take.
"""

from dataclasses import dataclass

from grammar.expressions import DATE, INSTANT, INT, TEXT, Column, Expressions

# How often each table is read, of a hundred, and the columns that tell its rows apart.
TABLES = {
    "polls": (48, ("store_id", "polled_at")),
    "stores": (18, ("store_id",)),
    # Not in the order of the file, which DataFusion loses where a column amid is cast twice.
    "business_hours": (14, ("store_id", "start_local_s", "day_of_week", "end_local_s")),
    "time_zones": (8, ("store_id",)),
    "rejects": (7, ("version", "file", "line", '"column"', "reason", "text")),
    "loads": (5, ("version", "file")),
}
JOINED_ROWS_MAX = 40_000
JOINS = ("JOIN", "JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN")


@dataclass(frozen=True)
class Source:
    """FROM clause, its columns, and its key, if any."""

    sql: str
    columns: tuple
    keys: tuple
    rows: int
    # Of those columns the ones that WHERE may name, if not all.
    certain: tuple = ()

    def column(self, name):
        return next((column for column in self.columns if column.sql.endswith("." + name)), None)


@dataclass(frozen=True)
class Select:
    """A query whose columns are `c1`, `c2`, …, without ORDER BY."""

    sql: str
    kinds: tuple
    # Columns that tell its rows apart, if any do.
    keys: tuple
    rows: int


@dataclass(frozen=True)
class Table:
    name: str
    columns: tuple
    rows: int
    versions: int


class Sources:
    def __init__(self, dice, tables, pools):
        self.dice, self.tables, self.pools = dice, tables, pools
        self.aliases = 0

    def alias(self):
        self.aliases += 1
        return f"t{self.aliases}"

    def expressions(self, source):
        return Expressions(self.dice, source.columns, self.pools)

    def table(self, name=None, as_of=True):
        """A table; now and then as it was at some version."""
        dice = self.dice
        weights = [weight for weight, _ in TABLES.values()]
        name = name or dice.choices(list(TABLES), weights)[0]
        table, alias = self.tables[name], self.alias()
        sql = name
        if as_of and table.versions and dice.random() < 0.06:
            sql = f"as_of('{name}', {dice.randrange(1, table.versions + 1)})"
        columns = tuple(column.at(alias) for column in table.columns)
        keys = tuple(f"{alias}.{key}" for key in TABLES[name][1])
        if name != "rejects" and dice.random() < 0.4:
            # Numbers of stores tell them apart as well.
            keys = tuple(key.replace("store_id", "store_no") for key in keys)
        return Source(f"{sql} AS {alias}", columns, keys, table.rows)

    def source(self, derived):
        """Any source; `derived` makes a query that can stand in parentheses."""
        chosen = self.dice.random()
        if chosen < 0.58:
            return self.table()
        if chosen < 0.84:
            return self.joined(derived)
        if chosen < 0.96:
            return self.parenthesised(derived())
        return self.values()

    def parenthesised(self, select):
        """The rows of a query. Its columns get new names: DataFusion takes `t.c1` for `c1`."""
        alias = self.alias()
        names = ", ".join(f"d{place}" for place in range(1, len(select.kinds) + 1))
        return self.named(f"({select.sql}) AS {alias} ({names})", alias, select)

    def named(self, sql, alias, select):
        columns = tuple(
            Column(f"{alias}.d{place}", kind) for place, kind in enumerate(select.kinds, 1)
        )
        keys = tuple(f"{alias}.d{key[1:]}" for key in select.keys)
        return Source(sql, columns, keys, select.rows)

    def values(self):
        dice, alias = self.dice, self.alias()
        _, number, text, *_ = self.tables["stores"].columns
        any_of = lambda column: dice.choice((*column.values, "NULL"))  # noqa: E731
        rows = [
            f"({place}, {any_of(number)}, {any_of(text)})" for place in range(dice.randrange(1, 7))
        ]
        columns = (("place", INT, ()), ("number", INT, number.values), ("word", TEXT, text.values))
        columns = tuple(
            Column(f"{alias}.{name}", kind, values, name=name) for name, kind, values in columns
        )
        # The last row sets the types, as the others may be NULL.
        rows = f"(VALUES {', '.join(rows)}, (7, 7, 'UTC'))"
        return Source(f"{rows} AS {alias} (place, number, word)", columns, (f"{alias}.place",), 7)

    def joined(self, derived):
        dice = self.dice
        one = self.table() if dice.random() < 0.8 else self.parenthesised(derived())
        other = self.table() if dice.random() < 0.75 else self.parenthesised(derived())
        if dice.random() < 0.05:
            other = self.values()
        condition, rows = self.related(one, other)
        if condition is None:
            other = self.table("stores", as_of=False)
            condition, rows = self.related(one, other)
        if condition is None:
            return one
        kind = dice.choice(JOINS)
        keys = one.keys and other.keys and one.keys + other.keys
        # DataFusion may take a condition of the left side for one of a column of the right that is
        # called alike, and drop what it should keep.
        certain = {"RIGHT JOIN": other.columns, "FULL JOIN": dice.choice((one, other)).columns}.get(
            kind, ()
        )
        sql = f"{one.sql} {kind} {other.sql} ON {condition}"
        source = Source(sql, one.columns + other.columns, keys, rows, certain)
        if kind in ("JOIN", "LEFT JOIN") and rows < 3000 and dice.random() < 0.3:
            return self.and_stores(source, kind)
        return source

    def and_stores(self, source, kind):
        """A third table beside two that were joined."""
        third = self.table(self.dice.choice(("stores", "time_zones")))
        condition, rows = self.related(source, third)
        if condition is None:
            return source
        keys = source.keys and third.keys and source.keys + third.keys
        sql = f"{source.sql} {kind} {third.sql} ON {condition}"
        return Source(sql, source.columns + third.columns, keys, rows)

    def related(self, one, other):
        """A condition that joins the two, with about how many rows that makes; or none."""
        dice = self.dice
        ways = self.by_store(one, other)
        product = one.rows * other.rows
        for name in ("version", "file"):
            if one.column(name) and other.column(name):
                ways.append((f"{one.column(name).sql} = {other.column(name).sql}", product // 4))
        pairs = [
            (left.sql, right.sql)
            for left in one.columns
            for right in other.columns
            if left.kind == right.kind and left.kind in (INT, DATE, TEXT, INSTANT)
        ]
        if pairs and product < JOINED_ROWS_MAX:
            for left, right in dice.sample(pairs, min(len(pairs), 3)):
                comparison = dice.choice(("=", "=", "<", ">=", "IS NOT DISTINCT FROM"))
                ways.append((f"{left} {comparison} {right}", product // 4))
        return dice.choice(ways) if ways else (None, 0)

    def by_store(self, one, other):
        """Conditions for rows of the same store."""
        dice = self.dice
        left, right = one.column("store_no"), other.column("store_no")
        if not (left and right):
            return []
        same, rows = (
            f"{left.sql} = {right.sql}",
            one.rows * other.rows // self.tables["stores"].rows,
        )
        left_at, right_at = one.column("polled_at"), other.column("polled_at")
        if left_at and right_at:
            return [(f"{same} AND {left_at.sql} = {right_at.sql}", one.rows)]
        if rows > JOINED_ROWS_MAX:
            return []
        extra = Expressions(dice, one.columns + other.columns, self.pools).condition(1)
        ways = [
            (same, rows),
            (f"{left.sql} = {right.sql} + {dice.randrange(1, 4)}", rows),
            (f"{same} AND ({extra})", rows),
        ]
        if one.column("store_id") and other.column("store_id"):
            same_id = f"{one.column('store_id').sql} = {other.column('store_id').sql}"
            ways += [(same_id, rows), (f"{same} AND {same_id}", rows)]
        if left_at and other.column("day_of_week"):
            weekday = f"extract(isodow FROM {left_at.sql}) - 1 = {other.column('day_of_week').sql}"
            ways += [(f"{same} AND {weekday}", rows // 7)] * 3
        return ways
