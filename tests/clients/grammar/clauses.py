"""The clauses of a query over a source: what it selects, WHERE with subqueries, and ORDER BY.

NULLS FIRST or LAST is always said, as the defaults differ. Left out, as DataFusion does not know
them: correlated subqueries with a limit, and tuples before IN.
"""

from dataclasses import replace

from grammar.expressions import BOOL, COMPARISONS, DATE, INSTANT, INT, KINDS, REAL, TEXT
from grammar.sources import Sources

# What tables are related by.
RELATED_BY = ("store_no", "store_id", "polled_on", "version", "file")
# What decides which files, pages and rows are read.
READ_BY = ("polled_on", "polled_at", "store_id", "store_no")


def selected(outputs):
    return ", ".join(f"{sql} AS c{place}" for place, (sql, _) in enumerate(outputs, 1))


class Clauses(Sources):
    def outputs(self, source, most=3, kinds=KINDS):
        """Expressions that a query gives, with their kinds."""
        dice, expressions = self.dice, self.expressions(source)
        outputs = []
        for _ in range(dice.randrange(1, most + 1)):
            kind = dice.choice(kinds)
            column = expressions.column(kind)
            if column and dice.random() < 0.45:
                outputs.append((column.sql, kind))
            else:
                outputs.append((expressions.value(kind, dice.choice((1, 1, 2))), kind))
        return outputs

    def order(self, terms):
        dice = self.dice
        if dice.random() < 0.4:
            return " ORDER BY " + ", ".join(f"{term} NULLS LAST" for term in terms)
        ways = [
            f"{term} {dice.choice(('ASC', 'ASC', 'DESC'))} NULLS {dice.choice(('FIRST', 'LAST'))}"
            for term in terms
        ]
        return " ORDER BY " + ", ".join(ways)

    def where(self, source, chance=0.75):
        if self.dice.random() > chance:
            return ""
        return f" WHERE {self.condition(replace(source, columns=source.certain or source.columns))}"

    def condition(self, source):
        dice = self.dice
        count, word = dice.choice((1, 1, 1, 2)), dice.choice(("AND", "AND", "OR"))
        has_to_hold = word == "AND" or count == 1
        conditions = [
            self.of_subquery(source, has_to_hold) if dice.random() < 0.2 else self.plain(source)
            for _ in range(count)
        ]
        return f" {word} ".join(f"({condition})" for condition in conditions)

    def plain(self, source):
        """Without a subquery; often of what decides what is read."""
        dice, expressions = self.dice, self.expressions(source)
        columns = [column for column in map(source.column, READ_BY) if column]
        if columns and dice.random() < 0.4:
            return expressions.of_column(dice.choice(columns))
        return expressions.condition(dice.choice((0, 1, 1, 2)))

    def of_subquery(self, source, has_to_hold):
        """Condition with a subquery over a table, correlated or not."""
        dice = self.dice
        inner = self.table(as_of=False)
        condition = self.plain(inner) if dice.random() < 0.7 else "TRUE"
        if at := inner.column("polled_at"):
            # Many rows that are alike cost a join much, and these are all joins.
            few = dice.choice(self.pools[INSTANT])
            condition = f"{at.sql} BETWEEN {few} AND {few} + INTERVAL '3 hours' AND ({condition})"
        related = self.correlated(source, inner)
        chosen = dice.random()
        if related and chosen < 0.3:
            word = dice.choice(("EXISTS", "NOT EXISTS"))
            return f"{word} (SELECT 1 FROM {inner.sql} WHERE {related} AND ({condition}))"
        pairs = [
            (outer.sql, column.sql, column.kind)
            for outer in source.columns
            for column in inner.columns
            if outer.kind == column.kind and outer.kind not in (BOOL, REAL)
        ]
        if not pairs:
            return self.plain(source)
        outer, column, kind = dice.choice(pairs)
        if chosen < 0.65:
            return self.among(outer, column, (inner.sql, condition), has_to_hold)
        if chosen < 0.75 and kind == INT:
            word = dice.choice(("= ANY", "> ANY", ">= ALL", "<> ALL"))
            return f"{outer} {word} (SELECT {column} FROM {inner.sql} WHERE {condition})"
        if related and dice.random() < 0.5:
            condition = f"{related} AND ({condition})"
        of_all = (
            f"(SELECT {dice.choice(('min', 'max'))}({column}) FROM {inner.sql} WHERE {condition})"
        )
        return f"{outer} {dice.choice(COMPARISONS)} {of_all}"

    def among(self, outer, column, inner, has_to_hold):
        """IN or NOT IN. Beside OR nothing is null: DataFusion takes unknown for true there."""
        table, condition = inner
        word = self.dice.choice(("IN", "IN", "NOT IN"))
        if word == "NOT IN" and not has_to_hold:
            among = f"(SELECT {column} FROM {table} WHERE {column} IS NOT NULL AND ({condition}))"
            return f"{outer} IS NOT NULL AND {outer} NOT IN {among}"
        return f"{outer} {word} (SELECT {column} FROM {table} WHERE {condition})"

    def correlated(self, source, inner):
        pairs = [(inner.column(name), source.column(name)) for name in RELATED_BY]
        pairs = [f"{one.sql} = {other.sql}" for one, other in pairs if one and other]
        return self.dice.choice(pairs) if pairs else None

    def scalar_subquery(self, source):
        """A value for each row from another table, and its kind."""
        inner = self.table(as_of=False)
        related = self.correlated(source, inner) or "TRUE"
        expressions = self.expressions(inner)
        kind = self.dice.choice((INT, INSTANT, TEXT, DATE))
        column = expressions.column(kind)
        fold = f"{self.dice.choice(('min', 'max'))}({column.sql})" if column else "count(*)"
        where = f"{related} AND ({expressions.condition(1)})"
        return f"(SELECT {fold} FROM {inner.sql} WHERE {where})", kind if column else INT
