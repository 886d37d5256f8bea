//! Descriptions of the scalars that lay out hours and sum up time.

use super::{Argument, Documented, Example, Gives, Kind, Takes};

const FROM: Argument = Argument::required("from", Takes::Instant, "start of the range");
const TO: Argument = Argument::required("to", Takes::Instant, "end of the range, exclusive");
const TIME_ZONE: Argument =
    Argument::required("time_zone", Takes::Text, "an IANA name like 'America/Chicago'");
const A_TIMELINE: Argument =
    Argument::required("timeline", Takes::Timeline, "null is unknown at all times");
const SPANS: Argument =
    Argument::required("spans", Takes::Spans, "time that counts, sorted and without overlaps");

pub const OPEN_SPANS: Documented = Documented {
    name: "open_spans",
    kind: Kind::Scalar,
    summary: "Lays a weekly schedule onto the calendar of a time zone, including daylight saving: \
        the openings within a range of at most 100 years.",
    arguments: &[
        Argument::required("weekly_hours", Takes::Week, "null for a store that never closes"),
        TIME_ZONE,
        FROM,
        TO,
        Argument::optional(
            "snap_end_of_day",
            Takes::Boolean,
            "true to treat ends from 23:59:00 on as 24:00; false by default",
        ),
    ],
    gives: Gives::Spans,
    returns: "a list of {starts_at, ends_at}, UTC, half-open, sorted, neither overlapping nor \
        adjacent",
    nulls: "Null if the time zone, from or to is null.",
    example: Example {
        sql: "\
SELECT unnest(open_spans(week, 'America/Chicago', '2023-03-11', '2023-03-13')) AS span
FROM (
    SELECT weekly_hours(day, 18 * 3600, 2 * 3600) AS week
    FROM (VALUES (4), (5)) AS hours (day)
);",
        output: "\
+------------------------------------------------------------------+
| span                                                             |
+------------------------------------------------------------------+
| {starts_at: 2023-03-11T00:00:00Z, ends_at: 2023-03-11T08:00:00Z} |
| {starts_at: 2023-03-12T00:00:00Z, ends_at: 2023-03-12T08:00:00Z} |
+------------------------------------------------------------------+",
    },
};

pub const LOCAL_DAYS: Documented = Documented {
    name: "local_days",
    kind: Kind::Scalar,
    summary: "Splits a range of at most 100 years into the calendar days of a time zone.",
    arguments: &[TIME_ZONE, FROM, TO],
    gives: Gives::Spans,
    returns: "a list of {starts_at, ends_at}, UTC; the first and the last day are clipped to the \
        range",
    nulls: "Null if an argument is null.",
    example: Example {
        sql: "\
SELECT unnest(local_days('America/Chicago', '2023-03-12', '2023-03-13 12:00:00')) AS day;",
        output: "\
+------------------------------------------------------------------+
| day                                                              |
+------------------------------------------------------------------+
| {starts_at: 2023-03-12T00:00:00Z, ends_at: 2023-03-12T06:00:00Z} |
| {starts_at: 2023-03-12T06:00:00Z, ends_at: 2023-03-13T05:00:00Z} |
| {starts_at: 2023-03-13T05:00:00Z, ends_at: 2023-03-13T12:00:00Z} |
+------------------------------------------------------------------+",
    },
};

pub const TIMELINE_WITHIN: Documented = Documented {
    name: "timeline_within",
    kind: Kind::Scalar,
    summary: "Folds polls into a timeline in which each span is filled from the polls within it \
        only.",
    arguments: &[
        Argument::required("poll_list", Takes::PollList, "polls from poll_list(...)"),
        Argument::required("pieces", Takes::Spans, "spans to fill, sorted and without overlaps"),
        Argument::optional(
            "interpolation",
            Takes::Text,
            "'previous' (the default), 'nearest' or 'next'",
        ),
        Argument::optional(
            "max_gap",
            Takes::Length,
            "longest time before and after a poll for which its status holds; unlimited by \
             default or if null",
        ),
    ],
    gives: Gives::Timeline,
    returns: "a timeline, unknown outside the spans",
    nulls: "Null if the polls or the spans are null.",
    example: Example {
        sql: "\
SELECT unnest(
    timeline_within(poll_list(polled_at, active), local_days('UTC', '2023-01-24', '2023-01-26'))
) AS step
FROM (VALUES
    ('2023-01-24 10:14:00', true),
    ('2023-01-25 11:15:00', false)
) AS seen (polled_at, active);",
        output: "\
+--------------------------------------------------+
| step                                             |
+--------------------------------------------------+
| {starts_at: , active: }                          |
| {starts_at: 2023-01-24T00:00:00Z, active: true}  |
| {starts_at: 2023-01-25T00:00:00Z, active: false} |
| {starts_at: 2023-01-26T00:00:00Z, active: }      |
+--------------------------------------------------+",
    },
};

pub const TIMES_IN: Documented = Documented {
    name: "times_in",
    kind: Kind::Scalar,
    summary: "Time in each state within the spans and the range.",
    arguments: &[A_TIMELINE, SPANS, FROM, TO],
    gives: Gives::Times,
    returns: "a struct {up, down, unknown} of microseconds (BIGINT), which add up to the time of the \
              spans within the range",
    nulls: "Null if the spans, from or to are null.",
    example: Example {
        sql: "\
SELECT times_in(
    timeline(polled_at, active, 'previous', INTERVAL '30 minutes'),
    [{starts_at: '2023-01-25 09:00:00', ends_at: '2023-01-25 12:00:00'}],
    '2023-01-25', '2023-01-26'
) AS times
FROM (VALUES
    ('2023-01-25 10:14:00', true),
    ('2023-01-25 11:15:00', false)
) AS seen (polled_at, active);",
        output: "\
+---------------------------------------------------------+
| times                                                   |
+---------------------------------------------------------+
| {up: 3600000000, down: 1800000000, unknown: 5400000000} |
+---------------------------------------------------------+",
    },
};

pub const TIME_IN: Documented = Documented {
    name: "time_in",
    kind: Kind::Scalar,
    summary: "Time in a state within the spans and the range.",
    arguments: &[
        A_TIMELINE,
        SPANS,
        Argument::required(
            "state",
            Takes::Text,
            "'up', 'down', 'unknown', or 'open' for their total",
        ),
        FROM,
        TO,
    ],
    gives: Gives::Number,
    returns: "microseconds (BIGINT)",
    nulls: "Null if the spans, the state, from or to are null.",
    example: Example {
        sql: "\
SELECT
    time_in(states, open, 'up', '2023-01-25', '2023-01-26') / 60000000 AS up_minutes,
    time_in(states, open, 'down', '2023-01-25', '2023-01-26') / 60000000 AS down_minutes
FROM (
    SELECT
        timeline(polled_at, active) AS states,
        [{starts_at: '2023-01-25 09:00:00', ends_at: '2023-01-25 12:00:00'}] AS open
    FROM (VALUES
        ('2023-01-25 10:14:00', true),
        ('2023-01-25 11:15:00', false)
    ) AS seen (polled_at, active)
);",
        output: "\
+------------+--------------+
| up_minutes | down_minutes |
+------------+--------------+
| 135        | 45           |
+------------+--------------+",
    },
};
