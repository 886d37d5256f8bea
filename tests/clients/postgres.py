"""Asks a PostgreSQL and uptally, by each of its entry points, the questions of `questions`.

Rows are the same, in order where one is asked for; kinds of columns too, where an entry point tells
them, and the names of columns that have an alias or are plain; what PostgreSQL refuses is refused.
`documented.sql` has the questions on which the two differ, each with why, and they have to differ.

    postgres.py UPTALLY [--only TEXT] [FILE.sql …]
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
import warnings
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import adbc_driver_flightsql.dbapi as flightsql

import postgres_server
from asked import Command, Flight, Http, Wire
from refusals import check_that_faults_are_found, fault
from serving import serving
from values import check_that_values_are_told_apart, same_rows

QUESTIONS = Path(__file__).with_name("questions")
DOCUMENTED = "documented.sql"
QUESTIONS_MIN = 150
THREADS = 2
# What stands where parentheses stood.
CALLED = "¤"
# Names that PostgreSQL makes of keywords.
KEYWORDS = ("case", "array", "exists", "interval", "date", "time", "timestamp", "timestamptz")
OF_ENGINE = ("Int64(", "Float64(", "Utf8(", "Boolean(", "IntervalMonthDayNano")
# How differences begin that no reason excuses.
FAULTS = ("unclear", "status", "SQLSTATE")


@dataclass(frozen=True)
class Question:
    file: str
    line: int
    sql: str
    # The comment right above it.
    comment: str = ""

    @property
    def is_ordered(self):
        outside = self.sql
        while (less := re.sub(r"\([^()]*\)", "", outside)) != outside:
            outside = less
        return " ORDER BY " in outside

    @property
    def is_documented(self):
        return self.file == DOCUMENTED


def read(path):
    """Questions of a file: each ends with `;` at the end of a line."""
    lines, comment = [], []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if line.startswith("--"):
            comment.append(line.removeprefix("--").strip())
        elif line:
            lines.append(line)
            if line.endswith(";"):
                sql = "\n".join(lines).removesuffix(";")
                yield Question(path.name, number - len(lines) + 1, sql, " ".join(comment))
                lines, comment = [], []
        else:
            comment = []


class EntryPoints:
    """Ways to ask one uptally, which several threads do not share."""

    def __init__(self, uptally, folder, urls, until_the_end):
        postgres, flight, http = urls
        address, port = postgres.removeprefix("postgres://").rsplit(":", 1)
        wire = Wire(f"host={address} port={port} user=ann dbname=uptally")
        until_the_end.callback(wire.close)
        connection = until_the_end.enter_context(flightsql.connect(flight, autocommit=True))
        cursor = until_the_end.enter_context(connection.cursor())
        self.typed = {"PostgreSQL protocol": wire, "Flight SQL": Flight(cursor)}
        self.untyped = {"HTTP": Http(http), "uptally sql": Command(uptally, folder)}

    def ask(self, sql, expected):
        answers = {name: way.ask(sql) for name, way in self.typed.items()}
        return answers | {name: way.ask(sql, expected.kinds) for name, way in self.untyped.items()}


def difference(question, name, found, expected):
    """Difference between the answer of an entry point and PostgreSQL's; `None` without one."""
    if found.is_refused or expected.is_refused:
        return difference_of_refusals(name, found, expected)
    is_json, is_csv = name == "HTTP", name == "uptally sql"
    rows = as_written(expected.rows, is_json, is_csv)
    if not same_rows(found.rows, rows, question.is_ordered):
        return "other rows"
    if not (is_json and not rows) and not are_names(question, found.names, expected.names):
        return f"other names, {found.names}"
    typed = [kinds for kinds in zip(found.kinds, expected.kinds) if kinds[0] != "null"]
    is_typed = not is_json and not is_csv
    if is_typed and any(one != other for one, other in typed):
        return f"other types, {found.kinds}"
    return None


def are_names(question, found, expected):
    """True if aliased and plain columns have the same names.

    Others are named after their SQL text, see `documented.sql`, never by engine terms.
    """
    if question.is_documented or len(found) != len(expected):
        return found == expected
    if any(word in name for name in found for word in OF_ENGINE):
        return False
    pairs = zip(found, expected)
    return all(one == other or not is_named(question.sql, other) for one, other in pairs)


def is_named(sql, name):
    """True if the select list contains the name, as a column or an alias."""
    while (outside := re.sub(r"\([^()]*\)", CALLED, sql)) != sql:
        sql = outside
    listed = sql.split(" FROM ")[0]
    name = re.escape(name)
    word = rf'(?<![\w:"]){name}(?![\w:\["])(?!\s*[{CALLED}\'])'
    is_quoted = re.search(rf'"{name}"', listed) is not None
    is_there = is_quoted or re.search(word, listed, re.IGNORECASE) is not None
    has_all = re.search(r"[\s.]\*\s*(,|$)", listed) is not None
    return has_all or (is_there and name not in KEYWORDS)


