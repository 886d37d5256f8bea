//! Descriptions of the aggregates.

use super::{Argument, Documented, Example, Kind, Takes};

const POLLED_AT: Argument =
    Argument::required("polled_at", Takes::Instant, "when the status was seen");
const ACTIVE: Argument = Argument::required("active", Takes::Boolean, "whether it was up");

pub const TIMELINE: Documented = Documented {
    name: "timeline",
    kind: Kind::Aggregate,
    summary: "Folds polls into the state at every instant: a status holds until the next poll, the \
              first one also before it, the last one for ever.",
    arguments: &[
        POLLED_AT,
        ACTIVE,
        Argument::optional(
            "interpolation",
            Takes::Text,
            "a constant: 'previous' (the default), 'nearest' or 'next', whose status holds \
             between two polls",
        ),
        Argument::optional(
            "max_gap",
            Takes::Length,
            "a constant of days and hours: how long before and after itself a poll vouches; \
             without it for ever",
        ),
    ],
    returns: "a timeline: list of {starts_at, active} in order; starts_at is null in the first step, \
              which nothing precedes, active where no poll vouches",
    nulls: "A row with a null is no poll; without any poll the timeline is null, which all functions \
            read as unknown over all time.",
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
    summary: "Folds polls into a timeline from the first poll to the last, unknown before and after, as \
              TimescaleDB Toolkit's state_agg(ts, value); the state is true or false, so write \
              value = 'running'.",
    arguments: &[POLLED_AT, ACTIVE],
    returns: "a timeline; the last poll's status holds over no time, and is there for \
              interpolated_duration_in to carry on",
    nulls: "A row with a null is no poll; without any poll the timeline is null.",
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
    summary: "Gathers polls in order, one an instant: inactive where two of the same instant \
              differ.",
    arguments: &[POLLED_AT, ACTIVE],
    returns: "a list of {polled_at, active}",
    nulls: "A row with a null is no poll; without any poll the list is null.",
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
    summary: "Folds the business hours of a store into its week.",
    arguments: &[
        Argument::required("day_of_week", Takes::SmallInteger, "0, Monday, to 6, Sunday"),
        Argument::required(
            "start_local_s",
            Takes::Integer,
            "when it opens, seconds of local time after midnight",
        ),
        Argument::required(
            "end_local_s",
            Takes::Integer,
            "when it closes, up to 86400; at or before the start it is the next day",
        ),
    ],
    returns: "a list of {day_of_week, start_local_s, end_local_s}",
    nulls: "A row with a null opens nothing; without any row the week is null, which is that of a store \
            that never closes.",
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
