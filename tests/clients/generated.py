"""Asks uptally and DuckDB the same generated queries over the same Parquet, compares the answers.

Two chains (`chains`) are loaded and served by Arrow Flight SQL; DuckDB opens the files that their
logs name (`same_files`). The queries (`grammar`, of `literals`) come from a seed, each asked of one
of the chains, and the answers are compared (`answers`).

    generated.py UPTALLY [--seed N] [--queries N] [--only NUMBER] [--stores N]
"""

import argparse
import os
import random
import sys
import tempfile
import time
import warnings
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass

import adbc_driver_flightsql.dbapi as flightsql

import same_files
from answers import check_that_differences_are_told, first_difference, rows_of
from chains import chains
from grammar.queries import Queries, Question
from literals import pools_of, tables_of
from serving import serving

# The least that has to come out the same, and the share of it that has to have rows.
SAME_MIN = 2_000
WITH_ROWS_MIN = 2 / 3
REFUSED_BY_BOTH_MAX = 5
# Of one outcome and chain; the rest is counted.
PRINTED_MAX = 10
# Beyond any query here, on however slow a machine.
LIMITS = ("--sql-time", "5m", "--sql-rows", "10000000")

COLUMNS = """
    SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = '{}'
    ORDER BY table_name, ordinal_position
"""


@dataclass
class Sides:
    """A chain: who serves it, and its files in DuckDB."""

    name: str
    cursor: object
    database: object

    def of_uptally(self, sql):
        self.cursor.execute(sql)
        return rows_of(self.cursor.fetch_arrow_table())

    def of_duckdb(self, sql):
        return rows_of(self.database.sql(sql).to_arrow_table())

    def check_columns(self):
        """The same tables with the same columns are on both sides."""
        served, opened = self.of_uptally(COLUMNS.format("public")), self.of_duckdb(
            COLUMNS.format("main")
        )
        served, opened = (
            [row for row in rows if row[0] in same_files.TABLES] for rows in (served, opened)
        )
        assert served == opened, (served, opened)
        assert {table for table, _ in served} == set(same_files.TABLES), served

    def asked(self, question):
        """Outcome of a query: a word, and details."""
        found, told = answered(self.of_uptally, question.of_uptally())
        expected, told_by_duckdb = answered(self.of_duckdb, question.of_duckdb())
        if found is None or expected is None:
            outcome = "refused" if found is expected else "different"
            return outcome, f"uptally: {told}\n  DuckDB: {told_by_duckdb}"
        if difference := first_difference(question, found, expected):
            return "different", difference
        return ("same" if found else "without rows"), ""


def answered(ask, sql):
    try:
        return ask(sql), "answers"
    except Exception as error:  # of the many that drivers raise, each is an answer as well
        return None, " ".join(str(error).split())[:600]


def opened(uptally, name, folder, until_the_end):
    (url,) = until_the_end.enter_context(serving(uptally, folder, ["flight"], *LIMITS))
    connection = until_the_end.enter_context(flightsql.connect(url, autocommit=True))
    cursor = until_the_end.enter_context(connection.cursor())
    return Sides(name, cursor, same_files.opened(folder))


def questions(made, seed, count):
    """Literals for both chains, from the data of the second."""
    database = made[-1].database
    versions = min(
        sides.database.sql("SELECT max(version) FROM loads").fetchall()[0][0] for sides in made
    )
    tables = tables_of(database, versions)
    return list(
        enumerate(Queries(random.Random(seed), tables, pools_of(tables)).questions(count), 1)
    )


def ask(seed, sides, numbered):
    """Counts outcomes and prints unexpected ones."""
    outcomes = Counter()
    for number, question in numbered:
        outcome, told = sides.asked(question)
        outcomes[outcome] += 1
        if told and outcomes[outcome] <= PRINTED_MAX:
            what = f"--seed {seed}, query {number}, chain {sides.name}: {outcome}"
            print(f"{what}\n  {question.of_uptally()}\n  {told}", flush=True)
    return outcomes


def summed_up(outcomes, asked, seconds):
    """Prints a summary; returns the exit code."""
    same = outcomes["same"] + outcomes["without rows"]
    print(
        f"generated: {same} of {asked} queries gave what DuckDB gives on the same files, "
        f"{outcomes['same']} of them rows; {outcomes['different']} differed, "
        f"{outcomes['refused']} were refused by both; {seconds:.0f} s"
    )
    is_as_asked = (
        same >= min(SAME_MIN, asked)
        and outcomes["same"] >= WITH_ROWS_MIN * same
        and outcomes["refused"] <= REFUSED_BY_BOTH_MAX
    )
    return 0 if is_as_asked and not outcomes["different"] else 1


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("uptally", type=os.path.abspath)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--queries", type=int, default=2_020)
    parser.add_argument("--only", type=int, metavar="NUMBER", help="asks this query alone")
    parser.add_argument("--stores", type=int, default=25, help="of each chain")
    options = parser.parse_args()
    # That nothing is committed, which there is nothing of.
    warnings.filterwarnings("ignore", "Cannot disable autocommit")
    started_at = time.monotonic()
    check_that_differences_are_told(Question)
    with tempfile.TemporaryDirectory() as place, ExitStack() as until_the_end:
        made = chains(options.uptally, place, options.seed, options.stores)
        made = [opened(options.uptally, name, folder, until_the_end) for name, folder in made]
        for sides in made:
            sides.check_columns()
        numbered = questions(made, options.seed, options.queries)
        if options.only:
            numbered = [numbered[options.only - 1]]
        of_each = [
            [one for one in numbered if one[0] % len(made) == place] for place in range(len(made))
        ]
        with ThreadPoolExecutor(len(made)) as threads:
            outcomes = sum(
                threads.map(lambda each: ask(options.seed, *each), zip(made, of_each)), Counter()
            )
    return summed_up(outcomes, len(numbered), time.monotonic() - started_at)


if __name__ == "__main__":
    sys.exit(main())
