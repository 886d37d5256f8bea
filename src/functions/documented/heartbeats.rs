//! Descriptions of heartbeat functions, with the names of TimescaleDB Toolkit, some of which take
//! timelines too.

use super::{Argument, Documented, Example, Gives, Kind, Takes};

const HEARTBEATS: Argument =
    Argument::required("heartbeats", Takes::Heartbeats, "from heartbeat_agg(...)");
const EARLIER: Argument = Argument::required(
    "prev",
    Takes::Heartbeats,
    "heartbeats of the range before, as from lag(...); null if there are none",
);
const LIVENESS: Argument = Argument::required(
    "timeline",
    Takes::Timeline,
    "heartbeats from heartbeat_agg(...), or a timeline",
);

pub const HEARTBEAT_AGG: Documented = Documented {
    name: "heartbeat_agg",
    kind: Kind::Aggregate,
    summary: "Folds heartbeats into the time for which their sender was live, a fixed time per \
        heartbeat, and dead for the rest of a range, like TimescaleDB Toolkit's heartbeat_agg.",
    arguments: &[
        Argument::required("heartbeat", Takes::Instant, "time of the heartbeat, within the range"),
        Argument::required(
            "start",
            Takes::Instant,
            "start of the range, the same for all rows of \
            a group",
        ),
        Argument::required("duration", Takes::Length, "length of the range"),
        Argument::required(
            "liveness",
            Takes::Length,
            "live time after each heartbeat, in days and hours",
        ),
    ],
    gives: Gives::Heartbeats,
    returns: "heartbeats, accepted wherever a timeline is: up while live, down while dead, \
        unknown outside the range",
    nulls: "Rows with a null are ignored; without heartbeats the result is null.",
    example: Example {
        sql: "\
SELECT
    uptime(beats) AS uptime,
    downtime(beats) AS downtime,
    num_live_ranges(beats) AS live,
    num_gaps(beats) AS gaps
FROM (
    SELECT heartbeat_agg(heard_at, '2023-01-25 10:00:00', '1 hour', '10 minutes') AS beats
    FROM (VALUES
        ('2023-01-25 10:02:20'),
        ('2023-01-25 10:10:00'),
        ('2023-01-25 10:30:00')
    ) AS pings (heard_at)
);",
        output: "\
+---------+----------+------+------+
| uptime  | downtime | live | gaps |
+---------+----------+------+------+
| PT1660S | PT1940S  | 2    | 3    |
+---------+----------+------+------+",
    },
};

pub const UPTIME_OF: Documented = Documented {
    name: "uptime",
    kind: Kind::Scalar,
    summary: "Total time that heartbeats or a timeline are up; for the figures of stores, use \
        uptime(from, to) in FROM.",
    arguments: &[LIVENESS],
    gives: Gives::Duration,
    returns: "a duration in microseconds, as duration_in returns it",
    nulls: "Null if the timeline is null or the time is unbounded.",
    example: Example {
        sql: "\
SELECT uptime(state_agg(polled_at, active)) AS uptime
FROM (VALUES
    ('2023-01-25 10:14:00', true),
    ('2023-01-25 11:15:00', false)
) AS seen (polled_at, active);",
        output: "\
+---------+
| uptime  |
+---------+
| PT3660S |
+---------+",
    },
};

pub const DOWNTIME_OF: Documented = Documented {
    name: "downtime",
    kind: Kind::Scalar,
    summary: "Total time that heartbeats or a timeline are down.",
    arguments: &[LIVENESS],
    gives: Gives::Duration,
    returns: "a duration in microseconds, as duration_in returns it",
    nulls: "Null if the timeline is null or the time is unbounded.",
    example: Example {
        sql: "\
SELECT downtime(heartbeat_agg(heard_at, '2023-01-25', '1 day', '12 hours')) AS downtime
FROM (VALUES ('2023-01-25 10:00:00')) AS pings (heard_at);",
        output: "\
+----------+
| downtime |
+----------+
| PT43200S |
+----------+",
    },
};

pub const LIVE_AT: Documented = Documented {
    name: "live_at",
    kind: Kind::Scalar,
    summary: "True if heartbeats or a timeline are up at an instant.",
    arguments: &[LIVENESS, Argument::required("instant", Takes::Instant, "instant to evaluate")],
    gives: Gives::Boolean,
    returns: "true or false",
    nulls: "Null if an argument is null or the state is unknown, as outside the range of \
        heartbeats.",
    example: Example {
        sql: "\
SELECT
    live_at(beats, '2023-01-25 10:05:00') AS soon,
    live_at(beats, '2023-01-25 11:00:00') AS late,
    live_at(beats, '2023-01-27') AS after_all
FROM (
    SELECT heartbeat_agg(heard_at, '2023-01-25', '1 day', '10 minutes') AS beats
    FROM (VALUES ('2023-01-25 10:00:00')) AS pings (heard_at)
);",
        output: "\
+------+-------+-----------+
| soon | late  | after_all |
+------+-------+-----------+
| true | false |           |
+------+-------+-----------+",
    },
};

pub const NUM_LIVE_RANGES: Documented = Documented {
    name: "num_live_ranges",
    kind: Kind::Scalar,
    summary: "Number of ranges that live_ranges returns.",
    arguments: &[LIVENESS],
    gives: Gives::Number,
    returns: "a number (BIGINT)",
    nulls: "Null if the timeline is null.",
    example: Example {
        sql: "\
SELECT num_live_ranges(timeline(polled_at, active)) AS live
FROM (VALUES
    ('2023-01-25 10:14:00', true),
    ('2023-01-25 11:15:00', false),
    ('2023-01-25 12:16:00', true)
) AS seen (polled_at, active);",
        output: "\
+------+
| live |
+------+
| 2    |
+------+",
    },
};

