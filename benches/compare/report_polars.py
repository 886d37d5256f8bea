"""Prints the report of the tables in a folder, computed by Polars.

The tables are those of `report.sql`. The polls, sorted, are folded to the rows where the status
changes; a running sum over these tells how long a store had been active at each of them, and one
`join_asof` reads that sum at both ends of every span. A store and an instant of the last week make
one integer, so that nothing is grouped by store before the last step.
"""

import sys
from pathlib import Path

import polars as pl

HOUR = 3_600_000_000
DAY = 24 * HOUR
WEEK = 7 * DAY
MINUTE = HOUR // 60
# More microseconds than a week has.
STORE = 2**40


def offsets_at(zone: str, instants: pl.Series) -> pl.Series:
    local = instants.cast(pl.Datetime("us", "UTC")).dt.convert_time_zone(zone)
    return local.dt.replace_time_zone(None).to_physical() - instants


def offsets(zone: str, week_at: int, now: int) -> pl.DataFrame:
    """The offsets of a zone in the week, each with the local times it rules, half-open.

    It rules from the local time at which the larger of the old and the new offset reaches the
    change: a gap is crossed with the old offset (forward by its length), a fold as well (earlier).
    """
    days = pl.Series(range(week_at // DAY - 4, now // DAY + 5)) * DAY
    at_days = offsets_at(zone, days)
    found, rules_from = [at_days[0]], [-(2**62)]
    for n in (at_days.diff() != 0).arg_true():
        minutes = days[n - 1] + pl.Series(range(1441)) * MINUTE
        at_minutes = offsets_at(zone, minutes)
        for m in (at_minutes.diff() != 0).arg_true():
            found.append(at_minutes[m])
            rules_from.append(minutes[m] + max(at_minutes[m - 1], at_minutes[m]))
    return pl.DataFrame({
        "zone": zone,
        "offset": found,
        "rules_from": rules_from,
        "rules_until": [*rules_from[1:], 2**62],
    })


def with_valid_zones(stores: pl.DataFrame, week_at: int, now: int):
    """The stores with a zone each, and the offsets of these zones."""
    known = {}
    for zone in {"America/Chicago", *stores["zone"].drop_nulls().unique()}:
        try:
            known[zone] = offsets(zone, week_at, now)
        except pl.exceptions.ComputeError:
            pass
    valid = pl.col("zone").is_in(list(known))
    zone = pl.when(valid).then("zone").otherwise(pl.lit("America/Chicago"))
    return stores.with_columns(zone=zone), pl.concat(known.values())


def laid_spans(hours: pl.DataFrame, stores: pl.DataFrame, week_at: int, now: int) -> pl.DataFrame:
    """The spans of the last week, disjoint, in the order of store and time."""
    stores, zone_offsets = with_valid_zones(stores, week_at, now)
    days = pl.Series(range(week_at // DAY - 2, now // DAY + 2))
    dates = pl.DataFrame({"date": days * DAY, "day_of_week": ((days + 3) % 7).cast(pl.Int8)})
    overnight = pl.when(pl.col("end_us") <= pl.col("start_us")).then(DAY).otherwise(0)

    def resolved(frame: pl.LazyFrame, local: str) -> pl.LazyFrame:
        joined = frame.join(zone_offsets.lazy(), on="zone")
        ruled = pl.col(local).is_between("rules_from", "rules_until", closed="left")
        return joined.filter(ruled).with_columns(pl.col(local) - pl.col("offset")).drop(
            "offset", "rules_from", "rules_until"
        )

    spans = (
        hours.lazy()
        .join(stores.lazy().select("store", "zone"), on="store")
        .join(dates.lazy(), on="day_of_week")
        .select(
            "store",
            "zone",
            starts_at=pl.col("date") + pl.col("start_us"),
            ends_at=pl.col("date") + pl.col("end_us") + overnight,
        )
        .pipe(resolved, "starts_at")
        .pipe(resolved, "ends_at")
        .select(
            "store",
            starts_at=pl.max_horizontal("starts_at", week_at),
            ends_at=pl.min_horizontal("ends_at", now),
        )
        .filter(pl.col("starts_at") < pl.col("ends_at"))
    )
    always_open = stores.lazy().join(hours.lazy(), on="store", how="anti").select(
        "store", starts_at=pl.lit(week_at), ends_at=pl.lit(now)
    )
    at_store = pl.col("store").cast(pl.Int64) * STORE - week_at
    reach = pl.col("ends_at").cum_max().shift(fill_value=0)
    return (
        pl.concat([spans, always_open])
        .select(starts_at=at_store + pl.col("starts_at"), ends_at=at_store + pl.col("ends_at"))
        .sort("starts_at")
        .with_columns(starts_at=pl.max_horizontal("starts_at", reach))
        .filter(pl.col("starts_at") < pl.col("ends_at"))
        .collect()
    )


def runs(polls: pl.LazyFrame, week_at: int, now: int) -> pl.DataFrame:
    """The stretches of one status in the last week, with the active time of all before each."""
    changed = pl.any_horizontal(
        pl.col(name) != pl.col(name).shift() for name in ("store", "active")
    ).fill_null(True)
    first = (pl.col("store").shift() != pl.col("store")).fill_null(True)
    goes_on = (pl.col("store").shift(-1) == pl.col("store")).fill_null(False)
    until = pl.when(goes_on).then(pl.col("at").shift(-1)).otherwise(now)
    # Of two statuses at one instant the inactive one comes second and thereby wins. The first
    # status reaches back; where there are two at that instant, it is the inactive one.
    outdone = pl.col("first") & pl.col("goes_on") & (pl.col("until") == pl.col("at"))
    length = pl.col("until").clip(week_at) - pl.col("from")
    return (
        polls.filter(changed)
        .with_columns(at=pl.col("polled_at").to_physical())
        .with_columns(first=first, goes_on=goes_on, until=until)
        .with_columns(
            pl.col("active") & ~outdone,
            pl.when("first").then(week_at).otherwise(pl.col("at").clip(week_at)).alias("from"),
        )
        .select(
            (pl.col("store").cast(pl.Int64) * STORE + pl.col("from") - week_at).alias("from"),
            "active",
            active_before=(length * pl.col("active")).cum_sum() - length * pl.col("active"),
        )
        .collect()
    )


def active_until(points: pl.Series, runs: pl.DataFrame) -> pl.Series:
    """The active time of all stores before each point, null where its store was never polled."""
    met = points.alias("point").set_sorted().to_frame().join_asof(
        runs.set_sorted("from"), left_on="point", right_on="from", strategy="backward"
    )
    in_run = pl.col("active").cast(pl.Int64) * (pl.col("point") - pl.col("from"))
    polled = pl.col("point") // STORE == pl.col("from") // STORE
    return met.select(pl.when(polled).then(pl.col("active_before") + in_run)).to_series()


def tally(spans: pl.DataFrame, runs: pl.DataFrame, window: str, length: int) -> pl.LazyFrame:
    """The uptime and the downtime of each store in the last `length` microseconds."""
    window_at = pl.col("starts_at") // STORE * STORE + WEEK - length
    within = spans.with_columns(
        starts_at=pl.max_horizontal("starts_at", window_at)
    ).filter(pl.col("starts_at") < pl.col("ends_at"))
    up = active_until(within["ends_at"], runs) - active_until(within["starts_at"], runs)
    return (
        within.lazy()
        .with_columns(up=up, down=within["ends_at"] - within["starts_at"] - up)
        .group_by(store=(pl.col("starts_at") // STORE).cast(pl.UInt32))
        .agg(
            pl.col("up").sum().alias(f"uptime_last_{window}"),
            pl.col("down").sum().alias(f"downtime_last_{window}"),
        )
    )


folder = Path(sys.argv[1])
polls = pl.scan_parquet(folder / "polls.parquet")
stores = pl.read_parquet(folder / "stores.parquet")
hours = pl.read_parquet(folder / "hours.parquet")
now = polls.select(pl.col("polled_at").max().to_physical()).collect().item()
week_at = now - WEEK
spans = laid_spans(hours, stores, week_at, now)
polled = runs(polls, week_at, now)
windows = {"hour": HOUR, "day": DAY, "week": WEEK}
report = stores.lazy()
for window, length in windows.items():
    figures = tally(spans, polled, window, length)
    report = report.join(figures, on="store", how="left", maintain_order="left")
columns = [f"{state}_last_{window}" for state in ("uptime", "downtime") for window in windows]
report.select("store_id", pl.col(columns).fill_null(0)).collect().write_csv(sys.stdout.buffer)
