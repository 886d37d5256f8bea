//! Properties of a generated chain.

mod chain;

use std::collections::{BTreeMap, BTreeSet};
use std::{fs, io};

use uptally::internals::generate::{DEFAULT_END_US, RowCounts, Spec, generate};

use self::chain::{chain, chain_of, instant_us, rows, spec};
use crate::harness::DAY_US;

#[test]
fn the_same_seed_gives_the_same_bytes() {
    assert_eq!(chain(30, 2, 5).texts, chain(30, 2, 5).texts);
}

#[test]
fn another_seed_gives_other_bytes() {
    let (one, other) = (chain(30, 2, 5).texts, chain(30, 2, 6).texts);
    assert!((0..3).all(|file| one[file] != other[file]));
}

/// FNV-1a over all three files. A change here changes every chain that was ever generated.
#[test]
fn the_bytes_of_a_seed_stay() {
    let bytes = chain(40, 15, 1).texts.concat().into_bytes();
    let digest = bytes.iter().fold(0xCBF2_9CE4_8422_2325_u64, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)
    });
    assert_eq!(format!("{digest:016x}"), "f1cd33295d418436");
}

#[test]
fn the_default_end_has_a_fixed_instant() {
    assert_eq!(instant_us("2023-01-25 18:13:22.47922 UTC"), DEFAULT_END_US);
}

#[test]
fn headers_and_row_counts_match_the_files() {
    let chain = chain(25, 2, 1);
    let headers = chain.texts.each_ref().map(|text| text.lines().next());
    let expected = [
        "store_id,status,timestamp_utc",
        "store_id,day,start_time_local,end_time_local",
        "store_id,timezone_str",
    ];
    assert_eq!(headers, expected.map(Some));
    let RowCounts { polls, hours_rows, zone_rows } = chain.written;
    let lines = chain.texts.map(|text| text.lines().count() as u64 - 1);
    assert_eq!(lines, [polls, hours_rows, zone_rows]);
}

#[track_caller]
fn check_range(days: u32, ends_at: &str) {
    for stores in [1, 2, 25] {
        let ends_at_us = instant_us(ends_at);
        let seed = 3;
        let chain = chain_of(Spec { stores, days, seed, ends_at_us });
        let instants = || chain.polled.values().flatten().map(|poll| poll.0);
        assert_eq!(instants().max(), Some(ends_at_us));
        assert!(instants().min().unwrap() > ends_at_us - i64::from(days) * DAY_US);
        assert!(chain.texts[0].contains(&format!(",{ends_at}\n")));
    }
}

#[test]
fn the_last_poll_is_exactly_at_the_end_and_all_are_in_the_range() {
    check_range(1, "2023-01-25 18:13:22.47922 UTC");
    check_range(2, "2024-02-29 00:00:00 UTC");
    check_range(3, "2023-01-01 23:59:59.999999 UTC");
    check_range(9, "1969-12-31 23:00:00.1 UTC");
}

#[test]
fn fractions_have_no_trailing_zeros() {
    let chain = chain(100, 3, 2);
    let fraction_digits = chain.polls.iter().map(|row| {
        let stamp = row[2].strip_suffix(" UTC").unwrap();
        let fraction = stamp.split_once('.').map(|(_, fraction)| fraction);
        assert!(fraction.is_none_or(|digits| !digits.is_empty() && !digits.ends_with('0')));
        fraction.map_or(0, str::len)
    });
    let fraction_digits: BTreeSet<usize> = fraction_digits.collect();
    assert!(fraction_digits.is_superset(&BTreeSet::from([0, 4, 5, 6])));
    assert!(fraction_digits.iter().all(|&digits| digits <= 6));
}

#[test]
fn no_store_is_polled_twice_at_one_instant() {
    let chain = chain(200, 3, 4);
    for polls in chain.polled.values() {
        assert!(polls.windows(2).all(|two| two[0].0 < two[1].0));
    }
}

#[test]
fn a_quarter_of_the_polls_is_inactive_in_runs() {
    for seed in 0..3 {
        let chain = chain(60, 7, seed);
        assert!((20..=30).contains(&chain.inactive_percent()));
        assert!(chain.inactive_in_runs_percent() >= 75);
        assert!(chain.longest_outage_hours() >= 48);
    }
}

#[track_caller]
fn check_blackouts(days: u32, long: usize) {
    let blackouts = chain(10, days, 1).blackout_hours();
    assert_eq!(blackouts.len(), days.div_ceil(3) as usize);
    assert!(blackouts.iter().all(|&hours| hours >= 3));
    let is_long = |hours: &&i64| (38..=42).contains(*hours);
    assert_eq!(blackouts.iter().filter(is_long).count(), long);
}

#[test]
fn the_whole_fleet_misses_hours_in_each_three_days() {
    check_blackouts(1, 0);
    check_blackouts(4, 0);
    check_blackouts(13, 0);
    check_blackouts(14, 1);
    check_blackouts(16, 1);
}

