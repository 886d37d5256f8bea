//! Descriptions of state periods and of `rollup`, with the names of TimescaleDB Toolkit.

use super::{Argument, Documented, Example, Kind, Takes};

const A_TIMELINE: Argument =
    Argument::required("timeline", Takes::Timeline, "null is unknown over all time");
const STATE: Argument = Argument::required("state", Takes::Text, "'up', 'down' or 'unknown'");
const START: Argument = Argument::required("start", Takes::Instant, "start of the bucket");
const LENGTH: Argument = Argument::required(
    "interval",
    Takes::Length,
    "length of the bucket, months of the calendar and days of 24 hours",
);
const EARLIER: Argument = Argument::optional(
    "prev",
    Takes::Timeline,
    "timeline of the bucket before, as lag(...) gives it; without it nothing is known before the first \
     poll",
);

pub const UNKNOWN_RANGES: Documented = Documented {
    name: "unknown_ranges",
    kind: Kind::Scalar,
    summary: "When the state of a timeline is unknown: over all time, or within a range.",
    arguments: &[
        A_TIMELINE,
        Argument::optional("from", Takes::Instant, "cuts off what is before it"),
        Argument::optional("to", Takes::Instant, "cuts off what is from it on"),
    ],
    returns: "a list of {starts_at, ends_at}, as live_ranges returns it",
    nulls: "Null where from or to is given and null; a null timeline is unknown over all time.",
    example: Example {
        sql: "\
SELECT unnest(
    unknown_ranges(
        timeline(polled_at, active, 'previous', INTERVAL '2 hours'), '2023-01-25', '2023-01-26'
    )
) AS span
FROM (VALUES
    ('2023-01-25 10:14:00', true),
    ('2023-01-25 16:15:00', false)
) AS seen (polled_at, active);",
        output: "\
+------------------------------------------------------------------+
| span                                                             |
+------------------------------------------------------------------+
| {starts_at: 2023-01-25T00:00:00Z, ends_at: 2023-01-25T08:14:00Z} |
| {starts_at: 2023-01-25T12:14:00Z, ends_at: 2023-01-25T16:15:00Z} |
| {starts_at: 2023-01-25T18:15:00Z, ends_at: 2023-01-26T00:00:00Z} |
+------------------------------------------------------------------+",
    },
};

pub const STATE_PERIODS: Documented = Documented {
    name: "state_periods",
    kind: Kind::Scalar,
    summary: "When a timeline is in a state, which may come first as well; what holds over no time is left \
              out.",
    arguments: &[A_TIMELINE, STATE],
    returns: "a list of {starts_at, ends_at}, as live_ranges returns it",
    nulls: "Null where the state is; a null timeline is unknown over all time.",
    example: Example {
        sql: "\
SELECT unnest(state_periods(state_agg(polled_at, active), 'down')) AS span
FROM (VALUES
    ('2023-01-25 10:14:00', true),
    ('2023-01-25 11:15:00', false),
    ('2023-01-25 12:16:00', true)
) AS seen (polled_at, active);",
        output: "\
+------------------------------------------------------------------+
| span                                                             |
+------------------------------------------------------------------+
| {starts_at: 2023-01-25T11:15:00Z, ends_at: 2023-01-25T12:16:00Z} |
+------------------------------------------------------------------+",
    },
};

pub const INTERPOLATED_STATE_PERIODS: Documented = Documented {
    name: "interpolated_state_periods",
    kind: Kind::Scalar,
    summary: "When a state held in one bucket of time, filled at its ends as interpolated_duration_in fills \
              it.",
    arguments: &[A_TIMELINE, STATE, START, LENGTH, EARLIER],
    returns: "a list of {starts_at, ends_at}, as live_ranges returns it",
    nulls: "Null where the state, the start or the interval is.",
    example: Example {
        sql: "\
SELECT unnest(interpolated_state_periods(state_agg(polled_at, active), 'down', '2023-01-25', '1 day')) AS span
FROM (VALUES
    ('2023-01-25 10:14:00', true),
    ('2023-01-25 11:15:00', false)
) AS seen (polled_at, active);",
        output: "\
+------------------------------------------------------------------+
| span                                                             |
+------------------------------------------------------------------+
| {starts_at: 2023-01-25T11:15:00Z, ends_at: 2023-01-26T00:00:00Z} |
+------------------------------------------------------------------+",
    },
};

pub const STATE_TIMELINE: Documented = Documented {
    name: "state_timeline",
    kind: Kind::Scalar,
    summary: "A timeline stretch by stretch, from its first known state to its last one; of state_agg(...) the \
              last may hold over no time. It may stand in FROM as well.",
    arguments: &[A_TIMELINE],
    returns: "a list of {state, starts_at, ends_at}; an end is null where nothing bounds it",
    nulls: "A null timeline has no stretches.",
    example: Example {
        sql: "\
SELECT unnest(state_timeline(state_agg(polled_at, active))) AS stretch
FROM (VALUES
    ('2023-01-25 10:14:00', true),
    ('2023-01-25 11:15:00', false),
    ('2023-01-25 12:16:00', true)
) AS seen (polled_at, active);",
        output: "\
+-------------------------------------------------------------------------------+
| stretch                                                                       |
+-------------------------------------------------------------------------------+
| {state: up, starts_at: 2023-01-25T10:14:00Z, ends_at: 2023-01-25T11:15:00Z}   |
| {state: down, starts_at: 2023-01-25T11:15:00Z, ends_at: 2023-01-25T12:16:00Z} |
| {state: up, starts_at: 2023-01-25T12:16:00Z, ends_at: 2023-01-25T12:16:00Z}   |
+-------------------------------------------------------------------------------+",
    },
};

