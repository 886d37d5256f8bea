"""Writes the three CSV files of a folder as sorted Parquet, by DuckDB.

A store becomes its rank among all store ids in byte order: a short integer sorts faster than text,
here and in the report.
"""

import csv
import os
import sys

# The engine alone: the Python layer over it takes long to import.
import _duckdb

POLLS = {
    "store_id": ("store_id", "VARCHAR"),
    "timestamp_utc": ("polled_at", "TIMESTAMP"),
    "timestamp": ("polled_at", "TIMESTAMP"),
    "status": ("status", "VARCHAR"),
}
HOURS = {
    "store_id": ("store_id", "VARCHAR"),
    "day_of_week": ("day_of_week", "TINYINT"),
    "dayofweek": ("day_of_week", "TINYINT"),
    "day": ("day_of_week", "TINYINT"),
    "start_time_local": ("start_local", "VARCHAR"),
    "end_time_local": ("end_local", "VARCHAR"),
}
ZONES = {
    "store_id": ("store_id", "VARCHAR"),
    "timezone_str": ("zone", "VARCHAR"),
    "timezone": ("zone", "VARCHAR"),
    "tz": ("zone", "VARCHAR"),
}


def table(path: str, known: dict[str, tuple[str, str]]) -> str:
    """A scan of a CSV file with the types given, so that nothing is sniffed or guessed."""
    with open(path, newline="", encoding="utf-8-sig") as file:
        header = next(csv.reader(file))
    named = (known.get(name.lower(), (name, "VARCHAR")) for name in header)
    columns = ", ".join(f"'{name}': '{kind}'" for name, kind in named)
    return (
        f"read_csv('{path}', columns = {{{columns}}}, header = true, delim = ',', "
        """quote = '"', escape = '"', auto_detect = false)"""
    )


def micros(time: str) -> str:
    """The SQL for the microseconds since midnight of a local time, `H:MM[:SS]`, up to 24:00."""
    hours, minutes, seconds = (f"split_part({time}, ':', {n})" for n in (1, 2, 3))
    return (
        f"({hours}::BIGINT * 3600 + {minutes}::BIGINT * 60 "
        f"+ coalesce(try_cast({seconds} AS BIGINT), 0)) * 1000000"
    )


source, target = (os.path.abspath(folder) for folder in sys.argv[1:3])
os.chdir(source)
duck = _duckdb.connect()
duck.execute(f"""
    SET preserve_insertion_order = false;
    CREATE TEMP TABLE polls AS
    SELECT store_id, polled_at, status = 'active' AS active
    FROM {table("store_status.csv", POLLS)};
    CREATE TEMP TABLE hours AS
    SELECT
      store_id,
      day_of_week,
      {micros("start_local")} AS start_us,
      {micros("end_local")} AS end_us
    FROM {table("menu_hours.csv", HOURS)};
    SET preserve_insertion_order = true;
    -- The last row of a store wins.
    CREATE TEMP TABLE zones AS
    SELECT store_id, zone
    FROM (SELECT *, row_number() OVER () AS line FROM {table("timezones.csv", ZONES)})
    QUALIFY row_number() OVER (PARTITION BY store_id ORDER BY line DESC) = 1;
    CREATE TEMP TABLE stores AS
    SELECT row_number() OVER (ORDER BY store_id)::INTEGER AS store, store_id, zone
    FROM (
      SELECT store_id FROM polls
      UNION
      SELECT store_id FROM hours
      UNION
      SELECT store_id FROM zones
    )
    LEFT JOIN zones USING (store_id);
""")
os.chdir(target)
duck.execute("""
    COPY (
      SELECT store, polled_at, active
      FROM polls
      JOIN stores USING (store_id)
      -- Of two statuses at one instant the inactive one comes last and thereby wins.
      ORDER BY store, polled_at, active DESC
    ) TO 'polls.parquet' (FORMAT parquet, COMPRESSION zstd);
    COPY (
      SELECT store, day_of_week, start_us, end_us
      FROM hours
      JOIN stores USING (store_id)
      ORDER BY store, day_of_week, start_us
    ) TO 'hours.parquet' (FORMAT parquet, COMPRESSION zstd);
    COPY (FROM stores ORDER BY store) TO 'stores.parquet' (FORMAT parquet, COMPRESSION zstd);
""")
