"""Asks uptally and DuckDB the questions of `sql/`, in turns, and prints what each took."""

import json
import statistics
import sys
import time
from pathlib import Path

import adbc_driver_flightsql.dbapi as flightsql
import duckdb
import pyarrow

QUESTIONS = Path(__file__).resolve().parent / "sql"
TABLES = ("polls", "carried", "business_hours", "time_zones", "stores")


def live_files(table: Path) -> list[str]:
    """The files of a Delta table at its newest version."""
    live = {}
    for log in sorted((table / "_delta_log").glob("*.json")):
        for line in log.read_text().splitlines():
            action = json.loads(line)
            if "add" in action:
                live[action["add"]["path"]] = True
            elif "remove" in action:
                live.pop(action["remove"]["path"], None)
    return [str(table / path) for path in live]


def opened_duckdb(tables: Path) -> duckdb.DuckDBPyConnection:
    duck = duckdb.connect()
    duck.execute("SET TimeZone = 'UTC'")
    for table in TABLES:
        files = live_files(tables / table)
        name = "listed_stores" if table == "stores" else table
        duck.execute(f"CREATE VIEW {name} AS FROM read_parquet({files!r}, hive_partitioning = true)")
    duck.execute("""
        CREATE VIEW stores AS
        SELECT s.store_id, s.store_no, coalesce(z.time_zone, 'America/Chicago') AS time_zone
        FROM listed_stores AS s
        LEFT JOIN time_zones AS z USING (store_no)
    """)
    duck.execute((QUESTIONS / "duckdb_views.sql").read_text())
    return duck


def questions(store_id: str) -> dict[str, dict[str, str]]:
    """Each question by its name, in the words of either."""
    asked: dict[str, dict[str, str]] = {}
    for file in sorted(QUESTIONS.glob("[0-9]*.sql")):
        name, *dialect = file.name.removesuffix(".sql").split(".")
        sql = file.read_text().replace("{store_id}", store_id)
        asked.setdefault(name, {}).update({each: sql for each in dialect or ("uptally", "duckdb")})
    return asked


def rows(table: pyarrow.Table) -> list[tuple]:
    return list(zip(*(column.to_pylist() for column in table.columns)))


def main(url: str, tables: Path, rounds: int) -> None:
    duck = opened_duckdb(tables)
    with flightsql.connect(url, autocommit=True) as connection, connection.cursor() as cursor:

        def ask_uptally(sql: str) -> pyarrow.Table:
            cursor.execute(sql)
            return cursor.fetch_arrow_table()

        ask = {
            "uptally": ask_uptally,
            "duckdb": lambda sql: duck.sql(sql).to_arrow_table(),
        }
        store_id = rows(ask_uptally("SELECT store_id FROM stores ORDER BY polls DESC, store_id LIMIT 1"))[0][0]
        asked = questions(store_id)
        took = {name: {who: [] for who in ask} for name in asked}
        for name, words in asked.items():
            given = {who: rows(ask[who](words[who])) for who in ask}
            if given["uptally"] != given["duckdb"] or not given["uptally"]:
                first = [(a, b) for a, b in zip(*given.values()) if a != b][:3]
                sys.exit(f"{name}: {[len(each) for each in given.values()]} rows, the first that differ: {first}")
        print(f"{len(asked)} questions, the same rows", file=sys.stderr)
        for turn in range(rounds):
            for name, words in asked.items():
                for who in sorted(ask, reverse=turn % 2 == 0):
                    started_s = time.perf_counter()
                    ask[who](words[who])
                    took[name][who].append((time.perf_counter() - started_s) * 1000)
    print(f"| | uptally ms | DuckDB ms | DuckDB / uptally |\n|---|---|---|---|")
    sums = {who: 0.0 for who in ask}
    for name, times in took.items():
        median = {who: statistics.median(each) for who, each in times.items()}
        sums = {who: sums[who] + median[who] for who in sums}
        print(f"| {name} | {median['uptally']:.1f} | {median['duckdb']:.1f} | {median['duckdb'] / median['uptally']:.2f} |")
    print(f"| in total | {sums['uptally']:.0f} | {sums['duckdb']:.0f} | {sums['duckdb'] / sums['uptally']:.2f} |")


main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
