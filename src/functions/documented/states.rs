//! Descriptions of the scalars that evaluate, combine and clip timelines.

use super::{Argument, Documented, Example, Gives, Kind, Takes};

const A_TIMELINE: Argument =
    Argument::required("timeline", Takes::Timeline, "null is unknown at all times");
const ANOTHER: Argument =
    Argument::required("other", Takes::Timeline, "null is unknown at all times");
const RANGE_FROM: Argument = Argument::optional("from", Takes::Instant, "start of the range");
const RANGE_TO: Argument = Argument::optional("to", Takes::Instant, "end of the range, exclusive");

pub const STATE_AT: Documented = Documented {
    name: "state_at",
    kind: Kind::Scalar,
    summary: "State of a timeline at an instant.",
    arguments: &[A_TIMELINE, Argument::required("instant", Takes::Instant, "instant to evaluate")],
    gives: Gives::Text,
    returns: "'up', 'down' or 'unknown' (text)",
    nulls: "Null if the instant is null; a null timeline is 'unknown'.",
    example: Example {
        sql: "\
SELECT at, state_at(states, at) AS state
FROM (
    SELECT timeline(polled_at, active, 'previous', INTERVAL '2 hours') AS states
    FROM (VALUES
        ('2023-01-25 10:14:00', true),
        ('2023-01-25 11:15:00', false)
    ) AS seen (polled_at, active)
)
CROSS JOIN (VALUES
    ('2023-01-25 08:00:00'),
    ('2023-01-25 11:14:59'),
    ('2023-01-25 11:15:00'),
    ('2023-01-25 13:15:00')
) AS clock (at)
ORDER BY at;",
        output: "\
+---------------------+---------+
| at                  | state   |
+---------------------+---------+
| 2023-01-25 08:00:00 | unknown |
| 2023-01-25 11:14:59 | up      |
| 2023-01-25 11:15:00 | down    |
| 2023-01-25 13:15:00 | unknown |
+---------------------+---------+",
    },
};

pub const LIVE_RANGES: Documented = Documented {
    name: "live_ranges",
    kind: Kind::Scalar,
    summary: "Spans in which a timeline is up, in total or within a range.",
    arguments: &[A_TIMELINE, RANGE_FROM, RANGE_TO],
    gives: Gives::Spans,
    returns: "a list of {starts_at, ends_at}, UTC, half-open, sorted; an unbounded end is null, \
        which cannot occur within from and to; accepted as spans by other functions",
    nulls: "Null if from or to is null; a null timeline has no ranges.",
    example: Example {
        sql: "\
SELECT unnest(live_ranges(timeline(polled_at, active))) AS span
FROM (VALUES
    ('2023-01-25 10:14:00', true),
    ('2023-01-25 11:15:00', false),
    ('2023-01-25 12:16:00', true)
) AS seen (polled_at, active);",
        output: "\
+----------------------------------------------+
| span                                         |
+----------------------------------------------+
| {starts_at: , ends_at: 2023-01-25T11:15:00Z} |
| {starts_at: 2023-01-25T12:16:00Z, ends_at: } |
+----------------------------------------------+",
    },
};