#[test]
fn every_peculiarity_occurs_from_twenty_stores_on() {
    for seed in 0..6 {
        let chain = chain(20, 7, seed);
        assert_eq!(chain.ids().len(), 20);
        let uuids = chain.ids().iter().filter(|id| id.len() == 36).count();
        assert!((1..10).contains(&uuids));
        assert!(chain.polled_twice_an_hour() >= 1);
        assert!(chain.silent_within(1) >= 1);
        assert!(chain.silent_within(4) >= 2);
        assert!(chain.hours_without_polls() >= 1);
        assert!(chain.weeks.len() < 20 && chain.zones.len() < 20);
        assert!(chain.days_missing() >= 1);
        assert!(chain.openings().any(|(start, end)| end < start));
        assert!(chain.openings().any(|(_, end)| end == "23:59:00"));
        assert!(chain.openings().any(|(_, end)| end == "23:59:59"));
        assert_eq!(chain.openings_a_day(), BTreeSet::from([1, 2, 3]));
        assert_eq!(chain.zones.values().collect::<BTreeSet<_>>().len(), 16);
    }
}

#[test]
fn proportions_of_peculiarities_hold() {
    let chain = chain(200, 7, 8);
    let uuids = chain.ids().iter().filter(|id| id.len() == 36).count();
    assert_eq!((chain.ids().len(), uuids), (200, 25));
    assert_eq!(chain.polled.len(), 198);
    assert_eq!(chain.polled_twice_an_hour(), 40);
    assert_eq!((chain.silent_within(1), chain.silent_within(4)), (1, 2));
    assert_eq!(chain.hours_without_polls(), 2);
    assert_eq!((chain.weeks.len(), chain.days_missing()), (160, 30));
    assert_eq!(chain.zones.len(), 190);
    let in_us = |zone: &&String| zone.starts_with("America/") || *zone == "Pacific/Honolulu";
    assert!(chain.zones.values().filter(in_us).count() > 160);
    let late = |opening: &&(String, String)| opening.1.starts_with("23:59:");
    let late_percent = chain.openings().filter(late).count() * 100 / chain.openings().count();
    assert!((25..=35).contains(&late_percent));
    // One per hour and store, a fifth more for those polled twice, less blackouts and misses.
    assert!((150 * 198..200 * 198).contains(&chain.polls.len()));
}

#[test]
fn ids_are_nineteen_digits_or_random_uuids() {
    for id in chain(300, 1, 1).ids() {
        let is_number = id.len() == 19 && id.bytes().all(|byte| byte.is_ascii_digit());
        let version = uuid::Uuid::parse_str(id).ok().map(|id| id.get_version_num());
        assert!(is_number && id.parse::<i64>().is_ok() || version == Some(4));
    }
}

#[test]
fn openings_of_a_day_do_not_overlap() {
    let chain = chain(400, 1, 3);
    for openings in chain.weeks.values().flat_map(BTreeMap::values) {
        assert!(openings.windows(2).all(|two| two[0].1 < two[1].0));
    }
}

#[test]
fn a_night_goes_on_only_after_a_day_that_ends_at_midnight() {
    let chain = chain(400, 1, 3);
    for week in chain.weeks.values() {
        for (day, openings) in week {
            let (start, end) = &openings[0];
            if start == "00:00:00" && !end.starts_with("23:59") {
                let day_before = (day.parse::<u32>().unwrap() + 6) % 7;
                let evening = week[&day_before.to_string()].last().unwrap();
                assert!(evening.1.starts_with("23:59"));
            }
        }
    }
}

/// In random order half of the rows are greater than the one before, and few are of its store.
#[test]
fn rows_are_shuffled() {
    for text in &chain(200, 2, 7).texts {
        let rows = rows(text);
        for column in [0, rows[0].len() - 1] {
            let differing = rows.windows(2).filter(|two| two[0][column] != two[1][column]);
            let (up, all) = differing.fold((0, 0), |(up, all), two| {
                (up + usize::from(two[0][column] < two[1][column]), all + 1)
            });
            assert!((40..60).contains(&(up * 100 / all)));
        }
        let same_store = rows.windows(2).filter(|two| two[0][0] == two[1][0]);
        assert!(same_store.count() * 50 < rows.len());
    }
}

#[track_caller]
fn check_refused(spec: Spec, message: &str) {
    let folder = tempfile::tempdir().unwrap();
    let error = generate(&spec, &folder.path().join("chain")).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    assert_eq!(error.to_string(), message);
    assert!(!folder.path().join("chain").exists());
}

#[test]
fn a_spec_beyond_the_limits_is_refused() {
    let ending = |ends_at_us| Spec { ends_at_us, ..spec(1, 1, 1) };
    check_refused(spec(0, 1, 1), "stores \"0\" is not 1 to 10000000");
    check_refused(spec(10_000_001, 1, 1), "stores \"10000001\" is not 1 to 10000000");
    check_refused(spec(1, 0, 1), "days \"0\" is not 1 to 36525");
    check_refused(spec(1, 36_526, 1), "days \"36526\" is not 1 to 36525");
    let too_early = "end \"-9223372036854775808\" is not in the years 1 to 9999";
    check_refused(ending(i64::MIN), too_early);
    let year_10000 = "end \"253402300800000000\" is not in the years 1 to 9999";
    check_refused(ending(253_402_300_800_000_000), year_10000);
}

#[test]
fn a_second_run_replaces_the_files_of_the_first() {
    let folder = tempfile::tempdir().unwrap();
    let nested = folder.path().join("a/b");
    generate(&spec(30, 3, 1), &nested).unwrap();
    let before = fs::read(nested.join("store_status.csv")).unwrap();
    generate(&spec(3, 1, 2), &nested).unwrap();
    let after = fs::read(nested.join("store_status.csv")).unwrap();
    assert!(after.len() < before.len());
    assert_eq!(fs::read_dir(&nested).unwrap().count(), 3);
}
