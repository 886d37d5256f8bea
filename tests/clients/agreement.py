"""Asks PostgreSQL, DuckDB and uptally the same generated statements.

Where PostgreSQL and DuckDB agree, uptally answers the same, or refuses in one clear sentence.
Where both refuse for what a value is (an overflow, a division by zero), uptally does not answer.
Statements (`grammar.agreeing`) come from a seed, over values and over the tables of the sample.

    agreement.py UPTALLY [--seed N] [--statements N] [--only TEXT]
"""

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import duckdb

import postgres_server
from asked import DuckDB, Http, Wire
from grammar.agreeing import Statements, joined
from refusals import check_that_faults_are_found, fault
from serving import serving
from values import check_that_values_are_told_apart, same_rows

# The least on which the two references have to agree.
AGREED_MIN = 3_000
# As many at most are made smaller, of those that differ and of those that are refused.
SHRUNK_MAX = 150
# Expressions that are asked together: all of them alone where not all are as they should be.
TOGETHER = 15
THREADS = 2
# That a value is not what it may be, which no other reading of the statement makes better.
OF_VALUES = "22"


@dataclass(frozen=True)
class Outcome:
    """A word for what came of a statement, and the answers of all."""

    word: str
    ours: object = None
    postgres: object = None
    duckdb: object = None

    def __str__(self):
        answers = {"uptally": self.ours, "PostgreSQL": self.postgres, "DuckDB": self.duckdb}
        return "\n".join(f"    {name:<10} {answer}" for name, answer in answers.items())


class References:
    def __init__(self, postgres, database):
        self.postgres, self.duckdb = Wire(postgres), DuckDB(database)

    def ask(self, statement):
        """Common result of both; `disagree` if they differ."""
        one, other = self.postgres.ask(statement.sql), self.duckdb.ask(statement.sql)
        if one.is_refused or other.is_refused:
            both = one.is_refused and other.is_refused
            return Outcome("refuse" if both else "disagree", None, one, other)
        same = same_rows(one.rows, other.rows, statement.is_ordered)
        return Outcome("answer" if same else "disagree", None, one, other)


def compared(statement, agreed, ours):
    """Outcome of a statement on which the references agree."""
    word = "same"
    if agreed.word == "refuse":
        of_values = agreed.postgres.code.startswith(OF_VALUES)
        word = "different" if of_values and not ours.is_refused else "refused by all"
    elif ours.is_refused:
        word = "refused"
    elif not same_rows(ours.rows, agreed.postgres.rows, statement.is_ordered):
        word = "different"
    return Outcome(word, ours, agreed.postgres, agreed.duckdb)


def asked_in_threads(parameters, pairs):
    """Outcomes of statements on which the references agree, in their order."""
    alone = [pair for pair in pairs if not pair[0].is_constant or pair[1].word == "refuse"]
    constant = [pair for pair in pairs if pair[0].is_constant and pair[1].word == "answer"]
    groups = [constant[at : at + TOGETHER] for at in range(0, len(constant), TOGETHER)]
    groups += [[pair] for pair in alone]
    shares = [groups[at::THREADS] for at in range(THREADS)]

    def asked(share):
        uptally = Wire(parameters)
        return [outcome for group in share for outcome in asked_together(uptally, group)]

    with ThreadPoolExecutor(THREADS) as threads:
        return [outcome for outcomes in threads.map(asked, shares) for outcome in outcomes]


def asked_together(uptally, group):
    statements = [statement for statement, _ in group]
    if len(group) > 1:
        ours = uptally.ask(joined(statements))
        expected = tuple(agreed.postgres.rows[0][0] for _, agreed in group)
        if not ours.is_refused and same_rows(ours.rows, [expected], True):
            return [(one, compared(one, agreed, agreed.postgres)) for one, agreed in group]
    return [(one, compared(one, agreed, uptally.ask(one.sql))) for one, agreed in group]


def smallest(statement, outcome, references, uptally):
    """The smallest part of a statement of which the same comes, with that outcome."""
    for node, smaller in statement.smaller():
        agreed = references.ask(smaller)
        if agreed.word != "disagree":
            found = compared(smaller, agreed, uptally.ask(smaller.sql))
            if found.word == outcome.word:
                return node, smaller, found
    return statement.node, statement, outcome