pub const DEAD_RANGES: Documented = Documented {
    name: "dead_ranges",
    kind: Kind::Scalar,
    summary: "Spans in which a timeline is down, in total or within a range.",
    arguments: &[A_TIMELINE, RANGE_FROM, RANGE_TO],
    gives: Gives::Spans,
    returns: "a list of {starts_at, ends_at}, as live_ranges returns it; unknown time is in \
        neither",
    nulls: "Null if from or to is null; a null timeline has no ranges.",
    example: Example {
        sql: "\
SELECT unnest(dead_ranges(timeline(polled_at, active), '2023-01-25', '2023-01-26')) AS span
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

pub const TIMELINE_AND: Documented = Documented {
    name: "timeline_and",
    kind: Kind::Scalar,
    summary: "Down while either timeline is down, up while both are up, otherwise unknown.",
    arguments: &[A_TIMELINE, ANOTHER],
    gives: Gives::Timeline,
    returns: "a timeline",
    nulls: "Null if both are null.",
    example: Example {
        sql: "\
SELECT unnest(timeline_and(kitchen, till)) AS step
FROM (
    SELECT
        timeline(polled_at, active) FILTER (WHERE part = 'kitchen') AS kitchen,
        timeline(polled_at, active) FILTER (WHERE part = 'till') AS till
    FROM (VALUES
        ('kitchen', '2023-01-25 10:00:00', true),
        ('kitchen', '2023-01-25 11:00:00', false),
        ('kitchen', '2023-01-25 12:00:00', true),
        ('till', '2023-01-25 10:00:00', true),
        ('till', '2023-01-25 12:30:00', false)
    ) AS seen (part, polled_at, active)
);",
        output: "\
+--------------------------------------------------+
| step                                             |
+--------------------------------------------------+
| {starts_at: , active: true}                      |
| {starts_at: 2023-01-25T11:00:00Z, active: false} |
| {starts_at: 2023-01-25T12:00:00Z, active: true}  |
| {starts_at: 2023-01-25T12:30:00Z, active: false} |
+--------------------------------------------------+",
    },
};

pub const TIMELINE_OR: Documented = Documented {
    name: "timeline_or",
    kind: Kind::Scalar,
    summary: "Up while either timeline is up, down while both are down, otherwise unknown.",
    arguments: &[A_TIMELINE, ANOTHER],
    gives: Gives::Timeline,
    returns: "a timeline",
    nulls: "Null if both are null.",
    example: Example {
        sql: "\
SELECT unnest(timeline_or(first, second)) AS step
FROM (
    SELECT
        timeline(polled_at, active) FILTER (WHERE line = 1) AS first,
        timeline(polled_at, active) FILTER (WHERE line = 2) AS second
    FROM (VALUES
        (1, '2023-01-25 10:00:00', true),
        (1, '2023-01-25 11:00:00', false),
        (2, '2023-01-25 10:00:00', false),
        (2, '2023-01-25 12:00:00', true)
    ) AS seen (line, polled_at, active)
);",
        output: "\
+--------------------------------------------------+
| step                                             |
+--------------------------------------------------+
| {starts_at: , active: true}                      |
| {starts_at: 2023-01-25T11:00:00Z, active: false} |
| {starts_at: 2023-01-25T12:00:00Z, active: true}  |
+--------------------------------------------------+",
    },
};

pub const TIMELINE_NOT: Documented = Documented {
    name: "timeline_not",
    kind: Kind::Scalar,
    summary: "Up while the timeline is down, down while it is up, otherwise unknown.",
    arguments: &[A_TIMELINE],
    gives: Gives::Timeline,
    returns: "a timeline",
    nulls: "Null if the timeline is null.",
    example: Example {
        sql: "\
SELECT unnest(timeline_not(timeline(polled_at, active))) AS step
FROM (VALUES
    ('2023-01-25 10:14:00', true),
    ('2023-01-25 11:15:00', false)
) AS seen (polled_at, active);",
        output: "\
+-------------------------------------------------+
| step                                            |
+-------------------------------------------------+
| {starts_at: , active: false}                    |
| {starts_at: 2023-01-25T11:15:00Z, active: true} |
+-------------------------------------------------+",
    },
};

pub const TIMELINE_CLIP: Documented = Documented {
    name: "timeline_clip",
    kind: Kind::Scalar,
    summary: "Clips a timeline to a range; it is unknown outside.",
    arguments: &[
        A_TIMELINE,
        Argument::required("from", Takes::Instant, "start of the range"),
        Argument::required("to", Takes::Instant, "end of the range, exclusive"),
    ],
    gives: Gives::Timeline,
    returns: "a timeline",
    nulls: "Null if an argument is null.",
    example: Example {
        sql: "\
SELECT unnest(
    timeline_clip(timeline(polled_at, active), '2023-01-25 11:00:00', '2023-01-25 12:00:00')
) AS step
FROM (VALUES
    ('2023-01-25 10:14:00', true),
    ('2023-01-25 11:15:00', false)
) AS seen (polled_at, active);",
        output: "\
+--------------------------------------------------+
| step                                             |
+--------------------------------------------------+
| {starts_at: , active: }                          |
| {starts_at: 2023-01-25T11:00:00Z, active: true}  |
| {starts_at: 2023-01-25T11:15:00Z, active: false} |
| {starts_at: 2023-01-25T12:00:00Z, active: }      |
+--------------------------------------------------+",
    },
};
