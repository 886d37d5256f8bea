"""SQLAlchemy connects, reflects and reads tables with both PostgreSQL drivers."""

import os
import subprocess
import sys
import tempfile

import pandas
import sqlalchemy

from check import counts_of
from serving import serving

POLLS = ["store_id", "store_no", "polled_at", "active", "polled_on"]


def check_reflection(inspector):
    assert inspector.get_schema_names() == ["information_schema", "public"]
    assert {"polls", "business_hours", "time_zones"} <= set(inspector.get_table_names())
    assert inspector.get_view_names() == ["stores"]
    assert inspector.has_table("polls") and not inspector.has_table("nothing")
    columns = inspector.get_columns("polls")
    assert [column["name"] for column in columns] == POLLS
    types = [str(column["type"]) for column in columns]
    assert types == ["TEXT", "INTEGER", "TIMESTAMP", "BOOLEAN", "DATE"], types
    assert not any(column["nullable"] for column in columns)
    assert inspector.get_pk_constraint("polls")["constrained_columns"] == []
    for nothing in (
        inspector.get_foreign_keys("polls"),
        inspector.get_indexes("polls"),
        inspector.get_unique_constraints("polls"),
        inspector.get_check_constraints("polls"),
        inspector.get_enums(),
        inspector.get_sequence_names(),
    ):
        assert nothing == [], nothing


def check_queries(engine, expected):
    """`expected` is (store, number of polls) of all stores."""
    stores = [store for store, _ in expected]
    polls = sum(count for _, count in expected)
    of_first = sum(count for _, count in expected[:2])
    with engine.connect() as connection:
        table = sqlalchemy.Table("polls", sqlalchemy.MetaData(), autoload_with=connection)
        count = sqlalchemy.select(sqlalchemy.func.count()).select_from(table)
        assert connection.execute(count).scalar() == polls
        of_two = count.where(table.c.store_id.in_(stores[:2]))
        assert connection.execute(of_two).scalar() == of_first
        of_any = "SELECT count(*) FROM polls WHERE store_id = ANY(%s)"
        assert connection.exec_driver_sql(of_any, (stores[:2],)).scalar() == of_first
        frame = pandas.read_sql_table("polls", connection)
        assert list(frame.columns) == POLLS and len(frame) == polls


def main(uptally):
    sample = "data/sample"
    expected = counts_of(sample)
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([uptally, "ingest", "--data", folder, sample], check=True, capture_output=True)
        with serving(uptally, folder, ["postgres"]) as (url,):
            address = url.removeprefix("postgres://")
            for driver in ("psycopg2", "psycopg"):
                engine = sqlalchemy.create_engine(f"postgresql+{driver}://ann@{address}/uptally")
                check_reflection(sqlalchemy.inspect(engine))
                check_queries(engine, expected)
                engine.dispose()
    print("clients: SQLAlchemy reflects the tables and reads them, by psycopg2 and psycopg")


if __name__ == "__main__":
    main(os.path.abspath(sys.argv[1]))