def in_classes(outcomes, word, references, uptally):
    """The statements of which a word came by what is at fault in them, each with its smallest."""
    classes = defaultdict(list)
    left = SHRUNK_MAX
    for statement, outcome in outcomes:
        if outcome.word == word:
            node = statement.node
            if left:
                left -= 1
                node, statement, outcome = smallest(statement, outcome, references, uptally)
            classes[f"{node.name}: {node.form}"].append((statement, outcome))
    for found in classes.values():
        found.sort(key=lambda pair: len(pair[0].sql))
    return sorted(classes.items(), key=lambda item: -len(item[1]))


def print_differences(classes):
    for name, found in classes:
        statement, outcome = found[0]
        print(f"DIFFERENT, {len(found)} times, {name}\n    {statement.sql}\n{outcome}")


def print_refusals(classes):
    for name, found in classes:
        statement, outcome = found[0]
        print(f"refused, {len(found)} times, {name}\n    {statement.sql}\n    {outcome.ours}")


def unclear(outcomes, http):
    """Refusals that are no sentence for people, or a failure of the server: one of each text."""
    texts = {}
    for statement, outcome in outcomes:
        if outcome.ours.is_refused:
            texts.setdefault((outcome.ours.code, outcome.ours.told), statement.sql)
    for (code, told), sql in texts.items():
        wrong = fault(told)
        status = http.ask(sql).code
        if code.startswith("XX") or wrong or not status.startswith("4"):
            yield f"UNCLEAR ({code}, HTTP {status or 200}): {wrong}\n    {sql}\n    {told}"


def opened(parameters):
    """The tables of PostgreSQL in DuckDB, by CSV, with its own types for them."""
    database = duckdb.connect()
    database.execute("SET TimeZone = 'UTC'")
    database.execute("SET threads = 1")
    with Wire(parameters).connection as connection, tempfile.NamedTemporaryFile("wb") as rows:
        for table, columns in postgres_server.TABLES.items():
            rows.seek(0)
            rows.truncate()
            with connection.cursor().copy(f"COPY {table} TO STDOUT WITH (FORMAT csv)") as copy:
                rows.writelines(copy)
            rows.flush()
            database.execute(f"CREATE TABLE {table} ({columns})")
            database.execute(f"COPY {table} FROM '{rows.name}' (FORMAT csv, HEADER false)")
    return database


def run(options, folder, started_at):
    statements = Statements(random.Random(options.seed)).statements(options.statements)
    if options.only:
        statements = [statement for statement in statements if options.only in statement.sql]
    with postgres_server.running() as postgres:
        postgres_server.load(postgres, options.uptally, folder)
        references = References(postgres, opened(postgres))
        agreements = [(statement, references.ask(statement)) for statement in statements]
        pairs = [pair for pair in agreements if pair[1].word != "disagree"]
        with serving(options.uptally, folder, ["postgres", "http"], "--sql-time", "5m") as urls:
            address, port = urls[0].removeprefix("postgres://").rsplit(":", 1)
            parameters = f"host={address} port={port} user=ann dbname=uptally"
            outcomes = asked_in_threads(parameters, pairs)
            uptally = Wire(parameters)
            different = in_classes(outcomes, "different", references, uptally)
            refused = in_classes(outcomes, "refused", references, uptally)
            unclear_ones = list(unclear(outcomes, Http(urls[1])))
            uptally.close()
    print_refusals(refused)
    print_differences(different)
    print("\n".join(unclear_ones))
    words = Counter(outcome.word for _, outcome in outcomes)
    agreed = words["same"] + words["refused"] + words["different"]
    print(
        f"agreement: of {len(statements)} statements PostgreSQL and DuckDB agree on {agreed}; "
        f"{words['same']} are answered the same, {words['refused']} are refused in "
        f"{len(refused)} classes, {words['different']} DIFFER in {len(different)} classes; "
        f"{len(unclear_ones)} refusals are unclear; {words['refused by all']} are refused by all; "
        f"{time.monotonic() - started_at:.0f} s"
    )
    enough = options.only or agreed >= min(AGREED_MIN, 0.9 * len(statements))
    return 0 if enough and not different and not unclear_ones else 1


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("uptally", type=os.path.abspath)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--statements", type=int, default=4_000)
    parser.add_argument("--only", metavar="TEXT", help="asks the statements alone that have this")
    options = parser.parse_args()
    check_that_faults_are_found()
    check_that_values_are_told_apart()
    with tempfile.TemporaryDirectory() as folder:
        load = [options.uptally, "ingest", "--data", folder, "data/sample"]
        subprocess.run(load, check=True, capture_output=True)
        return run(options, folder, time.monotonic())


if __name__ == "__main__":
    sys.exit(main())
