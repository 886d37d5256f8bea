"""Functions over windows of rows.

Left out, as DataFusion does not know them of every window: `bool_and`, `bool_or`, and `min` of
booleans.
"""

from grammar.clauses import Clauses
from grammar.expressions import DATE, INSTANT, INT, REAL, TEXT

ENDS = (
    "UNBOUNDED PRECEDING",
    "3 PRECEDING",
    "1 PRECEDING",
    "CURRENT ROW",
    "1 FOLLOWING",
    "2 FOLLOWING",
)


class Windows(Clauses):
    def window(self, source):
        """A function over a window of the source, whose rows have keys, and its kind."""
        dice = self.dice
        columns = [column.sql for column in source.columns if column.kind != REAL]
        partition = dice.choice((source.keys[0], *columns[:2], dice.choice(columns), ""))
        partition = f"PARTITION BY {partition}" if partition else ""
        if dice.random() < 0.3:
            return self.window_of_range(source, partition)
        order = self.order(source.keys)
        if dice.random() < 0.4:
            function, kind = self.by_place(source)
            return f"{function} OVER ({partition}{order})", kind
        function, kind = self.of_frame(source)
        return f"{function} OVER ({partition}{order}{self.frame()})", kind

    def by_place(self, source):
        """Functions of a row's position."""
        dice, expressions = self.dice, self.expressions(source)
        kind = dice.choice((INT, TEXT, INSTANT, DATE))
        value = expressions.value(kind, 1)
        forms = (
            ("row_number()", INT),
            ("rank()", INT),
            ("dense_rank()", INT),
            ("percent_rank()", REAL),
            ("cume_dist()", REAL),
            (f"ntile({dice.randrange(1, 6)})", INT),
            (f"lag({value})", kind),
            (f"lead({value}, {dice.randrange(0, 4)})", kind),
            (f"lag({value}, 2, {dice.choice(self.pools[kind])})", kind),
        )
        return dice.choice(forms)

    def of_frame(self, source):
        """Functions of the rows in a frame."""
        dice, expressions = self.dice, self.expressions(source)
        kind = dice.choice((INT, TEXT, INSTANT, DATE))
        value, number = expressions.value(kind, 1), expressions.value(INT, 1)
        forms = (
            (f"first_value({value})", kind),
            (f"last_value({value})", kind),
            (f"nth_value({value}, {dice.randrange(1, 4)})", kind),
            (f"min({value})", kind),
            (f"max({value})", kind),
            (f"sum({number})", INT),
            (f"avg({number})", REAL),
            ("count(*)", INT),
            (f"count({value})", INT),
        )
        return dice.choice(forms)

    def frame(self):
        dice = self.dice
        start, end = sorted(dice.sample(range(len(ENDS)), 2))
        frames = (
            "",
            f" ROWS BETWEEN {ENDS[start]} AND {ENDS[end]}",
            f" ROWS BETWEEN {ENDS[start]} AND {ENDS[end]}",
            f" ROWS BETWEEN {ENDS[end]} AND UNBOUNDED FOLLOWING",
        )
        return dice.choice(frames)

    def window_of_range(self, source, partition):
        """Over rows near by, of which several may be at one place."""
        dice, expressions = self.dice, self.expressions(source)
        kind = dice.choice((INSTANT, INT))
        column, number = expressions.column(kind), expressions.value(INT, 1)
        if column is None:
            return f"count(*) OVER ({partition})", INT
        ways = f"{dice.choice(('ASC', 'DESC'))} NULLS {dice.choice(('FIRST', 'LAST'))}"
        order = f" ORDER BY {column.wide or column.sql} {ways}"
        if dice.random() < 0.3:
            return f"{dice.choice(('rank()', 'dense_rank()'))} OVER ({partition}{order})", INT
        near = (
            "2"
            if kind == INT
            else f"INTERVAL '{dice.choice(('90 minutes', '1 day', '10 seconds'))}'"
        )
        end = dice.choice(("CURRENT ROW", f"{near} FOLLOWING", "UNBOUNDED FOLLOWING"))
        frames = (
            "",
            f" RANGE BETWEEN {near} PRECEDING AND {end}",
            " GROUPS BETWEEN 1 PRECEDING AND CURRENT ROW",
        )
        fold = dice.choice((f"sum({number})", "count(*)", f"max({number})"))
        return f"{fold} OVER ({partition}{order}{dice.choice(frames)})", INT
