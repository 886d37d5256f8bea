//! Documentation of every function that an analyst may call.

use crate::functions::documented::{Argument, DOCUMENTED, Documented, Example, Gives, Kind, Takes};

/// Functions that stand in `FROM`.
const TABLE_FUNCTIONS: [&Documented; 6] =
    [&UPTIME, &UPTIME_BY, &STATES, &INCIDENTS, &OPENINGS, &AS_OF];

/// All documented functions, aggregates first.
pub fn documented() -> impl Iterator<Item = &'static Documented> {
    DOCUMENTED.into_iter().chain([&LATEST_POLL]).chain(TABLE_FUNCTIONS)
}

pub const LATEST_POLL: Documented = Documented {
    name: "latest_poll",
    kind: Kind::Scalar,
    summary: "Instant of the latest poll of all stores, the default now.",
    arguments: &[],
    gives: Gives::Instant,
    returns: "a timestamp, UTC",
    nulls: "Null where there is no poll.",
    example: Example {
        sql: "\
SELECT latest_poll();",
        output: "\
+-----------------------------+
| latest_poll()               |
+-----------------------------+
| 2023-01-25T18:13:22.479220Z |
+-----------------------------+",
    },
};

const FROM: Argument = Argument::optional(
    "from",
    Takes::Instant,
    "where the range starts; without a range it is the week before the latest poll; at most 3660 days",
);
const TO: Argument =
    Argument::optional("to", Takes::Instant, "where it ends; later polls are ignored");
const OPTIONS: Argument = Argument::optional(
    "options",
    Takes::Text,
    "'interpolation=nearest,max_gap=2h', or by name: interpolation => 'nearest', max_gap => \
     INTERVAL '2 hours'; also scope, no_data, snap_end_of_day, default_hours, default_timezone",
);

const UPTIME: Documented = Documented {
    name: "uptime",
    kind: Kind::Table,
    summary: "How long each store was up, down and unknown while it should have been open.",
    arguments: &[FROM, TO, OPTIONS],
    gives: Gives::Rows,
    returns: "store_id, open, up, down, unknown (microseconds), uptime_pct, coverage_pct, polls, incidents, longest (downtime of the longest incident, microseconds)",
    nulls: "The percentages are null where there is nothing to divide by, longest where there was no incident.",
    example: Example {
        sql: "\
SELECT store_id, up / 60000000 AS up_minutes, down / 60000000 AS down_minutes, uptime_pct
FROM uptime('2023-01-24', '2023-01-25')
ORDER BY uptime_pct NULLS LAST, store_id
LIMIT 3;",
        output: "\
+---------------------+------------+--------------+------------+
| store_id            | up_minutes | down_minutes | uptime_pct |
+---------------------+------------+--------------+------------+
| 6569119777878147431 | 0          | 360          | 0.0        |
| 5017773858367036175 | 124        | 535          | 18.9       |
| 5530608382968842422 | 231        | 607          | 27.65      |
+---------------------+------------+--------------+------------+",
    },
};

const UPTIME_BY: Documented = Documented {
    name: "uptime_by",
    kind: Kind::Table,
    summary: "The same for each store and bucket of the clock on the wall: an hour, a day, 5 minutes, a quarter.",
    arguments: &[
        Argument::required(
            "bucket",
            Takes::Text,
            "'minute', 'hour', 'day', 'week' (from Monday), 'month', 'quarter', 'year', or an interval like \
             '5 minutes' or INTERVAL '2 weeks', at most 100000 of them; days and hours are counted from \
             Monday, 2000-01-03, months from January 2000",
        ),
        FROM,
        TO,
        Argument::optional(
            "time_zone",
            Takes::Text,
            "whose calendar counts; the store's own without one",
        ),
        OPTIONS,
    ],
    gives: Gives::Rows,
    returns: "store_id, bucket (the local time at which it starts), starts_at, ends_at (cut to the range), then as uptime, utc_offset (of the clock at starts_at, as '-06:00'); where clocks go back, buckets shorter than what is shown twice start twice",
    nulls: "As uptime.",
    example: Example {
        sql: "\
SELECT bucket, up / 60000000 AS up_minutes, down / 60000000 AS down_minutes
FROM uptime_by('day', '2023-01-22', '2023-01-25')
WHERE store_id = '1177941416522642976'
ORDER BY bucket;",
        output: "\
+---------------------+------------+--------------+
| bucket              | up_minutes | down_minutes |
+---------------------+------------+--------------+
| 2023-01-21T00:00:00 | 0          | 0            |
| 2023-01-22T00:00:00 | 488        | 21           |
| 2023-01-23T00:00:00 | 323        | 186          |
| 2023-01-24T00:00:00 | 510        | 0            |
+---------------------+------------+--------------+",
    },
};

