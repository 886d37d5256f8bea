"""Expressions from a table of forms, as trees, so that those that fail can be made smaller."""

import itertools
import re
from dataclasses import dataclass
from pathlib import Path

PLACE = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class Node:
    """An expression: a form, and the expressions that stand in it."""

    name: str
    kind: str
    form: str
    parts: tuple = ()

    @property
    def sql(self):
        parts = iter(self.parts)
        return PLACE.sub(lambda _: next(parts).sql, self.form)

    def inner(self):
        """All expressions within this one, the smallest first, and itself."""
        for part in self.parts:
            yield from part.inner()
        yield self


@dataclass(frozen=True)
class Form:
    name: str
    form: str
    kinds: tuple


def read_forms(folder=Path(__file__).with_name("forms_of")):
    """Forms of each kind, literals apart: both by kind."""
    literals, forms = {}, {}
    lines = [path.read_text().splitlines() for path in sorted(folder.glob("*.txt"))]
    for line in itertools.chain(*lines):
        if not line or line.startswith("#"):
            continue
        kind, name, form = line[:12].strip(), line[12:36].strip(), line[36:]
        among = literals if name == "literal" else forms
        among.setdefault(kind, []).append(Form(name, form, tuple(PLACE.findall(form))))
    return literals, forms


class Expressions:
    """Expressions from a die; `columns` are those in reach, as nodes by kind."""

    def __init__(self, dice):
        self.dice = dice
        self.literals, self.forms = read_forms()
        self.columns = {}

    def leaf(self, kind):
        columns = self.columns.get(kind)
        if columns and self.dice.random() < 0.7:
            return self.dice.choice(columns)
        literals = self.literals.get(kind)
        if not literals:
            return self.of_form(self.dice.choice(self.forms[kind]), kind, 0)
        form = self.dice.choice(literals)
        return Node(form.name, kind, form.form)

    def value(self, kind, depth):
        if depth <= 0 or kind not in self.forms:
            return self.leaf(kind)
        return self.of_form(self.dice.choice(self.forms[kind]), kind, depth)

    def of_form(self, form, kind, depth):
        shallow = [depth - 1 if self.dice.random() < 0.5 else 0 for _ in form.kinds]
        parts = tuple(map(self.value, form.kinds, shallow))
        return Node(form.name, kind, form.form, parts)
