//! Descriptions of the aggregates.

use super::{Argument, Documented, Example, Gives, Kind, Takes};

const POLLED_AT: Argument =
    Argument::required("polled_at", Takes::Instant, "time of the observation");
const ACTIVE: Argument = Argument::required("active", Takes::Boolean, "true if the store was up");

pub const TIMELINE: Documented = Documented {
    name: "timeline",
    kind: Kind::Aggregate,
    summary: "Folds polls into a timeline: each status holds until the next poll, the first one \
        also before it, and the last one forever.",
    arguments: &[
        POLLED_AT,
        ACTIVE,
        Argument::optional(
            "interpolation",
            Takes::Text,
            "constant: poll whose status holds between two polls, 'previous' (the default), \
             'nearest' or 'next'",
        ),
        Argument::optional(
            "max_gap",
            Takes::Length,
            "constant of days and hours: longest time before and after a poll for which its \
             status holds; unlimited by default",
        ),
    ],
    gives: Gives::Timeline,
    returns: "a timeline: list of {starts_at, active}, sorted; starts_at is null in the first \
        step, active while the state is unknown",
    nulls: "Rows with a null are ignored; without polls the timeline is null, which all functions \
        treat as unknown at all times.",
    example: Example {
        sql: "\
SELECT unnest(timeline(polled_at, active)) AS step
FROM (VALUES
    ('2023-01-25 10:14:00', true),
    ('2023-01-25 11:15:00', false)
) AS seen (polled_at, active);",
        output: "\
+--------------------------------------------------+
| step                                             |
+--------------------------------------------------+
| {starts_at: , active: true}                      |
| {starts_at: 2023-01-25T11:15:00Z, active: false} |
+--------------------------------------------------+",
    },
};

pub const STATE_AGG: Documented = Documented {
    name: "state_agg",
    kind: Kind::Aggregate,
    summary: "Folds polls into a timeline from the first poll to the last, unknown before and \
        after, like TimescaleDB Toolkit's state_agg(ts, value); states are booleans, so write \
        value = 'running'.",
    arguments: &[POLLED_AT, ACTIVE],
    gives: Gives::Timeline,
    returns: "a timeline; the last status has no duration and is continued by \
        interpolated_duration_in",
    nulls: "Rows with a null are ignored; without polls the timeline is null.",
    example: Example {
        sql: "\
SELECT duration_in(state_agg(time, state = 'running'), 'up') AS running
FROM (VALUES
    ('2020-01-01 10:00:00', 'starting'),
    ('2020-01-01 10:30:00', 'running'),
    ('2020-01-03 16:00:00', 'error'),
    ('2020-01-03 18:30:00', 'starting'),
    ('2020-01-03 19:30:00', 'running'),
    ('2020-01-05 12:00:00', 'stopping')
) AS states (time, state);",
        output: "\
+-----------+
| running   |
+-----------+
| PT338400S |
+-----------+",
    },
};

pub const POLL_LIST: Documented = Documented {
    name: "poll_list",
    kind: Kind::Aggregate,
    summary: "Collects polls in a sorted list, one per instant: inactive if polls of an instant \
        differ.",
    arguments: &[POLLED_AT, ACTIVE],
    gives: Gives::PollList,
    returns: "a list of {polled_at, active}",
    nulls: "Rows with a null are ignored; without polls the list is null.",
    example: Example {
        sql: "\
SELECT unnest(poll_list(polled_at, active)) AS poll
FROM (VALUES
    ('2023-01-25 11:15:00', true),
    ('2023-01-25 10:14:00', true),
    ('2023-01-25 11:15:00', false)
) AS seen (polled_at, active);",
        output: "\
+--------------------------------------------------+
| poll                                             |
+--------------------------------------------------+
| {polled_at: 2023-01-25T10:14:00Z, active: true}  |
| {polled_at: 2023-01-25T11:15:00Z, active: false} |
+--------------------------------------------------+",
    },
};

pub const WEEKLY_HOURS: Documented = Documented {
    name: "weekly_hours",
    kind: Kind::Aggregate,
    summary: "Folds the business hours of a store into a weekly schedule.",
    arguments: &[
        Argument::required("day_of_week", Takes::SmallInteger, "0 for Monday to 6 for Sunday"),
        Argument::required(
            "start_local_s",
            Takes::Integer,
            "opening time, in seconds of local time after midnight",
        ),
        Argument::required(
            "end_local_s",
            Takes::Integer,
            "closing time, up to 86400; on the next day if not after the start",
        ),
    ],
    gives: Gives::Week,
    returns: "a list of {day_of_week, start_local_s, end_local_s}",
    nulls: "Rows with a null are ignored; without rows the schedule is null, so the store never \
        closes.",
    example: Example {
        sql: "\
SELECT unnest(weekly_hours(day, opens_h * 3600, closes_h * 3600)) AS opening
FROM (VALUES (5, 18, 2), (0, 9, 17)) AS hours (day, opens_h, closes_h);",
        output: "\
+------------------------------------------------------------+
| opening                                                    |
+------------------------------------------------------------+
| {day_of_week: 0, start_local_s: 32400, end_local_s: 61200} |
| {day_of_week: 5, start_local_s: 64800, end_local_s: 7200}  |
+------------------------------------------------------------+",
    },
};
