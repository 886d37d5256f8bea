"""Runs the same queries with every client, and compares the answers with the report."""

import csv
import os
import subprocess
import sys
import tempfile
from datetime import timedelta

import adbc_driver_flightsql.dbapi as flightsql
import polars
import psycopg

from serving import serving

COUNTS = "SELECT store_id, count(*) AS polls FROM polls GROUP BY store_id ORDER BY store_id"


def counts_of(sample):
    """The polls of each store, by the file; the sample holds no poll twice."""
    counts = {}
    for row in csv.DictReader(open(os.path.join(sample, "store_status.csv"))):
        counts[row["store_id"]] = counts.get(row["store_id"], 0) + 1
    return sorted(counts.items(), key=lambda item: item[0].encode())


def refused(error, action):
    try:
        action()
    except error as told:
        return str(told)
    raise AssertionError("was not refused")


def check_flight(url, expected):
    with flightsql.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute(COUNTS)
        table = cursor.fetch_arrow_table()
        assert list(zip(*[column.to_pylist() for column in table.columns])) == expected

        cursor.execute(COUNTS)
        frame = cursor.fetch_df()
        assert list(frame.itertuples(index=False, name=None)) == expected

        cursor.execute("SELECT count(*) FROM polls WHERE store_id = $1", parameters=[expected[0][0]])
        assert cursor.fetchone() == (expected[0][1],)

        told = refused(Exception, lambda: cursor.execute("SELECT nothing FROM polls"))
        assert "nothing" in told, told
        told = refused(Exception, lambda: cursor.execute("DROP TABLE polls"))
        assert "read-only" in told, told

        schemas = connection.adbc_get_objects(depth="tables").read_all().to_pylist()
        tables = {
            table["table_name"]
            for catalog in schemas
            for schema in catalog["catalog_db_schemas"]
            for table in schema["db_schema_tables"]
        }
        assert {"polls", "stores", "time_zones"} <= tables, tables
        assert "store_id" in connection.adbc_get_table_schema("polls").names
        assert connection.adbc_get_info()["vendor_name"] == "uptally"

        frame = polars.read_database(COUNTS, connection)
        assert frame.rows() == expected


def check_postgres(url, expected):
    with psycopg.connect(url) as connection:
        assert connection.execute(COUNTS).fetchall() == expected
        for _ in range(7):  # from the sixth on, psycopg prepares it
            of_store = "SELECT count(*) FROM polls WHERE store_id = %s"
            assert connection.execute(of_store, [expected[0][0]]).fetchone() == (expected[0][1],)
        binary = connection.cursor(binary=True).execute(COUNTS).fetchall()
        assert binary == expected
        at = connection.execute("SELECT max(polled_at) FROM polls").fetchone()[0]
        later = connection.execute("SELECT count(*) FROM polls WHERE polled_at > %s", [at])
        assert at.utcoffset().total_seconds() == 0 and later.fetchone() == (0,)
        first = [store for store, _ in expected[:2]]
        of_any = "SELECT count(*) FROM polls WHERE store_id = ANY(%s)"
        assert connection.execute(of_any, [first]).fetchone() == (expected[0][1] + expected[1][1],)
        recent = "SELECT count(*) > 0 FROM polls WHERE polled_at > latest_poll() - %s"
        assert connection.execute(recent, [timedelta(days=1)]).fetchone() == (True,)
        local = connection.execute("SELECT max(polled_at) AT TIME ZONE 'Asia/Tokyo' FROM polls")
        assert local.fetchone() == (at.replace(tzinfo=None) + timedelta(hours=9),)
        connection.rollback()

        told = refused(psycopg.errors.UndefinedColumn, lambda: connection.execute("SELECT nothing FROM polls"))
        assert "nothing" in told, told
        refused(psycopg.errors.InFailedSqlTransaction, lambda: connection.execute("SELECT 1"))
        connection.rollback()
        refused(psycopg.errors.ReadOnlySqlTransaction, lambda: connection.execute("DROP TABLE polls"))
        connection.rollback()


def main(uptally):
    sample = "data/sample"
    expected = counts_of(sample)
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([uptally, "ingest", "--data", folder, sample], check=True, capture_output=True)
        with serving(uptally, folder, ["flight", "postgres"]) as (flight, postgres):
            check_flight(flight, expected)
            check_postgres(f"postgresql://ann@{postgres.removeprefix('postgres://')}/uptally", expected)
    print("clients: ADBC into Arrow, pandas and Polars, and psycopg agree with the files")


if __name__ == "__main__":
    main(os.path.abspath(sys.argv[1]))
