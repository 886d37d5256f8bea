//! Descriptions of the tables that analysts see, and of their columns.

/// Table, column (empty for the table itself), description. Analysts read them in
/// `internal.descriptions`.
const DESCRIPTIONS: [(&str, &str, &str); 60] = [
    ("polls", "", "status polls, one row a store and instant"),
    ("polls", "store_id", "the store, as its files name it"),
    ("polls", "store_no", STORE_NO),
    ("polls", "polled_at", "the instant of the poll, UTC"),
    ("polls", "active", "whether the store was active; false where polls of the instant differ"),
    ("polls", "polled_on", "the UTC date of polled_at; a filter on it leaves other days unread"),
    (
        "business_hours",
        "",
        "the latest weekly hours, in local time; a store without any is always open",
    ),
    ("business_hours", "store_id", "the store, as its files name it"),
    ("business_hours", "store_no", STORE_NO),
    ("business_hours", "day_of_week", "the day on which it opens, 0 is Monday, 6 Sunday"),
    ("business_hours", "start_local_s", "when it opens, seconds after local midnight"),
    (
        "business_hours",
        "end_local_s",
        "when it closes, likewise; at or before the start it is on the next day",
    ),
    ("time_zones", "", "the latest time zones; a store without one is in America/Chicago"),
    ("time_zones", "store_id", "the store, as its files name it"),
    ("time_zones", "store_no", STORE_NO),
    ("time_zones", "time_zone", "IANA name"),
    ("stores", "", "every store that was ever polled, or has hours or a zone"),
    ("stores", "store_id", "the store, as its files name it"),
    ("stores", "store_no", STORE_NO),
    ("stores", "time_zone", "the zone in force, IANA name"),
    ("stores", "uses_default_hours", "true if it has no business hours and so is always open"),
    ("stores", "uses_default_time_zone", "true if it has no zone of its own and uses the default"),
    ("stores", "first_polled_at", "its earliest poll, UTC; null if never polled"),
    ("stores", "last_polled_at", "its latest poll, UTC; null if never polled"),
    ("stores", "polls", "number of its polls"),
    ("stores", "zone_rules", "edition of the rules by which its zone is read"),
    ("rejects", "", "rejected rows, with the reason"),
    ("rejects", "version", "version of the data whose load rejected the row"),
    ("rejects", "file", "the file it is in"),
    ("rejects", "line", "its line, from 1"),
    ("rejects", "column", "the invalid column"),
    ("rejects", "reason", "what is wrong, and what was expected"),
    ("rejects", "text", "the row as read"),
    ("rejects", "store_id", "the row's store; null if its id is unreadable or was not stored"),
    (
        "conflicts",
        "",
        "polls that contradict another of the same store and instant, which counts as inactive",
    ),
    ("conflicts", "version", "version of the data whose load found the conflict"),
    ("conflicts", "store_id", "the store, as its files name it"),
    ("conflicts", "polled_at", "the instant of both polls, UTC"),
    ("conflicts", "status", "status of the poll: active or inactive"),
    ("conflicts", "file", "its file; null if unknown"),
    ("conflicts", "line", "its line, from 1; null if unknown"),
    ("conflicts", "other_status", "status of the contradicted poll"),
    (
        "conflicts",
        "other_file",
        "file of the contradicted poll; null if loaded earlier, from one of several",
    ),
    ("conflicts", "other_line", "line of the contradicted poll; null if loaded earlier"),
    ("loads", "", "every file ever loaded"),
    ("loads", "version", "version of the data that the load created"),
    ("loads", "loaded_at", "when, UTC"),
    ("loads", "kind", "polls, business_hours, time_zones or zone_rules"),
    ("loads", "file", "the file"),
    ("loads", "content_hash", "BLAKE3 of its decompressed content"),
    ("loads", "rows", "data rows read, rejected ones among them"),
    ("loads", "rejected", "rejected rows"),
    ("loads", "polls_version", "version of the Delta table after the load; likewise the others"),
    ("loads", "zone_rules", "edition of the zone rules after the load; null means 2025b"),
    ("internal.carried", "", "each store's last poll before a day on which there were polls"),
    ("internal.carried", "polled_at", "the instant of that poll, UTC"),
    ("internal.carried", "carried_into", "the day, UTC"),
    ("internal.zone_rules", "", "the rules of every time zone, of one edition"),
    ("internal.zone_rules", "zone", "IANA name"),
    ("internal.zone_rules", "tzif", "its rules (RFC 9636)"),
];

const STORE_NO: &str =
    "its number within the data: joins and groups by it cost less than by store_id";

/// Description of a column of a table.
pub fn description(table: &str, column: &str) -> Option<&'static str> {
    let found = DESCRIPTIONS.into_iter().find(|row| (row.0, row.1) == (table, column));
    found.map(|(.., told)| told)
}

/// Table, column and description of each.
pub fn descriptions() -> impl Iterator<Item = [String; 3]> {
    DESCRIPTIONS.into_iter().map(|row| <[&str; 3]>::from(row).map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::Options;

    #[test]
    fn the_description_of_time_zones_names_the_default() {
        let zone = Options::default().default_time_zone;
        let told = description("time_zones", "").unwrap();
        assert!(told.ends_with(zone.as_str()), "{told}");
    }
}
