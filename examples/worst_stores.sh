#!/usr/bin/env bash
# Prints the five stores with the least uptime over the last week, by a report over HTTP.
#
#     examples/worst_stores.sh [URL] [KEY]
set -euo pipefail
url="${1:-http://localhost:8000}"
headers=()
if test -n "${2:-}"; then headers=(-H "Authorization: Bearer $2"); fi

ask() { curl --silent --show-error --fail-with-body "${headers[@]}" "$@"; }

# The same question has the same report, so that asking again costs nothing.
report="$(ask "$url/v1/reports" -d '{"max_gap": "2h"}' -o /dev/null -w '%header{location}')"

# An answer is held for a minute at most; large chains may take longer.
until ask "$url$report?wait=30s" | grep -q '"state":"complete"'; do
    if ask "$url$report" | grep -qE '"state":"(failed|cancelled)"'; then
        echo "the report has failed" >&2
        exit 1
    fi
done

echo "store_id,uptime_last_week,downtime_last_week"
ask "$url$report.csv" | tail -n +2 | cut -d, -f1,4,7 | sort -t, -k2,2n -k1,1 | head -n 5
