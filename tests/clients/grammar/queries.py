"""Random queries, in the dialects of uptally and DuckDB.

Left out: INTERSECT ALL and EXCEPT ALL, which mean something else to DataFusion.
"""

import re
from dataclasses import dataclass

from grammar.clauses import selected
from grammar.expressions import COMPARISONS, DATE, INSTANT, INT, KINDS, REAL, TEXT
from grammar.groups import Groups
from grammar.sources import Select, Source
from grammar.windows import Windows

# Where the names differ: as uptally says it, and as DuckDB does.
WORDS = {
    "{div}": ("/", "//"),
    "{first}": ("first_value", "first"),
    "{last}": ("last_value", "last"),
    "{matches}": ("regexp_like", "regexp_matches"),
    "{bin}": ("date_bin", "time_bucket"),
    "{semi}": ("LEFT SEMI JOIN", "SEMI JOIN"),
    "{anti}": ("LEFT ANTI JOIN", "ANTI JOIN"),
}
# More rows than this are not taken whole.
ROWS_MAX = 5_000


@dataclass(frozen=True)
class Question:
    sql: str
    # Whether the rows come in an order that the query settles.
    is_ordered: bool = False
    # Of a query that takes any rows up to a limit: all of them; how many it leaves out, and takes.
    all_sql: str = ""
    offset: int = 0
    limit: int = 0

    def of_uptally(self):
        return said(self.sql, 0)

    def of_duckdb(self):
        return re.sub(r"as_of\('(\w+)', (\d+)\)", r"\1_as_of_\2", said(self.all_sql or self.sql, 1))


def said(sql, side):
    for word, names in WORDS.items():
        sql = sql.replace(word, names[side])
    return sql


