"""Statements from tables of forms: of expressions (`forms`) over values, and over tables.

Literals are few and close to each other, so that comparisons, joins, groups and set operations find
something. Every statement settles what its answer is, and in which order if that is asked for.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from grammar.forms import PLACE, Expressions, Form, Node

# Of the rows of values: names and kinds of columns, and what they hold, each cast in the first row.
COLUMNS = {
    "n": ("int", "1 2 2 3 7 -3 NULL".split()),
    "r": ("numeric", "1 2.5 2.50 -2.5 0.1 3 NULL".split()),
    "w": ("text", ["'a'", "'b c'", "'abc'", "''", "NULL"]),
    "d": ("date", ["DATE '2023-01-24'", "DATE '2023-01-25'", "DATE '2024-02-29'", "NULL"]),
    "t": (
        "timestamp",
        [
            "TIMESTAMP '2023-01-24 00:00:00'",
            "TIMESTAMP '2023-01-24 09:30:00'",
            "TIMESTAMP '2023-01-25 18:15:30.25'",
            "NULL",
        ],
    ),
    "z": (
        "timestamptz",
        [
            "TIMESTAMPTZ '2023-01-24 00:00:00+00'",
            "TIMESTAMPTZ '2023-01-24 09:30:00+02'",
            "TIMESTAMPTZ '2023-03-12 08:00:00.5+00'",
            "NULL",
        ],
    ),
    "l": (
        "interval",
        [
            "INTERVAL '1 day'",
            "INTERVAL '24 hours'",
            "INTERVAL '36 hours'",
            "INTERVAL '1 month'",
            "INTERVAL '30 days'",
            "INTERVAL '2 hours'",
            "NULL",
        ],
    ),
    "b": ("bool", ["true", "false", "NULL"]),
}
TYPES = {"bool": "boolean"}

# Tables as sources: the key, and expressions of kinds.
STORES = {
    "key": "v.store_no",
    "int": ["v.store_no", "v.polls::int"],
    "big": ["v.polls"],
    "text": ["v.time_zone"],
    "timestamptz": ["v.first_polled_at", "v.last_polled_at"],
    "date": ["v.first_polled_at::date"],
    "interval": ["(v.last_polled_at - v.first_polled_at)"],
    "bool": ["v.uses_default_hours"],
}
HOURS = {
    "key": "(v.store_no * 1000000 + v.day_of_week * 100000 + v.start_local_s)",
    "int": ["v.store_no", "v.day_of_week", "v.start_local_s", "v.end_local_s"],
}
TABLES = {"stores AS v": STORES, "business_hours AS v": HOURS}


@dataclass(frozen=True)
class Statement:
    """A statement with the source of its expressions, so that these can be asked by themselves."""

    node: Node
    source: str

    @property
    def sql(self):
        return self.node.sql

    @property
    def is_constant(self):
        """True for a single expression without rows."""
        return self.node.name == "expression" and len(self.node.parts) == 1 and not self.source

    @property
    def is_ordered(self):
        outside = self.node.form
        while (less := re.sub(r"\([^()]*\)", "", outside)) != outside:
            outside = less
        return " ORDER BY " in outside

    def smaller(self):
        """Its expressions as statements, the smallest first, and itself."""
        for part in self.node.parts:
            for node in part.inner():
                if node.kind not in ("from", "key"):
                    source = f" FROM {self.source}" if "v." in node.sql else ""
                    form = "SELECT {%s} AS c1%s" % (node.kind, source)
                    yield node, Statement(Node("expression", "statement", form, (node,)), "")
        yield self.node, self


def joined(statements):
    """Merges the expressions of several statements into one."""
    expressions = [statement.node.parts[0].sql for statement in statements]
    selected = [f"{sql} AS c{place}" for place, sql in enumerate(expressions, 1)]
    return f"SELECT {', '.join(selected)}"


def read_statements(path=Path(__file__).with_name("statements.txt")):
    lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
    return [
        Form(line[:24].strip(), line[24:], tuple(PLACE.findall(line[24:]))) for line in lines
    ]


class Statements:
    def __init__(self, dice):
        self.dice, self.expressions = dice, Expressions(dice)
        self.forms = read_statements()

    def statements(self, count):
        """So many, no two alike: of every form of expressions, then of those of statements."""
        made, tries = {}, 0
        for statement in self.of_expressions():
            made.setdefault(statement.sql, statement)
        while len(made) < count:
            statement = self.statement(self.forms[tries % len(self.forms)])
            made.setdefault(statement.sql, statement)
            tries += 1
        return list(made.values())[:count]

    def of_expressions(self):
        """Every form of expressions, of literals and of columns, small and less so."""
        for kind, forms in [*self.expressions.literals.items(), *self.expressions.forms.items()]:
            for form in forms:
                for depth in (0, 1):
                    yield self.of_expression(form, kind, depth, "SELECT {%s} AS c1")
                    of_rows = "SELECT {key} AS c1, {%s} AS c2 FROM {from}"
                    yield self.of_expression(form, kind, depth, of_rows)

    def of_expression(self, form, kind, depth, said):
        outer = Form("expression", said % kind, tuple(PLACE.findall(said % kind)))
        return self.statement(outer, lambda: self.expressions.of_form(form, kind, depth))

    def statement(self, form, expression=None):
        """A statement of the form, over values or a table; of values, what it names of them."""
        name, key, self.expressions.columns = self.source(form)
        parts = [self.part(kind, key, expression) for kind in form.kinds]
        said = " ".join([form.form, *(part.sql for part in parts if part)])
        source = name or self.rows("v", said)
        others = self.rows("u", said)
        for place, kind in enumerate(form.kinds):
            if parts[place] is None:
                parts[place] = Node("from", "from", others if kind == "others" else source)
        has_rows = "from" in form.kinds or "values" in form.kinds
        node = Node(form.name, "statement", form.form, tuple(parts))
        return Statement(node, source if has_rows else "")

    def part(self, kind, key, expression):
        if kind in ("from", "values", "others"):
            return None
        if kind == "key":
            return Node("key", "key", key)
        if expression:
            return expression()
        return self.expressions.value(kind, self.dice.choice((0, 0, 1, 1, 2)))

    def source(self, form):
        """A table or none, what tells its rows apart, and the columns in reach by kind."""
        if "from" not in form.kinds and "values" not in form.kinds:
            return "", "", {}
        if "values" not in form.kinds and self.dice.random() < 0.3:
            name, table = self.dice.choice(list(TABLES.items()))
            columns = {
                kind: [Node("column", kind, column) for column in said]
                for kind, said in table.items()
                if kind != "key"
            }
            return name, table["key"], columns
        columns = {kind: [Node("column", kind, f"v.{name}")] for name, (kind, _) in COLUMNS.items()}
        return "", "v.k", columns

    def rows(self, alias, said):
        """Rows of values, numbered, with the columns that a statement names."""
        dice = self.dice
        names = set(re.findall(rf"\b{alias}\.(\w)\b", said))
        if of_both := re.search(r"USING \(([^)]*)\)", said):
            names.update(of_both[1].split(", "))
        columns = {name: column for name, column in COLUMNS.items() if name in names}
        rows = []
        for place in range(1, dice.randrange(4, 9)):
            values = [dice.choice(held) for _, held in columns.values()]
            if not rows:
                kinds = [TYPES.get(kind, kind) for kind, _ in columns.values()]
                values = [f"CAST({value} AS {kind})" for value, kind in zip(values, kinds)]
            rows.append(f"({', '.join([str(place), *values])})")
        return f"(VALUES {', '.join(rows)}) AS {alias} ({', '.join(['k', *columns])})"
