//! Descriptions of time in state, with the names of TimescaleDB Toolkit.

use super::{Argument, Documented, Example, Gives, Kind, Takes};

const A_TIMELINE: Argument = Argument::required(
    "timeline",
    Takes::Timeline,
    "from state_agg(...) for the Toolkit's figures; null is unknown at all times",
);
const STATE: Argument = Argument::required("state", Takes::Text, "'up', 'down' or 'unknown'");

pub const DURATION_IN: Documented = Documented {
    name: "duration_in",
    kind: Kind::Scalar,
    summary: "Time in a state: in total, from an instant on, or for an interval from it. Like \
        TimescaleDB Toolkit's, except for the names of states; the state may be the first \
        argument.",
    arguments: &[
        A_TIMELINE,
        STATE,
        Argument::optional("start", Takes::Instant, "start of the range; unbounded by default"),
        Argument::optional(
            "interval",
            Takes::Length,
            "length of the range, in calendar months and days of 24 hours; unbounded by default \
             or if null",
        ),
    ],
    gives: Gives::Duration,
    returns: "a duration in microseconds (DURATION, which PostgreSQL clients see as an INTERVAL; \
              EXTRACT(epoch FROM ...) is its whole seconds)",
    nulls: "Null if the state or the start is null, or if the time is unbounded: give a start and \
        an interval, or fold with state_agg.",
    example: Example {
        sql: "\
SELECT
    duration_in(states, 'up') AS up,
    duration_in(states, 'up', '2023-01-25 10:30:00', INTERVAL '1 hour') AS up_within
FROM (
    SELECT state_agg(polled_at, active) AS states
    FROM (VALUES
        ('2023-01-25 10:14:00', true),
        ('2023-01-25 11:15:00', false),
        ('2023-01-25 12:16:00', true)
    ) AS seen (polled_at, active)
);",
        output: "\
+---------+-----------+
| up      | up_within |
+---------+-----------+
| PT3660S | PT2700S   |
+---------+-----------+",
    },
};

pub const INTERPOLATED_DURATION_IN: Documented = Documented {
    name: "interpolated_duration_in",
    kind: Kind::Scalar,
    summary: "Time in a state within a bucket of time: the last state of the bucket before holds \
        until the first known state, and the last known state until the end. Like TimescaleDB \
        Toolkit's, but never beyond the bucket.",
    arguments: &[
        A_TIMELINE,
        STATE,
        Argument::required("start", Takes::Instant, "start of the bucket"),
        Argument::required(
            "interval",
            Takes::Length,
            "length of the bucket, in calendar months and days of 24 hours",
        ),
        Argument::optional(
            "prev",
            Takes::Timeline,
            "timeline of the bucket before, as from lag(...); without it the state before the \
             first poll is unknown",
        ),
    ],
    gives: Gives::Duration,
    returns: "a duration in microseconds, as duration_in returns it",
    nulls: "Null if the state or the start is null; a null timeline, of a bucket without polls, \
        has the last state of prev.",
    example: Example {
        sql: "\
SELECT
    bucket,
    interpolated_duration_in(states, 'up', bucket, '1 hour', lag(states) OVER (ORDER BY bucket)) AS up
FROM (
    SELECT
        date_bin(INTERVAL '1 hour', polled_at::TIMESTAMP) AS bucket,
        state_agg(polled_at, active) AS states
    FROM (VALUES
        ('2023-01-25 10:14:00', true),
        ('2023-01-25 11:15:00', false),
        ('2023-01-25 12:16:00', true)
    ) AS seen (polled_at, active)
    GROUP BY bucket
)
ORDER BY bucket;",
        output: "\
+---------------------+---------+
| bucket              | up      |
+---------------------+---------+
| 2023-01-25T10:00:00 | PT2760S |
| 2023-01-25T11:00:00 | PT900S  |
| 2023-01-25T12:00:00 | PT2640S |
+---------------------+---------+",
    },
};
