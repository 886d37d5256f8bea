//! Descriptions of the scalars that lay out hours and sum up time.

use super::{Argument, Documented, Example, Kind, Takes};

const FROM: Argument = Argument::required("from", Takes::Instant, "start of the range");
const TO: Argument = Argument::required("to", Takes::Instant, "end of the range, not in it");
const TIME_ZONE: Argument =
    Argument::required("time_zone", Takes::Text, "an IANA name like 'America/Chicago'");
const A_TIMELINE: Argument =
    Argument::required("timeline", Takes::Timeline, "null is unknown over all time");
const SPANS: Argument = Argument::required(
    "spans",
    Takes::Spans,
    "the time that counts, in order, none overlapping another",
);

pub const OPEN_SPANS: Documented = Documented {
    name: "open_spans",
    kind: Kind::Scalar,
    summary: "Lays a store's week onto the calendar, daylight saving and all: when it should be open \
              within the range, of at most 100 years.",
    arguments: &[
        Argument::required("weekly_hours", Takes::Week, "null never closes"),
        TIME_ZONE,
        FROM,
        TO,
        Argument::optional(
            "snap_end_of_day",
            Takes::Boolean,
            "whether ends from 23:59:00 on are read as 24:00; false without it",
        ),
    ],
    returns: "a list of {starts_at, ends_at}, UTC, half-open, in order, none touching another",
    nulls: "Null where the time zone, from or to is.",
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
    summary: "Cuts a range, of at most 100 years, into the calendar days of a time zone.",
    arguments: &[TIME_ZONE, FROM, TO],
    returns: "a list of {starts_at, ends_at}, UTC, the first and the last cut to the range",
    nulls: "Null where an argument is.",
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
    summary: "Folds polls into a timeline of which each piece is filled from its own polls alone.",
    arguments: &[
        Argument::required("poll_list", Takes::PollList, "the polls"),
        Argument::required("pieces", Takes::Spans, "in order, none overlapping another"),
        Argument::optional(
            "interpolation",
            Takes::Text,
            "'previous' (the default), 'nearest' or 'next'",
        ),
        Argument::optional(
            "max_gap",
            Takes::Length,
            "how long before and after itself a poll vouches; null is for ever",
        ),
    ],
    returns: "a timeline, unknown outside of the pieces",
    nulls: "Null where the polls or the pieces are.",
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
    summary: "How long each state held within the spans and the range.",
    arguments: &[A_TIMELINE, SPANS, FROM, TO],
    returns: "a struct {up, down, unknown} of microseconds (BIGINT), which add up to the time of the \
              spans within the range",
    nulls: "Null where the spans, from or to are.",
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
    summary: "How long a state held within the spans and the range.",
    arguments: &[
        A_TIMELINE,
        SPANS,
        Argument::required(
            "state",
            Takes::Text,
            "'up', 'down', 'unknown', or 'open' for all of them",
        ),
        FROM,
        TO,
    ],
    returns: "microseconds (BIGINT)",
    nulls: "Null where the spans, the state, from or to are.",
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
