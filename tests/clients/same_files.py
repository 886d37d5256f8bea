"""The tables as analysts see them, in DuckDB, from the files that the Delta logs name.

Independent of uptally's readers: logs are JSON, files are Parquet, `stores` is SQL.
"""

import json
from pathlib import Path

import duckdb

TABLES = ("polls", "business_hours", "time_zones", "stores", "rejects", "loads")
# Those that are there at every version as well, as `polls_as_of_1`.
AS_OF = ("polls", "time_zones", "stores")

# What `queries/stores.sql` says, with the zone that counts where a store has none.
STORES = """
    SELECT s.store_id, s.store_no, coalesce(z.time_zone, 'America/Chicago') AS time_zone,
           NOT s.has_business_hours AS uses_default_hours,
           NOT s.has_time_zone AS uses_default_time_zone,
           s.first_polled_at, s.last_polled_at, s.polls,
           '{edition}' AS zone_rules
    FROM {files} AS s LEFT JOIN {zones} AS z ON z.store_no = s.store_no
"""


def active_files(table, version=None):
    """Files that a table's log has added and not removed, up to a version or its end."""
    active = set()
    for entry in sorted((table / "_delta_log").glob("*.json")):
        if version is not None and int(entry.stem) > version:
            break
        for line in entry.read_text().splitlines():
            action = json.loads(line)
            if "remove" in action:
                active.discard(action["remove"]["path"])
            if "add" in action:
                active.add(action["add"]["path"])
    return [str(table / path) for path in sorted(active)]


def opened(folder):
    """A database with a view for each table, at the newest version and at those before."""
    folder = Path(folder)
    database = duckdb.connect()
    database.execute("SET TimeZone = 'UTC'")
    database.execute("SET threads = 1")
    database.execute("SET parquet_metadata_cache = true")
    # It keeps rows from an outer join that are not among the first n, and takes their partners for
    # rows without any.
    database.execute("SET disabled_optimizers = 'top_n'")
    create_view(database, "loads", active_files(folder / "loads"))
    loads = database.sql("SELECT * FROM loads ORDER BY version").to_arrow_table().to_pylist()
    versions = {f"_as_of_{load['version']}": (load, AS_OF) for load in loads}
    for suffix, (load, tables) in {**versions, "": (loads[-1], TABLES[:-1])}.items():
        for table in tables:
            files = active_files(folder / table, load[f"{table}_version"])
            create_view(database, table, files, suffix, load["zone_rules"])
    return database


def create_view(database, table, files, suffix="", edition=None):
    of_path = f"hive_partitioning = {table == 'polls'}, hive_types_autocast = false"
    rows = f"FROM read_parquet({files}, {of_path})"
    if table == "polls":
        # A day that is text in the path: windows by a column that DuckDB makes of paths fail in it.
        rows = f"SELECT * REPLACE (CAST(polled_on AS DATE) AS polled_on) {rows}"
    if table == "stores":
        rows = STORES.format(files=f"({rows})", zones=f"time_zones{suffix}", edition=edition)
    database.execute(f"CREATE VIEW {table}{suffix} AS {rows}")
