"""Two chains of the same synthetic stores, each loaded in several versions, with some invalid
rows.

In one, the first load knows every store, so that numbers of stores ascend as their ids do; in the
other, stores come later. Reading, and grouping by store, differ between the two.
"""

import subprocess
from pathlib import Path

POLLS, HOURS, ZONES = "store_status.csv", "menu_hours.csv", "timezones.csv"

# Rows that break a rule, and some that do not: a poll of a store that is in no other file, polls of
# one instant that differ, ids beside ASCII, hours over midnight.
MORE_POLLS = """store_id,status,timestamp_utc
1000000000000000001,asleep,2023-01-22 12:09:39.388884 UTC
,active,2023-01-22 12:09:39 UTC
{store},active,2023-02-30 12:00:00 UTC
{store},"inactive, so to say",2023-01-23 01:00:00 UTC
{store},active,2023-01-23 00:00:00 UTC
{store},inactive,2023-01-23 00:00:00 UTC
{store},inactive,2023-01-23 23:59:59.999999 UTC
9999999999999999999,active,2023-01-24 00:00:00 UTC
Zürich-01,inactive,2023-01-24 12:00:00.5 UTC
Zürich-01,aktiv,2023-01-24 12:30:00 UTC
"""
MORE_HOURS = """store_id,day,start_time_local,end_time_local
Zürich-01,0,18:00:00,02:00:00
Zürich-01,7,09:00:00,17:00:00
{store},2,25:00:00,17:00:00
"""
MORE_ZONES = """store_id,timezone_str
Zürich-01,Europe/Zurich
{store},Mars/Olympus
"""


class Chain:
    """CSV in one folder, the tables beside it; files are named from where both are."""

    def __init__(self, uptally, place, name):
        self.uptally, self.place = uptally, Path(place) / name
        self.folder = self.place / "data"
        self.place.mkdir()

    def run(self, *words):
        done = subprocess.run(
            [self.uptally, *words], cwd=self.place, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr

    def load(self, files):
        """Loads a version from files, given by name and lines."""
        for name, lines in files.items():
            (self.place / name).write_text("".join(lines))
        self.run("ingest", "--data", "data", "--max-reject-rate", "1", *files)


def chains(uptally, place, seed, stores):
    """The tables of both chains: their names and folders."""
    made = Chain(uptally, place, "made")
    made.run("generate", "--stores", str(stores), "--days", "5", "--seed", str(seed), "csv")
    lines = {
        name: (made.place / "csv" / name).read_text().splitlines(keepends=True)
        for name in (POLLS, HOURS, ZONES)
    }
    header, *polls = lines[POLLS]
    store = polls[0].split(",")[0]
    more = {
        "more_polls.csv": MORE_POLLS.format(store=store),
        "more_hours.csv": MORE_HOURS.format(store=store),
        "more_zones.csv": MORE_ZONES.format(store=store),
    }

    known = Chain(uptally, place, "known")
    known.load({**lines, **more, POLLS: [header, *polls[: len(polls) // 2]]})
    known.load({"later_" + POLLS: [header, *polls[len(polls) // 2 :]]})

    grown = Chain(uptally, place, "grown")
    grown.load({POLLS: [header, *(line for line in polls if line < "6")], ZONES: lines[ZONES][:9]})
    grown.load({"all_" + POLLS: lines[POLLS], HOURS: lines[HOURS]})
    grown.load({"all_" + ZONES: lines[ZONES], **more, "all_" + HOURS: lines[HOURS]})
    return [("known", known.folder), ("grown", grown.folder)]
