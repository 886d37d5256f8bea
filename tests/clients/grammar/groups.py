"""Queries that group rows, or fold all of them into one."""

import re

from grammar.clauses import Clauses, selected
from grammar.expressions import BOOL, COMPARISONS, DATE, INSTANT, INT, KINDS, REAL, TEXT
from grammar.sources import Select


class Groups(Clauses):
    def fold(self, source):
        """An aggregate over the source, and its kind."""
        dice, expressions = self.dice, self.expressions(source)
        sql, kind = dice.choice(
            (self.fold_to_int, self.fold_to_int, self.fold_to_real, self.fold_to_any)
        )(source)
        if dice.random() < 0.25:
            sql += f" FILTER (WHERE {expressions.condition(1)})"
        return sql, kind

    def folded(self, source, kind):
        """Argument of an aggregate; not a cast, which DataFusion confuses with its operand."""
        values = (self.expressions(source).value(kind, 1) for _ in range(9))
        return next((value for value in values if value[:5] != "CAST("), self.pools[kind][0])

    def fold_to_int(self, source):
        dice = self.dice
        any_kind, number = self.folded(source, dice.choice(KINDS)), self.folded(source, INT)
        discrete = self.folded(source, dice.choice((INT, TEXT, DATE, INSTANT)))
        forms = (
            "count(*)",
            f"count({any_kind})",
            f"count(DISTINCT {discrete})",
            f"count(DISTINCT {dice.choice(source.columns).sql})",
            f"sum({number})",
            f"sum(DISTINCT {number})",
        )
        return dice.choice(forms), INT

    def fold_to_real(self, source):
        number, real = self.folded(source, INT), self.folded(source, REAL)
        forms = (
            "avg({0})",
            "avg({1})",
            "sum({1})",
            "stddev_samp({0})",
            "stddev_pop({0})",
            "var_pop({0})",
        )
        return self.dice.choice(forms).format(number, real), REAL

    def fold_to_any(self, source):
        dice = self.dice
        text = self.expressions(source).column(TEXT)
        if text and dice.random() < 0.15:
            return f"string_agg({text.sql}, '|' ORDER BY {text.sql} NULLS LAST)", TEXT
        if dice.random() < 0.15:
            return f"{dice.choice(('bool_and', 'bool_or'))}({self.folded(source, BOOL)})", BOOL
        kind = dice.choice((INT, TEXT, INSTANT, DATE))
        value = self.folded(source, kind)
        if source.keys and dice.random() < 0.4:
            return f"{dice.choice(('{first}', '{last}'))}({value}{self.order(source.keys)})", kind
        return f"{dice.choice(('min', 'max'))}({value})", kind

    def group_keys(self, source, most=3):
        """Expressions to group by with their kinds, each of some column, no two alike."""
        dice, expressions = self.dice, self.expressions(source)
        usual = [
            column for column in map(source.column, ("store_id", "store_no", "polled_on")) if column
        ]
        keys = {}
        for _ in range(dice.randrange(1, most + 1)):
            column = dice.choice(
                [column for column in source.columns if column.kind != REAL] or [None]
            )
            if usual and dice.random() < 0.5:
                column = dice.choice(usual)
            elif column and dice.random() < 0.5:
                value = expressions.value(column.kind, 1)
                # DataFusion takes a column and a cast of it for the same name.
                if any(each.sql in value for each in source.columns) and value[:5] != "CAST(":
                    keys[value] = column.kind
                    continue
            if column:
                keys[column.sql] = column.kind
        return list(keys.items())

    def grouped(self, source, is_read_on=False):
        """A query by groups, its keys first. One that others read has keys: DataFusion folds what is
        folded of no rows to the wrong column.
        """
        dice = self.dice
        keys = self.group_keys(source) if is_read_on or dice.random() < 0.85 else []
        folds = [self.fold(source) for _ in range(dice.choice((1, 1, 2, 3)))]
        # DataFusion folds in one order alone.
        folds = [
            fold for place, fold in enumerate(folds) if not place or "string_agg" not in fold[0]
        ]
        names = [sql for sql, _ in keys]
        by, told_apart_by = "", tuple(f"c{place}" for place in range(1, len(keys) + 1))
        # DataFusion does not find its way back from `grouping` to an expression that it changed.
        are_columns = all(re.fullmatch(r'[\w."]+', name) for name in names)
        if keys and are_columns and not is_read_on and dice.random() < 0.3:
            by = f" GROUP BY {self.grouping_sets(names)}"
            folds.append((f"grouping({', '.join(names)})", INT))
            # No order: DataFusion forgets, of a key that is the same in all rows, that the sets
            # without it give null.
            told_apart_by = ()
        elif keys:
            places = map(str, range(1, len(keys) + 1))
            by = f" GROUP BY {', '.join(places if dice.random() < 0.3 else names)}"
        if keys and dice.random() < 0.15:
            fold, kind = self.fold_to_int(source)
            by += f" HAVING {fold} {dice.choice(COMPARISONS)} {dice.choice(self.pools[kind])}"
        outputs = keys + folds
        sql = f"SELECT {selected(outputs)} FROM {source.sql}{self.where(source, 0.6)}{by}"
        kinds = tuple(kind for _, kind in outputs)
        return Select(sql, kinds, told_apart_by, min(source.rows // 2 + 1, 2000))

    def grouping_sets(self, names):
        every = ", ".join(names)
        sets = (
            f"ROLLUP ({every})",
            f"CUBE ({every})",
            f"GROUPING SETS (({every}), ({names[-1]}), ())",
        )
        return self.dice.choice(sets)
