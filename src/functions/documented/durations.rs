//! Descriptions of time in state, with the names of TimescaleDB Toolkit.

use super::{Argument, Documented, Example, Kind, Takes};

const A_TIMELINE: Argument = Argument::required(
    "timeline",
    Takes::Timeline,
    "of state_agg(...) for the Toolkit's figures; null is unknown over all time",
);
const STATE: Argument = Argument::required("state", Takes::Text, "'up', 'down' or 'unknown'");

pub const DURATION_IN: Documented = Documented {
    name: "duration_in",
    kind: Kind::Scalar,
    summary: "How long a state held: in all, from an instant on, or from it for an interval. As in \
              TimescaleDB Toolkit, but for the names of states; the state may come first.",
    arguments: &[
        A_TIMELINE,
        STATE,
        Argument::optional("start", Takes::Instant, "from when on; without it since ever"),
        Argument::optional(
            "interval",
            Takes::Length,
            "for how long, months of the calendar and days of 24 hours; null or without it for \
             ever",
        ),
    ],
    returns: "a duration in microseconds (DURATION, which PostgreSQL clients see as an INTERVAL; \
              EXTRACT(epoch FROM ...) is its whole seconds)",
    nulls: "Null where the state or the start is, and where the state holds for ever: give a start and \
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
    summary: "How long a state held in one bucket of time, from its start to its end: before the first \
              known state the last one of the bucket before holds, after the last known state that one. \
              As in TimescaleDB Toolkit, but never beyond the bucket.",
    arguments: &[
        A_TIMELINE,
        STATE,
        Argument::required("start", Takes::Instant, "start of the bucket"),
        Argument::required(
            "interval",
            Takes::Length,
            "length of the bucket, months of the calendar and days of 24 hours",
        ),
        Argument::optional(
            "prev",
            Takes::Timeline,
            "timeline of the bucket before, as lag(...) gives it; without it nothing is known \
             before the first poll",
        ),
    ],
    returns: "a duration in microseconds, as duration_in returns it",
    nulls: "Null where the state or the start is; a null timeline, of a bucket without polls, \
            holds what prev ended with.",
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