def difference_of_refusals(name, found, expected):
    if found.is_refused and (wrong := fault_of(name, found)):
        return wrong
    if found.is_refused != expected.is_refused:
        return "refused" if found.is_refused else "not refused"
    if name == "PostgreSQL protocol" and found.code[:2] != expected.code[:2]:
        return f"another SQLSTATE, {found.code}"
    return None


def fault_of(name, found):
    """Defect of an error message, whatever its subject."""
    if name == "HTTP" and not found.code.startswith("4"):
        return f"status {found.code}"
    if name == "PostgreSQL protocol" and found.code.startswith("XX"):
        return f"SQLSTATE {found.code}"
    # The driver puts words of its own around what the server says.
    told = re.sub(r"^[A-Z_]+: (\[FlightSQL\] )?|\s*\(\w+; .*\)$", "", found.told, flags=re.DOTALL)
    wrong = fault(told if name == "Flight SQL" else found.told)
    return f"unclear, {wrong}" if wrong else None


def as_written(rows, is_json, is_csv):
    """Rows as a format has them: JSON not what is not finite, CSV no empty text beside NULL."""

    def written(value):
        if value and is_csv and value[0] == "text[]":
            return value[0], tuple(map(written, value[1]))
        if value and is_json and value[0] == "number" and isinstance(value[1], float):
            return None
        return None if is_csv and value == ("text", "") else value

    return [tuple(map(written, row)) for row in rows]


def asked(question, postgres, entry_points):
    """Differences of a query as text by entry point, and all answers."""
    expected = postgres.ask(question.sql)
    answers = entry_points.ask(question.sql, expected)
    found = {
        name: told
        for name, answer in answers.items()
        if (told := difference(question, name, answer, expected))
    }
    return question, found, {"PostgreSQL": expected, **answers}


def in_threads(questions, postgres, options, folder, urls):
    def ask(share):
        with ExitStack() as until_the_end:
            reference = Wire(postgres)
            until_the_end.callback(reference.close)
            entry_points = EntryPoints(options.uptally, folder, urls, until_the_end)
            return [asked(question, reference, entry_points) for question in share]

    shares = [questions[at::THREADS] for at in range(THREADS)]
    with ThreadPoolExecutor(THREADS) as threads:
        outcomes = [outcome for outcomes in threads.map(ask, shares) for outcome in outcomes]
    return sorted(outcomes, key=lambda outcome: (outcome[0].file, outcome[0].line))


def print_difference(question, found, answers):
    print(f"{question.file}, line {question.line}: {question.sql}")
    for name, answer in answers.items():
        print(f"    {name:<19} {answer}" + (f"   <- {found[name]}" if name in found else ""))


def summed_up(outcomes, seconds):
    """Says what came of all; the exit code."""
    wrong = 0
    refused = Counter()
    for question, found, answers in outcomes:
        if question.is_documented:
            faults = [told for told in found.values() if told.startswith(FAULTS)]
            if found and question.comment and not faults:
                continue
            if not found:
                found = {"PostgreSQL": "documented as a difference, and there is none"}
        if found:
            wrong += 1
            refused["refused" if "refused" in found.values() else "different"] += 1
            print_difference(question, found, answers)
    plain = [question for question, _, _ in outcomes if not question.is_documented]
    print(
        f"PostgreSQL: {len(plain)} questions through four entry points, and "
        f"{len(outcomes) - len(plain)} documented differences; {wrong} are not as they should be "
        f"({refused['refused']} of them refused); {seconds:.0f} s"
    )
    return 1 if wrong else 0


def main():
    # That nothing is committed, which there is nothing of.
    warnings.filterwarnings("ignore", "Cannot disable autocommit")
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("uptally", type=os.path.abspath)
    parser.add_argument("files", nargs="*", type=Path, help="of questions; all by default")
    parser.add_argument("--only", metavar="TEXT", help="asks the questions alone that have this")
    options = parser.parse_args()
    started_at = time.monotonic()
    check_that_faults_are_found()
    check_that_values_are_told_apart()
    files = options.files or sorted(QUESTIONS.glob("*.sql"))
    questions = [question for file in files for question in read(file)]
    if options.only:
        questions = [question for question in questions if options.only in question.sql]
    elif not options.files:
        assert len(questions) >= QUESTIONS_MIN, len(questions)
    with ExitStack() as until_the_end:
        folder = until_the_end.enter_context(tempfile.TemporaryDirectory())
        load = [options.uptally, "ingest", "--data", folder, "data/sample"]
        subprocess.run(load, check=True, capture_output=True)
        postgres = until_the_end.enter_context(postgres_server.running())
        postgres_server.load(postgres, options.uptally, folder)
        listeners = ["postgres", "flight", "http"]
        urls = until_the_end.enter_context(serving(options.uptally, folder, listeners))
        outcomes = in_threads(questions, postgres, options, folder, urls)
    return summed_up(outcomes, time.monotonic() - started_at)


if __name__ == "__main__":
    sys.exit(main())
