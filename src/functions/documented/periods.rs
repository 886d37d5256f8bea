//! Descriptions of state periods and of `rollup`, with the names of TimescaleDB Toolkit.

use super::{Argument, Documented, Example, Gives, Kind, Takes};

const A_TIMELINE: Argument =
    Argument::required("timeline", Takes::Timeline, "null is unknown at all times");
const STATE: Argument = Argument::required("state", Takes::Text, "'up', 'down' or 'unknown'");
const START: Argument = Argument::required("start", Takes::Instant, "start of the bucket");
const LENGTH: Argument = Argument::required(
    "interval",
    Takes::Length,
    "length of the bucket, in calendar months and days of 24 hours",
);
const EARLIER: Argument = Argument::optional(
    "prev",
    Takes::Timeline,
    "timeline of the bucket before, as from lag(...); without it the state before the first poll \
     is unknown",
);

pub const UNKNOWN_RANGES: Documented = Documented {
    name: "unknown_ranges",
    kind: Kind::Scalar,
    summary: "Spans in which the state of a timeline is unknown, in total or within a range.",
    arguments: &[
        A_TIMELINE,
        Argument::optional("from", Takes::Instant, "start of the range"),
        Argument::optional("to", Takes::Instant, "end of the range, exclusive"),
    ],
    gives: Gives::Spans,
    returns: "a list of {starts_at, ends_at}, as live_ranges returns it",
    nulls: "Null if from or to is null; a null timeline is unknown at all times.",
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
    summary: "Spans in which a timeline is in a state, which may also be the first argument; \
        empty spans are left out.",
    arguments: &[A_TIMELINE, STATE],
    gives: Gives::Spans,
    returns: "a list of {starts_at, ends_at}, as live_ranges returns it",
    nulls: "Null if the state is null; a null timeline is unknown at all times.",
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
    summary: "Spans of a state within a bucket of time, whose ends are filled as by \
        interpolated_duration_in.",
    arguments: &[A_TIMELINE, STATE, START, LENGTH, EARLIER],
    gives: Gives::Spans,
    returns: "a list of {starts_at, ends_at}, as live_ranges returns it",
    nulls: "Null if the state, the start or the interval is null.",
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
    summary: "Segments of a timeline from its first known state to its last one; the last segment \
        of state_agg(...) may be empty. Can be called in FROM, too.",
    arguments: &[A_TIMELINE],
    gives: Gives::Segments,
    returns: "a list of {state, starts_at, ends_at}; an unbounded end is null",
    nulls: "A null timeline has no segments.",
    example: Example {
        sql: "\
SELECT unnest(state_timeline(state_agg(polled_at, active))) AS segment
FROM (VALUES
    ('2023-01-25 10:14:00', true),
    ('2023-01-25 11:15:00', false),
    ('2023-01-25 12:16:00', true)
) AS seen (polled_at, active);",
        output: "\
+-------------------------------------------------------------------------------+
| segment                                                                       |
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
    summary: "Segments of a bucket of time, whose ends are filled as by interpolated_duration_in.",
    arguments: &[A_TIMELINE, START, LENGTH, EARLIER],
    gives: Gives::Segments,
    returns: "a list of {state, starts_at, ends_at}",
    nulls: "Null if the start or the interval is null.",
    example: Example {
        sql: "\
SELECT unnest(interpolated_state_timeline(state_agg(polled_at, active), '2023-01-25', '1 day')) AS segment
FROM (VALUES
    ('2023-01-25 10:14:00', true),
    ('2023-01-25 11:15:00', false)
) AS seen (polled_at, active);",
        output: "\
+-------------------------------------------------------------------------------+
| segment                                                                       |
+-------------------------------------------------------------------------------+
| {state: up, starts_at: 2023-01-25T10:14:00Z, ends_at: 2023-01-25T11:15:00Z}   |
| {state: down, starts_at: 2023-01-25T11:15:00Z, ends_at: 2023-01-26T00:00:00Z} |
+-------------------------------------------------------------------------------+",
    },
};

pub const INTO_VALUES: Documented = Documented {
    name: "into_values",
    kind: Kind::Scalar,
    summary: "Time in each state of a timeline, from its first known state to its last one. Can \
        be called in FROM, too.",
    arguments: &[A_TIMELINE],
    gives: Gives::StateDurations,
    returns: "a list of {state, duration} for the states that occur, up first; an unbounded \
        duration is null",
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
    summary: "Combines timelines of disjoint parts of time, such as state_agg per day, or \
        heartbeats of several ranges. The last status of a part holds until the next part.",
    arguments: &[Argument::required(
        "timeline",
        Takes::Timeline,
        "timeline that overlaps no other one of the group, or heartbeats",
    )],
    gives: Gives::TimelineOfArgument,
    returns: "a timeline, or heartbeats",
    nulls: "Nulls are ignored; the result is null if all values are.",
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
    summary: "Start of the bucket of an instant, a local time or a date, like TimescaleDB's \
        time_bucket. Buckets of days and hours are aligned with Monday, 2000-01-03, those of \
        months with January 2000.",
    arguments: &[
        Argument::required("width", Takes::Length, "an interval of months, or of days and hours"),
        Argument::required(
            "instant",
            Takes::Instant,
            "time in the bucket; a text without a time zone is UTC",
        ),
        Argument::optional(
            "timezone",
            Takes::Text,
            "time zone in which an instant is bucketed; UTC by default",
        ),
        Argument::optional(
            "origin",
            Takes::Instant,
            "start of a bucket; for months, only the month matters",
        ),
        Argument::optional("offset", Takes::Length, "delay of the start of all buckets"),
    ],
    gives: Gives::TimeOfArgument,
    returns: "a timestamp, a local time or a date, like the argument",
    nulls: "Null if the width or the instant is null; other nulls stand for the default.",
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
