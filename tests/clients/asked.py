"""Runs a query on any system by any entry point; all return the same form of answer."""

import csv
import io
import json
import subprocess
import urllib.error
import urllib.request
from dataclasses import dataclass, field

import psycopg
from psycopg.pq import DiagnosticField, ExecStatus

import values


@dataclass
class Answer:
    """Rows of values with the kinds and names of columns, or what was said instead."""

    rows: list = None
    kinds: list = field(default_factory=list)
    names: list = field(default_factory=list)
    # Of a refusal: SQLSTATE, or the status of HTTP, where there is one.
    code: str = ""
    told: str = ""

    @property
    def is_refused(self):
        return self.rows is None

    def __str__(self):
        if self.is_refused:
            return f"refused ({self.code}): {' '.join(self.told.split())[:300]}"
        shown = [f"({', '.join(map(text_of, row))})" for row in self.rows[:4]]
        more = f" … {len(self.rows)} rows" if len(self.rows) > 4 else ""
        columns = ", ".join(map(" ".join, zip(self.names, self.kinds)))
        return f"[{columns}] {' '.join(shown)}{more}"


def text_of(value):
    if value is None:
        return "NULL"
    kind, of_kind = value
    if kind.endswith("[]"):
        return "{" + ", ".join(map(text_of, of_kind)) + "}"
    if kind == "interval":
        months, micros = of_kind
        return f"{months} months {micros} µs" if months else f"{micros} µs"
    if isinstance(of_kind, tuple):
        year, month, day, hour, minute, second, micros = of_kind
        clock = f" {hour:02}:{minute:02}:{second:02}.{micros:06}"
        return f"{year:04}-{month:02}-{day:02}" + ("" if kind == "date" else clock)
    return str(of_kind)


class Wire:
    """Runs by the PostgreSQL protocol in text format, on PostgreSQL or uptally."""

    def __init__(self, parameters):
        self.parameters = parameters
        self.connection = psycopg.connect(parameters, autocommit=True)

    def close(self):
        self.connection.close()

    def ask(self, sql):
        result = self.connection.pgconn.exec_(sql.encode())
        if result.status != ExecStatus.TUPLES_OK:
            code = result.error_field(DiagnosticField.SQLSTATE) or b""
            told = result.error_field(DiagnosticField.MESSAGE_PRIMARY) or result.error_message
            return Answer(code=code.decode(), told=told.decode())
        columns = range(result.nfields)
        kinds = [values.KINDS.get(result.ftype(at), str(result.ftype(at))) for at in columns]
        names = [result.fname(at).decode() for at in columns]
        rows = []
        for row in range(result.ntuples):
            texts = [result.get_value(row, at) for at in columns]
            texts = [text if text is None else text.decode() for text in texts]
            rows.append(tuple(map(values.from_text, kinds, texts)))
        return Answer(rows, kinds, names)


class DuckDB:
    def __init__(self, database):
        self.database = database

    def ask(self, sql):
        try:
            table = self.database.sql(sql).to_arrow_table()
        except Exception as error:  # of many kinds, each says why
            return Answer(told=str(error))
        rows, kinds = values.from_arrow(table)
        return Answer(rows, kinds, table.column_names)


class Flight:
    """Runs by Flight SQL, on an ADBC cursor."""

    def __init__(self, cursor):
        self.cursor = cursor

    def ask(self, sql):
        try:
            self.cursor.execute(sql)
            table = self.cursor.fetch_arrow_table()
        except Exception as error:  # of many kinds, each says why
            code = getattr(error, "status_code", "")
            return Answer(code=getattr(code, "name", str(code)), told=str(error))
        rows, kinds = values.from_arrow(table)
        return Answer(rows, kinds, table.column_names)


class Http:
    """Runs by `POST /v1/sql` in JSON, which has no types: `kinds` come from another answer."""

    def __init__(self, url):
        self.url = f"{url}/v1/sql"

    def ask(self, sql, kinds=()):
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        request = urllib.request.Request(self.url, json.dumps({"sql": sql}).encode(), headers)
        try:
            with urllib.request.urlopen(request) as answer:
                return from_json(answer.read().decode(), kinds)
        except urllib.error.HTTPError as error:
            return Answer(code=str(error.code), told=json.load(error)["detail"])


class Command:
    """Runs by `uptally sql` in CSV, which has no types: `kinds` come from another answer."""

    def __init__(self, uptally, folder):
        self.words = [uptally, "sql", "--data", folder, "--format", "csv"]

    def ask(self, sql, kinds=()):
        done = subprocess.run([*self.words, sql], capture_output=True, text=True)
        if done.returncode != 0:
            return Answer(code=str(done.returncode), told=done.stderr.removeprefix("uptally: "))
        return from_csv(done.stdout, kinds)


def from_json(text, kinds):
    # In pairs, as columns may be called alike.
    objects = json.loads(text, object_pairs_hook=list, parse_float=str, parse_int=str)
    names = [name for name, _ in objects[0]] if objects else []
    kinds = list(kinds) if len(kinds) == len(names) else ["text"] * len(names)
    rows = [
        tuple(from_untyped(kind, value) for kind, (_, value) in zip(kinds, pairs))
        for pairs in objects
    ]
    return Answer(rows, kinds, names)


def from_csv(text, kinds):
    """An empty field is NULL, as the reader does not tell it from empty text."""
    names, *lines = csv.reader(io.StringIO(text))
    kinds = list(kinds) if len(kinds) == len(names) else ["text"] * len(names)
    # An empty line is one empty field.
    rows = [tuple(map(from_field, kinds, line or [""])) for line in lines]
    return Answer(rows, kinds, names)


def from_field(kind, field):
    if kind.endswith("[]") and field.startswith("["):
        items = field[1:-1].split(", ") if field != "[]" else []
        return from_untyped(kind, [item or None for item in items])
    return from_untyped(kind, field or None)


def from_untyped(kind, value):
    if value is None:
        return None
    if kind.endswith("[]") and isinstance(value, list):
        return (kind, tuple(from_untyped(kind[:-2], item) for item in value))
    try:
        return values.from_text(kind, str(value))
    except (ValueError, ArithmeticError):
        return ("not " + kind, str(value))
