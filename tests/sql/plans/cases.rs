//! Queries and reports whose plans are in `tests/sql/plans`.
//!
//! `RANGE` stands for instants and `A` to `D` for ids, as in `few_stores`.

/// Queries whose plans show one rule.
pub struct Group {
    /// The rule, the first line of each file.
    pub rule: &'static str,
    /// Values of `$1`, `$2` and so on.
    pub values: &'static [&'static str],
    /// Names of files, and the queries.
    pub queries: &'static [(&'static str, &'static str)],
}

pub const QUERIES: &[Group] = &[
    Group {
        rule: "Table functions read the days of their range, and neither sort nor repartition.",
        values: &[],
        queries: &[
            ("uptime_of_last_week", "SELECT * FROM uptime()"),
            (
                "uptime_of_last_day",
                "SELECT * FROM uptime(latest_poll() - INTERVAL '1 day', latest_poll())",
            ),
            (
                "uptime_with_scope_day",
                "SELECT * FROM uptime(latest_poll() - INTERVAL '1 day', latest_poll(), \
                 'scope=day')",
            ),
            ("uptime_by_hour", "SELECT * FROM uptime_by('hour')"),
            (
                "states_with_scope_interval",
                "SELECT * FROM states(latest_poll() - INTERVAL '45 hours', latest_poll(), \
                 scope => 'interval')",
            ),
            ("incidents_of_last_week", "SELECT * FROM incidents()"),
            ("openings_of_last_week", "SELECT * FROM openings()"),
        ],
    },
    Group {
        rule: "Unused columns are not computed: no poll is counted, no incident searched.",
        values: &[],
        queries: &[("uptime_of_two_columns", "SELECT store_id, up FROM uptime()")],
    },
    Group {
        rule: "A range may be a parameter; other days are still not read.",
        values: &["2023-01-22", "2023-01-24"],
        queries: &[("uptime_of_a_bound_range", "SELECT * FROM uptime($1, $2)")],
    },
    Group {
        rule: "A filter by time leaves other days unread, however the time is written.",
        values: &[],
        queries: &[
            ("polls_since_text", "SELECT * FROM polls WHERE polled_at >= '2023-01-23'"),
            (
                "polls_since_local_text",
                "SELECT * FROM polls WHERE polled_at >= '2023-01-23 20:10 America/Chicago'",
            ),
            (
                "polls_between_texts",
                "SELECT * FROM polls WHERE polled_at BETWEEN '2023-01-23T20:10Z' AND '2023-01-24'",
            ),
            (
                "polls_at_one_of_texts",
                "SELECT * FROM polls WHERE polled_at IN ('2023-01-23 20:10')",
            ),
            (
                "polls_since_cast_text",
                "SELECT * FROM polls WHERE polled_at >= '2023-01-23'::timestamptz",
            ),
            ("polls_since_date", "SELECT * FROM polls WHERE polled_at >= DATE '2023-01-23'"),
            (
                "polls_since_local_timestamp",
                "SELECT * FROM polls WHERE polled_at >= TIMESTAMP '2023-01-23' AT TIME ZONE \
                 'America/Chicago'",
            ),
            (
                "polls_since_unix_time",
                "SELECT * FROM polls WHERE polled_at >= to_timestamp(1674432000)",
            ),
            (
                "polls_since_truncated_time",
                "SELECT * FROM polls WHERE polled_at >= date_trunc('day', TIMESTAMPTZ \
                 '2023-01-23 20:10')",
            ),
            (
                "polls_of_the_last_day_by_the_clock",
                "SELECT * FROM polls WHERE polled_at > now() - INTERVAL '1 day'",
            ),
            (
                "polls_of_a_day",
                "SELECT * FROM polls WHERE date_trunc('day', polled_at) = '2023-01-23'",
            ),
            (
                "polls_of_a_week",
                "SELECT * FROM polls WHERE date_trunc('week', polled_at) = TIMESTAMPTZ \
                 '2023-01-23'",
            ),
            (
                "polls_after_a_day",
                "SELECT * FROM polls WHERE date_trunc('day', polled_at) > '2023-01-23'",
            ),
        ],
    },
    Group {
        rule: "A bound time leaves other days unread.",
        values: &["2023-01-22", "2023-01-23 18:00 America/Chicago"],
        queries: &[(
            "polls_between_bound_times",
            "SELECT * FROM polls WHERE polled_at >= $1 AND polled_at < $2::timestamptz",
        )],
    },
    Group {
        rule: "A filter by ids reaches every table below a function: no scan reads all stores.",
        values: &[],
        queries: &[
            (
                "uptime_of_two_stores_with_scope_all",
                "SELECT * FROM uptime(RANGE, 'scope=all') WHERE store_id IN ('A', 'B', 'none')",
            ),
            (
                "uptime_of_two_stores_with_scope_day",
                "SELECT * FROM uptime(RANGE, 'scope=day') WHERE store_id IN ('A', 'B', 'none')",
            ),
            (
                "uptime_of_two_stores_with_scope_interval",
                "SELECT * FROM uptime(RANGE, 'scope=interval') WHERE store_id IN ('A', 'B', \
                 'none')",
            ),
            (
                "uptime_by_day_of_two_stores_with_scope_all",
                "SELECT * FROM uptime_by('day', RANGE, 'scope=all') WHERE store_id IN ('A', \
                 'B', 'none')",
            ),
            (
                "uptime_by_day_of_two_stores_with_scope_day",
                "SELECT * FROM uptime_by('day', RANGE, 'scope=day') WHERE store_id IN ('A', \
                 'B', 'none')",
            ),
            (
                "uptime_by_day_of_two_stores_with_scope_interval",
                "SELECT * FROM uptime_by('day', RANGE, 'scope=interval') WHERE store_id IN \
                 ('A', 'B', 'none')",
            ),
            (
                "states_of_two_stores_with_scope_all",
                "SELECT * FROM states(RANGE, 'scope=all') WHERE store_id IN ('A', 'B', 'none')",
            ),
            (
                "states_of_two_stores_with_scope_day",
                "SELECT * FROM states(RANGE, 'scope=day') WHERE store_id IN ('A', 'B', 'none')",
            ),
            (
                "states_of_two_stores_with_scope_interval",
                "SELECT * FROM states(RANGE, 'scope=interval') WHERE store_id IN ('A', 'B', \
                 'none')",
            ),
            (
                "incidents_of_two_stores_with_scope_all",
                "SELECT * FROM incidents(RANGE, 'scope=all') WHERE store_id IN ('A', 'B', 'none')",
            ),
            (
                "incidents_of_two_stores_with_scope_day",
                "SELECT * FROM incidents(RANGE, 'scope=day') WHERE store_id IN ('A', 'B', 'none')",
            ),
            (
                "incidents_of_two_stores_with_scope_interval",
                "SELECT * FROM incidents(RANGE, 'scope=interval') WHERE store_id IN ('A', \
                 'B', 'none')",
            ),
            ("uptime_of_a_store", "SELECT * FROM uptime(RANGE) WHERE store_id = 'A'"),
            ("uptime_of_no_store", "SELECT * FROM uptime(RANGE) WHERE store_id = 'none'"),
            (
                "uptime_of_four_stores",
                "SELECT * FROM uptime(RANGE) WHERE store_id IN ('A', 'B', 'C', 'D')",
            ),
        ],
    },
    Group {
        rule: "A parameter is a constant once it is bound: no scan reads all stores.",
        values: &["2023-01-22", "2023-01-24", "none"],
        queries: &[("uptime_of_a_bound_store", "SELECT * FROM uptime($1, $2) WHERE store_id = $3")],
    },
    Group {
        rule: "Scans of polls wait for the stores of the other side of a join.",
        values: &[],
        queries: &[
            (
                "uptime_joined_with_stores_of_a_zone",
                "SELECT u.* FROM uptime(RANGE) u JOIN stores s USING (store_id) WHERE \
                 time_zone = 'x'",
            ),
            (
                "incidents_joined_with_values",
                "SELECT * FROM incidents(RANGE) JOIN (VALUES ('a'), ('b')) AS v (store_id) \
                 USING (store_id)",
            ),
            (
                "states_of_a_subquery",
                "SELECT * FROM states(RANGE) WHERE store_id IN (SELECT store_id FROM stores \
                 LIMIT 3)",
            ),
            (
                "uptime_by_day_of_a_zone",
                "SELECT * FROM uptime_by('day', RANGE) WHERE store_id IN (SELECT store_id \
                 FROM time_zones WHERE time_zone = 'x')",
            ),
            (
                "stores_left_joined_with_uptime",
                "SELECT * FROM (SELECT store_id FROM stores LIMIT 2) s LEFT JOIN \
                 uptime(RANGE) USING (store_id)",
            ),
        ],
    },
    Group {
        rule: "A join that needs all stores waits for none.",
        values: &[],
        queries: &[
            ("uptime_of_all_stores", "SELECT * FROM uptime(RANGE)"),
            (
                "uptime_full_joined_with_stores",
                "SELECT * FROM uptime(RANGE) FULL JOIN stores USING (store_id)",
            ),
            (
                "uptime_left_joined_with_a_store",
                "SELECT * FROM uptime(RANGE) LEFT JOIN (SELECT * FROM stores LIMIT 1) USING \
                 (store_id)",
            ),
        ],
    },
];

/// Names of files, the rules, and the flags of the reports.
pub const REPORTS: &[(&str, &str, &str)] = &[
    (
        "report",
        "Stores stay in their partitions and in order, from the scan of polls to the figures.",
        "--threads 2",
    ),
    ("report_on_one_thread", "With one partition, the figures are sorted.", "--threads 1"),
    (
        "report_with_scope_day",
        "Polls are listed with their zones, and nothing is started ahead.",
        "--threads 2 --scope day",
    ),
];