const STATES: Documented = Documented {
    name: "states",
    kind: Kind::Table,
    summary: "The state of each store, segment by segment and without gaps.",
    arguments: &[FROM, TO, OPTIONS],
    gives: Gives::Rows,
    returns: "store_id, starts_at, ends_at, state ('up', 'down', 'unknown' or 'closed'), origin ('observed' by a poll at or before it, 'carried' from before the range, 'backfilled' from a later poll)",
    nulls: "The origin is null if closed, or without evidence from polls, which no_data may have counted as 'up' or 'down'.",
    example: Example {
        sql: "\
SELECT starts_at, ends_at, state, origin
FROM states('2023-01-24 06:00:00', '2023-01-24 18:00:00')
WHERE store_id = '1177941416522642976'
ORDER BY starts_at;",
        output: "\
+----------------------+----------------------+--------+----------+
| starts_at            | ends_at              | state  | origin   |
+----------------------+----------------------+--------+----------+
| 2023-01-24T06:00:00Z | 2023-01-24T15:30:00Z | closed |          |
| 2023-01-24T15:30:00Z | 2023-01-24T18:00:00Z | up     | observed |
+----------------------+----------------------+--------+----------+",
    },
};

const INCIDENTS: Documented = Documented {
    name: "incidents",
    kind: Kind::Table,
    summary: "The outages of each store; closed hours do not split one.",
    arguments: &[
        FROM,
        TO,
        Argument::optional("min_duration", Takes::Length, "outages with less downtime are omitted"),
        OPTIONS,
    ],
    gives: Gives::Rows,
    returns: "store_id, starts_at, ends_at, starts_local, ends_local (texts by the clock of the store, with its offset; to_store_time(store_id, starts_at) is a timestamp to count with), downtime (open time within it, microseconds), is_open (still running at the end of the range)",
    nulls: "Never null.",
    example: Example {
        sql: "\
SELECT store_id, starts_local, downtime / 60000000 AS minutes, is_open
FROM incidents('2023-01-24', '2023-01-25', INTERVAL '8 hours')
ORDER BY downtime DESC, store_id
LIMIT 3;",
        output: "\
+---------------------+----------------------------------+---------+---------+
| store_id            | starts_local                     | minutes | is_open |
+---------------------+----------------------------------+---------+---------+
| 6589071738261957738 | 2023-01-23T17:00:00-07:00        | 855     | false   |
| 6058412577904077794 | 2023-01-24T06:07:28.837136-05:00 | 772     | true    |
| 5530608382968842422 | 2023-01-24T14:51:58.489646+01:00 | 607     | true    |
+---------------------+----------------------------------+---------+---------+",
    },
};

const OPENINGS: Documented = Documented {
    name: "openings",
    kind: Kind::Table,
    summary: "When each store should be open, united.",
    arguments: &[FROM, TO, OPTIONS],
    gives: Gives::Rows,
    returns: "store_id, starts_at, ends_at",
    nulls: "Never null.",
    example: Example {
        sql: "\
SELECT starts_at, ends_at
FROM openings('2023-01-23', '2023-01-25')
WHERE store_id = '1177941416522642976'
ORDER BY starts_at;",
        output: "\
+----------------------+----------------------+
| starts_at            | ends_at              |
+----------------------+----------------------+
| 2023-01-23T15:30:00Z | 2023-01-24T00:00:00Z |
| 2023-01-24T15:30:00Z | 2023-01-25T00:00:00Z |
+----------------------+----------------------+",
    },
};

const AS_OF: Documented = Documented {
    name: "as_of",
    kind: Kind::Table,
    summary: "A table as it was at a version of the data, or at an instant.",
    arguments: &[
        Argument::required("table", Takes::Text, "its name"),
        Argument::required("version", Takes::Integer, "a version of the data, or an instant"),
    ],
    gives: Gives::Rows,
    returns: "the rows of the table",
    nulls: "As in the table.",
    example: Example {
        sql: "\
SELECT count(*) AS polls FROM as_of('polls', 1);",
        output: "\
+-------+
| polls |
+-------+
| 6341  |
+-------+",
    },
};

#[cfg(test)]
mod tests {
    use super::OPTIONS;
    use crate::rules::ReportOption;

    #[test]
    fn the_description_of_options_names_each() {
        for name in ReportOption::ALL.map(ReportOption::name) {
            assert!(OPTIONS.about.contains(name), "{name}");
        }
    }
}
