//! Descriptions of the scalars that take a store id.

use super::{Argument, Documented, Example, Gives, Kind, Takes};

const STORE_ID: Argument = Argument::required("store_id", Takes::Text, "id of a store");
const INSTANT: Argument = Argument::required("instant", Takes::Instant, "instant to evaluate");
const OPTIONS: Argument = Argument::optional(
    "options",
    Takes::Text,
    "any of 'snap_end_of_day=true,default_hours=09:00-17:00,default_timezone=UTC', or by name, as \
     in default_hours => 'closed'; same meaning as for the report",
);

const NULLS: &str = "Null if an argument other than options is null, or if the store is unknown.";

pub const IS_OPEN: Documented = Documented {
    name: "is_open",
    kind: Kind::Scalar,
    summary: "True if a store should be open at an instant, by its hours and time zone; a store \
        without hours is always open.",
    arguments: &[STORE_ID, INSTANT, OPTIONS],
    gives: Gives::Boolean,
    returns: "true or false",
    nulls: NULLS,
    example: Example {
        sql: "\
SELECT
    is_open('1177941416522642976', '2023-01-24 18:00:00') AS at_noon,
    is_open('1177941416522642976', '2023-01-24 07:00:00') AS at_night;",
        output: "\
+---------+----------+
| at_noon | at_night |
+---------+----------+
| true    | false    |
+---------+----------+",
    },
};

pub const NEXT_OPEN: Documented = Documented {
    name: "next_open",
    kind: Kind::Scalar,
    summary: "First opening time of a store after an instant.",
    arguments: &[STORE_ID, INSTANT, OPTIONS],
    gives: Gives::Instant,
    returns: "a timestamp, UTC, later than the instant",
    nulls: "Null if an argument other than options is null, if the store is unknown, or if it \
        never opens because it is always open or always closed.",
    example: Example {
        sql: "SELECT next_open('1177941416522642976', '2023-01-24 18:00:00') AS opens_at;",
        output: "\
+----------------------+
| opens_at             |
+----------------------+
| 2023-01-25T15:30:00Z |
+----------------------+",
    },
};

pub const NEXT_CLOSE: Documented = Documented {
    name: "next_close",
    kind: Kind::Scalar,
    summary: "First closing time of a store after an instant.",
    arguments: &[STORE_ID, INSTANT, OPTIONS],
    gives: Gives::Instant,
    returns: "a timestamp, UTC, later than the instant",
    nulls: "Null if an argument other than options is null, if the store is unknown, or if it \
        never closes.",
    example: Example {
        sql: "SELECT next_close('1177941416522642976', '2023-01-24 18:00:00') AS closes_at;",
        output: "\
+----------------------+
| closes_at            |
+----------------------+
| 2023-01-25T00:00:00Z |
+----------------------+",
    },
};

pub const PREVIOUS_OPEN: Documented = Documented {
    name: "previous_open",
    kind: Kind::Scalar,
    summary: "Last opening time of a store up to an instant; while it is open, the start of that \
        opening.",
    arguments: &[STORE_ID, INSTANT, OPTIONS],
    gives: Gives::Instant,
    returns: "a timestamp, UTC, not later than the instant",
    nulls: "Null if an argument other than options is null, if the store is unknown, or if it \
        never opens because it is always open or always closed.",
    example: Example {
        sql: "SELECT previous_open('1177941416522642976', '2023-01-24 18:00:00') AS opened_at;",
        output: "\
+----------------------+
| opened_at            |
+----------------------+
| 2023-01-24T15:30:00Z |
+----------------------+",
    },
};

pub const PREVIOUS_CLOSE: Documented = Documented {
    name: "previous_close",
    kind: Kind::Scalar,
    summary: "Last closing time of a store up to an instant.",
    arguments: &[STORE_ID, INSTANT, OPTIONS],
    gives: Gives::Instant,
    returns: "a timestamp, UTC, not later than the instant",
    nulls: "Null if an argument other than options is null, if the store is unknown, or if it \
        never closes.",
    example: Example {
        sql: "SELECT previous_close('1177941416522642976', '2023-01-24 18:00:00') AS closed_at;",
        output: "\
+----------------------+
| closed_at            |
+----------------------+
| 2023-01-24T00:00:00Z |
+----------------------+",
    },
};

pub const BUSINESS_DEADLINE: Documented = Documented {
    name: "business_deadline",
    kind: Kind::Scalar,
    summary: "First instant by which a store has been open for a length of time since another \
        instant; if an opening contains exactly the remaining time, its end. \
        business_time(store_id, from, deadline) is the length.",
    arguments: &[
        STORE_ID,
        Argument::required("from", Takes::Instant, "instant from which open time counts"),
        Argument::required(
            "length",
            Takes::OpenTime,
            "open time, with days of 24 hours; if zero or negative, the result is from",
        ),
        OPTIONS,
    ],
    gives: Gives::Instant,
    returns: "a timestamp, UTC, not earlier than from",
    nulls: "Null if an argument other than options is null, if the store is unknown, or if it is \
        not open for that long within 100 years.",
    example: Example {
        sql: "\
SELECT
    business_deadline('1177941416522642976', '2023-01-24 18:00:00', '4 hours') AS same_day,
    business_deadline('1177941416522642976', '2023-01-24 18:00:00', '8 hours') AS next_day;",
        output: "\
+----------------------+----------------------+
| same_day             | next_day             |
+----------------------+----------------------+
| 2023-01-24T22:00:00Z | 2023-01-25T17:30:00Z |
+----------------------+----------------------+",
    },
};

pub const BUSINESS_TIME: Documented = Documented {
    name: "business_time",
    kind: Kind::Scalar,
    summary: "Time for which a store should be open within a range of at most 100 years.",
    arguments: &[
        STORE_ID,
        Argument::required("from", Takes::Instant, "start of the range"),
        Argument::required(
            "to",
            Takes::Instant,
            "end of the range, exclusive; a range that ends before it starts has no time",
        ),
        OPTIONS,
    ],
    gives: Gives::Number,
    returns: "microseconds (BIGINT)",
    nulls: NULLS,
    example: Example {
        sql: "\
SELECT
    business_time('1177941416522642976', '2023-01-18', '2023-01-25') / 3600000000.0 AS open_hours;",
        output: "\
+------------+
| open_hours |
+------------+
| 59.5       |
+------------+",
    },
};

pub const TO_STORE_TIME: Documented = Documented {
    name: "to_store_time",
    kind: Kind::Scalar,
    summary: "Local time of a store at an instant, in America/Chicago if the data has no time \
        zone for the store.",
    arguments: &[STORE_ID, INSTANT, OPTIONS],
    gives: Gives::LocalTime,
    returns: "a timestamp without a zone",
    nulls: NULLS,
    example: Example {
        sql: "SELECT to_store_time('1177941416522642976', '2023-01-24 18:00:00Z') AS local_time;",
        output: "\
+---------------------+
| local_time          |
+---------------------+
| 2023-01-24T13:00:00 |
+---------------------+",
    },
};
