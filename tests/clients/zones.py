"""Compares the clocks of every zone from 1900 to 2110 with Python's `zoneinfo` over PyPI's `tzdata`.

Both name the same zones of the same edition, and every change of an offset is at the same second.
Seven files differ in bytes, as the bundled ones are packed from the form of the source that has no
negative daylight saving: offsets are the same.
"""

import csv
import io
import subprocess
import sys
import tempfile
import zoneinfo
from datetime import datetime, timezone

# The pure implementation tells its changes; the other one answers faster.
from zoneinfo._zoneinfo import ZoneInfo as ListedZone

import tzdata

FIRST = datetime(1900, 1, 1, tzinfo=timezone.utc)
LAST = datetime(2110, 1, 1, tzinfo=timezone.utc)
WEEK_S = 7 * 86_400


def clocks(uptally):
    """The stretches of each zone: since which second which offset holds."""
    with tempfile.TemporaryDirectory() as empty:
        asked = ["zones", "show", "--data", empty]
        asked += ["--from", FIRST.isoformat(), "--to", LAST.isoformat()]
        told = subprocess.run([uptally, *asked], capture_output=True, text=True, check=True)
    zones = {}
    for row in csv.DictReader(io.StringIO(told.stdout)):
        starts_at = datetime.fromisoformat(row["starts_at"])
        stretch = (int(starts_at.timestamp()), int(row["utc_offset_s"]))
        zones.setdefault(row["zone"], []).append(stretch)
    return zones


def offset(zone, second):
    return int(datetime.fromtimestamp(second, zone).utcoffset().total_seconds())


def differences(name, stretches):
    """Seconds at which the offsets differ: around each change by either, and once a week."""
    first, last = int(FIRST.timestamp()), int(LAST.timestamp())
    zone = zoneinfo.ZoneInfo(name)
    listed = [second for second in ListedZone(name)._trans_utc if first < second < last]
    changes = {second for second, _ in stretches[1:]} | set(listed)
    seconds = {edge for change in changes for edge in (change - 1, change)}
    seconds.update(range(first, last, WEEK_S))
    at = 0
    for second in sorted(seconds):
        while at + 1 < len(stretches) and stretches[at + 1][0] <= second:
            at += 1
        expected = offset(zone, second)
        if stretches[at][1] != expected:
            yield f"{name} at {second}: {stretches[at][1]} and not {expected}"


def main(uptally):
    zoneinfo.reset_tzpath(to=[])
    version = subprocess.run([uptally, "--version"], capture_output=True, text=True, check=True)
    assert f"zone rules {tzdata.IANA_VERSION})" in version.stdout, version.stdout
    zones = clocks(uptally)
    assert set(zones) == zoneinfo.available_timezones(), "the names differ"
    changes = sum(len(stretches) - 1 for stretches in zones.values())
    assert changes > 50_000, changes
    wrong = [line for name in zones for line in differences(name, zones[name])]
    assert not wrong, "\n".join(wrong[:20])
    print(f"{len(zones)} zones of {tzdata.IANA_VERSION}: {changes} changes, no difference")


main(sys.argv[1])