class Queries(Groups, Windows):
    def questions(self, count):
        """So many, no two alike."""
        made = {}
        while len(made) < count:
            self.aliases = 0
            question = self.question()
            made.setdefault(question.sql, question)
        return list(made.values())

    def question(self):
        ways = {
            self.rows: 30,
            self.groups: 24,
            self.windows: 13,
            self.distinct: 6,
            self.distinct_on: 4,
            self.set_operation: 8,
            self.with_names: 6,
            self.recursive: 2,
            self.extremes: 7,
        }
        return self.dice.choices(list(ways), list(ways.values()))[0]()

    def limited(self, sql, keys, rows, can_cut=True):
        """The query as it is, or in order of what tells its rows apart, or cut off, or both."""
        dice = self.dice
        offset, limit = dice.choice((0, 0, 0, 0, 0, 1, 3, 10)), dice.choice((1, 2, 5, 10, 25, 100))
        if dice.random() < 0.03:
            offset, limit = dice.choice(((0, 0), (40, 10), (1000, 5)))
        cut = f" LIMIT {limit}" + (f" OFFSET {offset}" if offset else "")
        is_many, chosen = rows > ROWS_MAX, dice.random()
        if keys and chosen < 0.6:
            is_cut = is_many or (can_cut and dice.random() < 0.55)
            return Question(sql + self.order(keys) + (cut if is_cut else ""), is_ordered=True)
        if is_many or chosen > 0.8:
            return Question(sql + cut, all_sql=sql, offset=offset, limit=limit)
        return Question(sql)

    # Of one query

    def rows(self):
        dice, source = self.dice, self.source(self.derived)
        outputs = self.outputs(source)
        if dice.random() < 0.08:
            outputs.append(self.scalar_subquery(source))
        sql = f"SELECT {selected(outputs)} FROM {source.sql}"
        if dice.random() < 0.05:
            inner = self.table(dice.choice(("stores", "time_zones", "business_hours", "loads")))
            if related := self.correlated(source, inner):
                sql += f" {dice.choice(('{semi}', '{anti}'))} {inner.sql} ON {related}"
        sql += self.where(source)
        keys = list(source.keys)
        if keys and dice.random() < 0.4:
            first = self.expressions(source).value(dice.choice((INT, TEXT, INSTANT, DATE)), 1)
            # A number alone would be the place of a column. DataFusion loses a CASE that it makes
            # simpler.
            if any(column.sql in first for column in source.columns) and "CASE" not in first:
                keys.insert(0, first)
        return self.limited(sql, keys, source.rows)

    def groups(self):
        select = self.grouped(self.source(self.derived))
        return self.limited(select.sql, select.keys, 0)

    def windows(self):
        dice = self.dice
        source = self.table() if dice.random() < 0.7 else self.source(self.derived)
        if not source.keys or source.rows > ROWS_MAX:
            source = self.table("polls")
        windows = [self.window(source) for _ in range(dice.choice((1, 1, 2, 3)))]
        outputs = [(key, TEXT) for key in source.keys] + windows
        sql = f"SELECT {selected(outputs)} FROM {source.sql}{self.where(source, 0.65)}"
        keys = [f"c{place}" for place in range(1, len(source.keys) + 1)]
        # DataFusion forgets the limit where several windows leave the rows in the order asked for.
        can_cut, chosen = len(windows) == 1, dice.random()
        if chosen < 0.25:
            last, literal = f"w.c{len(outputs)}", dice.choice(self.pools[windows[-1][1]])
            either = f"{last} {dice.choice(COMPARISONS)} {literal} OR {last} <= {literal}"
            sql = f"SELECT * FROM ({sql}) AS w WHERE {either}"
        elif chosen < 0.35:
            first = f"PARTITION BY {source.keys[0]}{self.order(source.keys)}"
            sql += f" QUALIFY row_number() OVER ({first}) <= {dice.randrange(1, 4)}"
        return self.limited(sql, keys, 0, can_cut)

    def distinct(self):
        source = self.source(self.derived)
        outputs = self.outputs(source, kinds=[kind for kind in KINDS if kind != REAL])
        sql = f"SELECT DISTINCT {selected(outputs)} FROM {source.sql}{self.where(source)}"
        return self.limited(sql, [f"c{place}" for place in range(1, len(outputs) + 1)], 0)

    def distinct_on(self):
        """The first row of each group in an order."""
        source = self.table()
        key = self.dice.choice(source.columns).sql
        outputs = self.outputs(source)
        terms = [key, *(term for term in source.keys if term != key)]
        sql = (
            f"SELECT DISTINCT ON ({key}) {selected(outputs)} FROM {source.sql}{self.where(source)}"
        )
        return Question(sql + self.order(terms), is_ordered=True)

    def extremes(self):
        """Queries that file statistics may answer."""
        dice, source = self.dice, self.table()
        folds = ["count(*)"] + [
            f"{fold}({column.sql})" for column in source.columns for fold in ("min", "max", "count")
        ]
        folds = [(fold, INT) for fold in dice.sample(folds, dice.randrange(1, 4))]
        return Question(f"SELECT {selected(folds)} FROM {source.sql}{self.where(source, 0.7)}")

    # Of several

    def derived(self):
        """A query that others read: by groups, or rows of a table."""
        dice, source = self.dice, self.table()
        if dice.random() < 0.5:
            return self.grouped(source, is_read_on=True)
        columns = dice.sample(source.columns, min(len(source.columns), 3))
        if dice.random() < 0.7:
            columns = [column for column in source.columns if column.sql in source.keys] + columns[
                :1
            ]
        outputs = [(column.wide or column.sql, column.kind) for column in columns] + self.outputs(
            source, 2
        )
        sql, rows = (
            f"SELECT {selected(outputs)} FROM {source.sql}{self.where(source)}",
            source.rows // 2,
        )
        if dice.random() < 0.35:
            rows = dice.choice((1, 10, 60))
            sql += self.order(source.keys) + f" LIMIT {rows}"
        given = [column.sql for column in columns]
        has_keys = all(key in given for key in source.keys)
        keys = tuple(f"c{given.index(key) + 1}" for key in source.keys) if has_keys else ()
        return Select(sql, tuple(kind for _, kind in outputs), keys, rows)

    def set_operation(self):
        """Set operation over plain columns: DataFusion takes a constant of one side for one of all."""
        dice = self.dice
        sources = [self.table() for _ in range(dice.choice((2, 2, 3)))]
        kinds = [
            kind
            for kind in KINDS
            if all(self.expressions(source).column(kind) for source in sources)
        ]
        kinds = dice.sample(kinds, dice.randrange(1, min(len(kinds), 3) + 1))
        sql = ""
        for source in sources:
            outputs = [(self.expressions(source).column(kind).sql, kind) for kind in kinds]
            side = f"(SELECT {selected(outputs)} FROM {source.sql}{self.where(source, 0.8)})"
            word = dice.choice(("UNION", "UNION ALL", "INTERSECT", "EXCEPT"))
            sql = f"({sql} {word} {side})" if sql else side
        return self.limited(
            f"SELECT * FROM {sql} AS u", [f"c{place}" for place in range(1, len(kinds) + 1)], 0
        )

    def with_names(self):
        """A query that has a name, of which another reads, perhaps twice."""
        dice, first = self.dice, self.derived()
        names = ", ".join(f"d{place}" for place in range(1, len(first.kinds) + 1))
        named = f"WITH q ({names}) AS ({first.sql})"
        source = self.named("q AS q1", "q1", first)
        other = self.named("q AS q2", "q2", first) if dice.random() < 0.5 else self.table("stores")
        condition, rows = self.related(source, other)
        if condition and dice.random() < 0.6:
            keys = source.keys and other.keys and source.keys + other.keys
            sql = f"{source.sql} {dice.choice(('JOIN', 'LEFT JOIN'))} {other.sql} ON {condition}"
            source = Source(sql, source.columns + other.columns, keys, rows)
        if dice.random() < 0.6:
            select = self.grouped(source)
            return self.limited(f"{named} {select.sql}", select.keys, 0)
        sql = (
            f"{named} SELECT {selected(self.outputs(source))} FROM {source.sql}{self.where(source)}"
        )
        return self.limited(sql, source.keys, source.rows)

    def recursive(self):
        dice, source = self.dice, self.table("polls", as_of=False)
        day, store = source.column("polled_on").sql, source.column("store_no").sql
        condition, step = self.plain(source), dice.randrange(1, 4)
        if dice.random() < 0.5:
            series = (
                "days (day) AS (SELECT min(polled_on) FROM polls UNION ALL "
                f"SELECT CAST(day + INTERVAL '{step} days' AS DATE) FROM days "
                f"WHERE day < {dice.choice(self.pools[DATE])})"
            )
            sql = (
                f"SELECT day AS c1, count({day}) AS c2 FROM days LEFT JOIN {source.sql} "
                f"ON {day} = day AND ({condition}) GROUP BY day"
            )
        else:
            word, most = dice.choice(("UNION ALL", "UNION")), dice.randrange(3, 30)
            series = f"n (i) AS (SELECT {step} {word} SELECT i + {step} FROM n WHERE i < {most})"
            sql = (
                f"SELECT i AS c1, count(*) AS c2, min({day}) AS c3 FROM n JOIN {source.sql} "
                f"ON {store} = i AND ({condition}) GROUP BY i"
            )
        return self.limited(f"WITH RECURSIVE {series} {sql}", ["c1"], 0)