pub const NUM_GAPS: Documented = Documented {
    name: "num_gaps",
    kind: Kind::Scalar,
    summary: "Number of ranges that dead_ranges returns.",
    arguments: &[LIVENESS],
    gives: Gives::Number,
    returns: "a number (BIGINT)",
    nulls: "Null if the timeline is null.",
    example: Example {
        sql: "\
SELECT num_gaps(timeline(polled_at, active)) AS gaps
FROM (VALUES
    ('2023-01-25 10:14:00', true),
    ('2023-01-25 11:15:00', false),
    ('2023-01-25 12:16:00', true)
) AS seen (polled_at, active);",
        output: "\
+------+
| gaps |
+------+
| 1    |
+------+",
    },
};

pub const INTERPOLATE: Documented = Documented {
    name: "interpolate",
    kind: Kind::Scalar,
    summary: "Adds the live time that the last heartbeat of the preceding range contributes to \
        this range.",
    arguments: &[HEARTBEATS, EARLIER],
    gives: Gives::Heartbeats,
    returns: "heartbeats",
    nulls: "Null if the heartbeats are null; unchanged if prev is null.",
    example: Example {
        sql: "\
SELECT day, live_ranges(interpolate(beats, lag(beats) OVER (ORDER BY day))) AS live
FROM (
    SELECT day, heartbeat_agg(heard_at, day, '1 day', '1 hour') AS beats
    FROM (VALUES
        ('2023-01-24', '2023-01-24 23:30:00'),
        ('2023-01-25', '2023-01-25 00:20:00')
    ) AS pings (day, heard_at)
    GROUP BY day
)
ORDER BY day;",
        output: "\
+------------+--------------------------------------------------------------------+
| day        | live                                                               |
+------------+--------------------------------------------------------------------+
| 2023-01-24 | [{starts_at: 2023-01-24T23:30:00Z, ends_at: 2023-01-25T00:00:00Z}] |
| 2023-01-25 | [{starts_at: 2023-01-25T00:00:00Z, ends_at: 2023-01-25T01:20:00Z}] |
+------------+--------------------------------------------------------------------+",
    },
};

pub const INTERPOLATED_UPTIME: Documented = Documented {
    name: "interpolated_uptime",
    kind: Kind::Scalar,
    summary: "uptime(interpolate(heartbeats, prev)).",
    arguments: &[HEARTBEATS, EARLIER],
    gives: Gives::Duration,
    returns: "a duration in microseconds, as duration_in returns it",
    nulls: "Null if the heartbeats are null.",
    example: Example {
        sql: "\
SELECT
    day,
    interpolated_uptime(beats, lag(beats) OVER (ORDER BY day)) AS uptime
FROM (
    SELECT day, heartbeat_agg(heard_at, day, '1 day', '1 hour') AS beats
    FROM (VALUES
        ('2023-01-24', '2023-01-24 23:30:00'),
        ('2023-01-25', '2023-01-25 10:00:00')
    ) AS pings (day, heard_at)
    GROUP BY day
)
ORDER BY day;",
        output: "\
+------------+---------+
| day        | uptime  |
+------------+---------+
| 2023-01-24 | PT1800S |
| 2023-01-25 | PT5400S |
+------------+---------+",
    },
};

pub const INTERPOLATED_DOWNTIME: Documented = Documented {
    name: "interpolated_downtime",
    kind: Kind::Scalar,
    summary: "downtime(interpolate(heartbeats, prev)).",
    arguments: &[HEARTBEATS, EARLIER],
    gives: Gives::Duration,
    returns: "a duration in microseconds, as duration_in returns it",
    nulls: "Null if the heartbeats are null.",
    example: Example {
        sql: "\
SELECT interpolated_downtime(beats, NULL) AS downtime
FROM (
    SELECT heartbeat_agg(heard_at, '2023-01-25', '1 day', '1 hour') AS beats
    FROM (VALUES ('2023-01-25 10:00:00')) AS pings (heard_at)
);",
        output: "\
+----------+
| downtime |
+----------+
| PT82800S |
+----------+",
    },
};

pub const TRIM_TO: Documented = Documented {
    name: "trim_to",
    kind: Kind::Scalar,
    summary: "Restricts heartbeats to a part of their range; live time that reaches into the part \
        counts.",
    arguments: &[
        HEARTBEATS,
        Argument::optional(
            "start",
            Takes::Instant,
            "start of the part; that of the range by default or if null",
        ),
        Argument::optional(
            "duration",
            Takes::Length,
            "length of the part; to the end of the range by default or if null",
        ),
    ],
    gives: Gives::Heartbeats,
    returns: "heartbeats",
    nulls: "Null if the heartbeats are null, or if the part ends before it starts.",
    example: Example {
        sql: "\
SELECT unnest(live_ranges(trim_to(beats, '2023-01-25 10:30:00', '1 hour'))) AS live
FROM (
    SELECT heartbeat_agg(heard_at, '2023-01-25', '1 day', '40 minutes') AS beats
    FROM (VALUES ('2023-01-25 10:00:00'), ('2023-01-25 11:00:00')) AS pings (heard_at)
);",
        output: "\
+------------------------------------------------------------------+
| live                                                             |
+------------------------------------------------------------------+
| {starts_at: 2023-01-25T10:30:00Z, ends_at: 2023-01-25T10:40:00Z} |
| {starts_at: 2023-01-25T11:00:00Z, ends_at: 2023-01-25T11:30:00Z} |
+------------------------------------------------------------------+",
    },
};
