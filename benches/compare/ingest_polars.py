"""Writes the three CSV files of a folder as sorted Parquet, by Polars.

A store becomes its rank among all store ids in byte order, and the three sort keys of a poll become
one integer: sorting that takes an eighth of the time of sorting by text and time.
"""

import sys
from pathlib import Path

import polars as pl

NAMES = {
    "timestamp_utc": "polled_at",
    "timestamp": "polled_at",
    "dayofweek": "day_of_week",
    "day": "day_of_week",
    "timezone_str": "zone",
    "timezone": "zone",
    "tz": "zone",
}


def table(path: Path) -> pl.LazyFrame:
    """A scan of a CSV file, all columns text."""
    frame = pl.scan_csv(path, infer_schema=False)
    return frame.rename(lambda name: NAMES.get(name.lower(), name.lower()))


def micros(time: str) -> pl.Expr:
    """The microseconds since midnight of a local time, `H:MM[:SS]`, up to 24:00."""
    parts = pl.col(time).str.split(":").list
    hours, minutes, seconds = (parts.get(n, null_on_oob=True).cast(pl.Int64) for n in range(3))
    return (hours * 3600 + minutes * 60 + seconds.fill_null(0)) * 1_000_000


def instant(stamp: pl.Expr) -> pl.Expr:
    """The instant of `2023-01-22 12:09:39.388884 UTC`, the fraction optional.

    The minute and the seconds apart: `%.f` takes twice the time.
    """
    minute = stamp.str.slice(0, 16).str.to_datetime("%Y-%m-%d %H:%M", time_unit="us")
    seconds = stamp.str.slice(17).str.strip_suffix(" UTC").cast(pl.Decimal(8, 6))
    return (minute.to_physical() + seconds.to_physical().cast(pl.Int64)).cast(pl.Datetime("us"))


source, target = map(Path, sys.argv[1:3])
polls, hours, zones = pl.collect_all([
    table(source / "store_status.csv").select(
        "store_id",
        polled_at=instant(pl.col("polled_at")),
        active=pl.col("status") == "active",
    ),
    table(source / "menu_hours.csv").select(
        "store_id",
        pl.col("day_of_week").cast(pl.Int8),
        start_us=micros("start_time_local"),
        end_us=micros("end_time_local"),
    ),
    table(source / "timezones.csv")
    .select("store_id", "zone")
    .unique("store_id", keep="last"),
])
stores = (
    pl.concat([frame.select(pl.col("store_id").unique()) for frame in (polls, hours, zones)])
    .unique()
    .sort("store_id")
    .with_row_index("store")
)
key = stores.select("store_id", "store")
# Of two statuses at one instant the inactive one comes last and thereby wins.
poll_order = (
    pl.col("store").cast(pl.Int128) * 2**60
    + pl.col("polled_at").to_physical() * 2
    + pl.col("active").not_().cast(pl.Int64)
)
(
    polls.join(key, on="store_id")
    .select("store", "polled_at", "active")
    .sort(poll_order)
    .write_parquet(target / "polls.parquet", compression="zstd")
)
(
    hours.join(key, on="store_id")
    .select("store", "day_of_week", "start_us", "end_us")
    .sort("store", "day_of_week", "start_us")
    .write_parquet(target / "hours.parquet", compression="zstd")
)
(
    stores.join(zones, on="store_id", how="left", maintain_order="left")
    .write_parquet(target / "stores.parquet", compression="zstd")
)