pub const INTERPOLATED_STATE_TIMELINE: Documented = Documented {
    name: "interpolated_state_timeline",
    kind: Kind::Scalar,
    summary: "One bucket of time stretch by stretch, filled at its ends as interpolated_duration_in fills it.",
    arguments: &[A_TIMELINE, START, LENGTH, EARLIER],
    returns: "a list of {state, starts_at, ends_at}",
    nulls: "Null where the start or the interval is.",
    example: Example {
        sql: "\
SELECT unnest(interpolated_state_timeline(state_agg(polled_at, active), '2023-01-25', '1 day')) AS stretch
FROM (VALUES
    ('2023-01-25 10:14:00', true),
    ('2023-01-25 11:15:00', false)
) AS seen (polled_at, active);",
        output: "\
+-------------------------------------------------------------------------------+
| stretch                                                                       |
+-------------------------------------------------------------------------------+
| {state: up, starts_at: 2023-01-25T10:14:00Z, ends_at: 2023-01-25T11:15:00Z}   |
| {state: down, starts_at: 2023-01-25T11:15:00Z, ends_at: 2023-01-26T00:00:00Z} |
+-------------------------------------------------------------------------------+",
    },
};

pub const INTO_VALUES: Documented = Documented {
    name: "into_values",
    kind: Kind::Scalar,
    summary: "How long each state of a timeline held, from its first known state to its last one. It may \
              stand in FROM as well.",
    arguments: &[A_TIMELINE],
    returns: "a list of {state, duration}, of the states that occur, up first; a duration is null where it \
              has no limit",
    nulls: "A null timeline has no states.",
    example: Example {
        sql: "\
SELECT unnest(into_values(state_agg(polled_at, active))) AS held
FROM (VALUES
    ('2023-01-25 10:14:00', true),
    ('2023-01-25 11:15:00', false),
    ('2023-01-25 12:16:00', true)
) AS seen (polled_at, active);",
        output: "\
+----------------------------------+
| held                             |
+----------------------------------+
| {state: up, duration: PT3660S}   |
| {state: down, duration: PT3660S} |
+----------------------------------+",
    },
};

pub const ROLLUP: Documented = Documented {
    name: "rollup",
    kind: Kind::Aggregate,
    summary: "Timelines of parts of the time as one, such as those that state_agg makes of each day, and \
              heartbeats of several ranges as those of one. The last poll of a part vouches until the next \
              part.",
    arguments: &[Argument::required(
        "timeline",
        Takes::Timeline,
        "one that overlaps no other of the group, or heartbeats",
    )],
    returns: "a timeline, or heartbeats",
    nulls: "A null is left out; of nulls alone the result is null.",
    example: Example {
        sql: "\
SELECT uptime(rollup(states)) AS uptime
FROM (
    SELECT state_agg(polled_at, active) AS states
    FROM (VALUES
        ('Tuesday', '2023-01-24 10:00:00', true),
        ('Tuesday', '2023-01-24 12:00:00', true),
        ('Wednesday', '2023-01-25 09:00:00', false)
    ) AS seen (day, polled_at, active)
    GROUP BY day
);",
        output: "\
+----------+
| uptime   |
+----------+
| PT82800S |
+----------+",
    },
};

pub const TIME_BUCKET: Documented = Documented {
    name: "time_bucket",
    kind: Kind::Scalar,
    summary: "Where the bucket of an instant, a local time or a date starts, as TimescaleDB's time_bucket. \
              Buckets of days and hours are counted from Monday, 2000-01-03, those of months from January \
              2000.",
    arguments: &[
        Argument::required("width", Takes::Length, "an interval of months, or of days and hours"),
        Argument::required(
            "instant",
            Takes::Instant,
            "what is in the bucket; a text without a zone is UTC",
        ),
        Argument::optional(
            "timezone",
            Takes::Text,
            "whose clock counts, of an instant; UTC without it",
        ),
        Argument::optional(
            "origin",
            Takes::Instant,
            "where a bucket starts; of months the month alone counts",
        ),
        Argument::optional("offset", Takes::Length, "by which all buckets start later"),
    ],
    returns: "a timestamp, a local time or a date, as it is given",
    nulls: "Null where the width or the instant is; other nulls are as if they were not given.",
    example: Example {
        sql: "\
SELECT
    time_bucket('5 minutes', '2023-01-25 10:14:00Z') AS minutes,
    time_bucket('1 day', '2023-01-25 03:00:00Z', 'America/Chicago') AS local_day,
    time_bucket('1 week', '2023-01-25 10:14:00Z', origin => '2023-01-01') AS from_sunday;",
        output: "\
+----------------------+----------------------+----------------------+
| minutes              | local_day            | from_sunday          |
+----------------------+----------------------+----------------------+
| 2023-01-25T10:10:00Z | 2023-01-24T06:00:00Z | 2023-01-22T00:00:00Z |
+----------------------+----------------------+----------------------+",
    },
};
