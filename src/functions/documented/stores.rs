//! Descriptions of the scalars that take a store id.

use super::{Argument, Documented, Example, Kind, Takes};

const STORE_ID: Argument =
    Argument::required("store_id", Takes::Text, "id of a store of the tables");
const INSTANT: Argument = Argument::required("instant", Takes::Instant, "when");
const OPTIONS: Argument = Argument::optional(
    "options",
    Takes::Text,
    "'snap_end_of_day=true,default_hours=09:00-17:00,default_timezone=UTC', any of them, or by name: \
     default_hours => 'closed'; they mean what they mean to the report",
);

const NULLS: &str =
    "Null where an argument but the options is, and where the tables do not know the store.";

pub const IS_OPEN: Documented = Documented {
    name: "is_open",
    kind: Kind::Scalar,
    summary: "Whether a store should be open at an instant, by its hours and its zone; one without \
              hours always is.",
    arguments: &[STORE_ID, INSTANT, OPTIONS],
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
    summary: "When a store opens for the first time after an instant.",
    arguments: &[STORE_ID, INSTANT, OPTIONS],
    returns: "a timestamp, UTC, later than the instant",
    nulls: "Null where an argument but the options is, where the tables do not know the store, and where it \
            never opens, since it is always open or never.",
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
    summary: "When a store closes for the first time after an instant.",
    arguments: &[STORE_ID, INSTANT, OPTIONS],
    returns: "a timestamp, UTC, later than the instant",
    nulls: "Null where an argument but the options is, where the tables do not know the store, and where it \
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
    summary: "When a store opened for the last time up to an instant: while it is open, when it opened.",
    arguments: &[STORE_ID, INSTANT, OPTIONS],
    returns: "a timestamp, UTC, not later than the instant",
    nulls: "Null where an argument but the options is, where the tables do not know the store, and where it \
            never opens, since it is always open or never.",
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
    summary: "When a store closed for the last time up to an instant.",
    arguments: &[STORE_ID, INSTANT, OPTIONS],
    returns: "a timestamp, UTC, not later than the instant",
    nulls: "Null where an argument but the options is, where the tables do not know the store, and where it \
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
    summary: "The first instant by which a store was open for so long since another: where that is just \
              what is left of an opening, its end. business_time(store_id, from, deadline) is the length.",
    arguments: &[
        STORE_ID,
        Argument::required("from", Takes::Instant, "from when on open time counts"),
        Argument::required(
            "length",
            Takes::OpenTime,
            "how long, days of 24 hours; of nothing or less it is from itself",
        ),
        OPTIONS,
    ],
    returns: "a timestamp, UTC, not earlier than from",
    nulls: "Null where an argument but the options is, where the tables do not know the store, and where it \
            is not open for so long within 100 years, as one that never opens.",
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
    summary: "How long a store should be open within a range, of at most 100 years.",
    arguments: &[
        STORE_ID,
        Argument::required("from", Takes::Instant, "start of the range"),
        Argument::required(
            "to",
            Takes::Instant,
            "end of the range, not in it; a range that ends before it starts has no time",
        ),
        OPTIONS,
    ],
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
    summary: "What the clock on a store's wall shows at an instant; in America/Chicago where the tables \
              have no zone of it.",
    arguments: &[STORE_ID, INSTANT, OPTIONS],
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
