//! Checks of the judge against figures worked out by hand.

use super::Interpolation::{Nearest, Next, Previous};
use super::drawn::{ask, store, utc};
use super::{Chain, DefaultHours, NoData, Question, Scope, Tally, Zone, judge};

const MINUTE: i64 = 60_000_000;
const DAY: usize = 1;
const WEEK: usize = 2;
const UTC: &str = "UTC";
const NEW_YORK: &str = "America/New_York";
const ALWAYS: &str = "";
const SUNDAY_MORNING: &str = "Sun 09:00-12:00";
const TASK_POLLS: &str = "2023-01-22 10:14 up, 2023-01-22 11:15 down";

/// Expects minutes of one window: `up / down / unknown`.
#[track_caller]
fn check(chain: Chain, question: Question, window: usize, expected: &str) {
    let minutes: Vec<f64> = expected.split(" / ").map(|n| n.parse().unwrap()).collect();
    let [up, down, unknown] = minutes[..] else { panic!("{expected:?} is three figures") };
    let us = |minutes: f64| (minutes * MINUTE as f64).round() as i64;
    let expected = Tally { up: us(up), down: us(down), unknown: us(unknown) };
    assert_eq!(judge(&chain, &question)[0].1[window], expected);
}

/// Expects the scheduled minutes of the last day, all of them up.
#[track_caller]
fn check_open(hours: &str, zone: &str, now: &str, minutes: &str) {
    let chain = store(hours, zone, &format!("{now} up"));
    check(chain, ask(now), DAY, &format!("{minutes} / 0 / 0"));
}

#[test]
fn two_polls_in_three_open_hours() {
    let task = || store(SUNDAY_MORNING, UTC, TASK_POLLS);
    let at_noon = || ask("2023-01-22 12:00");
    check(task(), at_noon(), DAY, "135 / 45 / 0");
    check(task(), Question { interpolation: Nearest, ..at_noon() }, DAY, "104.5 / 75.5 / 0");
    check(task(), Question { interpolation: Next, ..at_noon() }, DAY, "74 / 106 / 0");
    check(task(), Question { max_gap: Some(30 * MINUTE), ..at_noon() }, DAY, "60 / 30 / 90");

    let unpolled = || store(SUNDAY_MORNING, UTC, "");
    check(unpolled(), at_noon(), DAY, "0 / 0 / 180");
    check(unpolled(), Question { no_data: NoData::Down, ..at_noon() }, DAY, "0 / 180 / 0");
    check(unpolled(), Question { no_data: NoData::Up, ..at_noon() }, DAY, "180 / 0 / 0");
}

#[test]
fn windows_are_half_open_and_elapsed() {
    let chain = store(ALWAYS, UTC, "2023-01-21 12:30 down, 2023-01-22 11:45 up");
    let tallies = judge(&chain, &ask("2023-01-22 12:00"))[0].1;
    // 12:30 to 11:45 the next day is 1395 minutes; before 12:30 the first status holds.
    let minutes = tallies.map(|t| [t.up / MINUTE, t.down / MINUTE, t.unknown]);
    assert_eq!(minutes, [[15, 45, 0], [15, 1_425, 0], [15, 10_065, 0]]);

    // New York's spring Sunday has 23 h, but the window has 24.
    check_open(ALWAYS, NEW_YORK, "2023-03-12 20:00", "1440");
}

#[test]
fn a_row_that_ends_by_its_start_ends_the_next_day() {
    check_open("Mon 18:00-02:00", UTC, "2023-01-24 12:00", "480");
    check_open("Mon 18:00-02:00", UTC, "2023-01-23 12:00", "0");
    check_open("Mon 18:00-02:00", UTC, "2023-01-24 00:30", "390");
    check_open("Sun 00:00-00:00", UTC, "2023-01-23 06:00", "1080");
    check_open("Sun 09:00-09:00", UTC, "2023-01-23 12:00", "1260");
    check_open("Sun 12:00-24:00", UTC, "2023-01-23 12:00", "720");
}

#[test]
fn overlapping_and_touching_rows_count_once() {
    check_open("Sun 09:00-12:00, Sun 11:00-13:00", UTC, "2023-01-22 18:00", "240");
    check_open("Sun 09:00-12:00, Sun 12:00-13:00", UTC, "2023-01-22 18:00", "240");
    check_open("Sun 09:00-12:00, Sun 09:00-12:00", UTC, "2023-01-22 18:00", "180");
    check_open("Sat 20:00-10:00, Sun 09:00-12:00", UTC, "2023-01-22 18:00", "960");
}

#[test]
fn a_time_in_a_gap_moves_forward_by_its_length() {
    let open = |hours, minutes| check_open(hours, NEW_YORK, "2023-03-12 20:00", minutes);
    open("Sun 01:00-05:00", "180");
    open("Sun 02:30-05:00", "90");
    open("Sun 01:00-02:30", "90");
    open("Sun 02:00-03:30", "30");

    // Liberia put its clocks from 00:00:00 to 00:44:30 on a Friday.
    check_open("Fri 00:10-01:00", "Africa/Monrovia", "1972-01-07 12:00", "5.5");
    // Samoa had no Friday the 30th: its hours fall on the Saturday, 24 h later on the clocks.
    let apia = |hours, now, minutes| check_open(hours, "Pacific/Apia", now, minutes);
    apia("Fri 09:00-17:00", "2011-12-31 12:00", "480");
    apia("Thu 18:00-02:00", "2011-12-30 20:00", "480");
    apia("Fri 09:00-17:00, Sat 10:00-18:00", "2011-12-31 12:00", "540");
}

#[test]
fn a_time_in_a_fold_is_the_earlier_one() {
    let open = |hours, minutes| check_open(hours, NEW_YORK, "2023-11-05 20:00", minutes);
    open("Sun 00:00-03:00", "240");
    open("Sun 01:30-03:00", "150");
    open("Sun 00:00-01:30", "90");
}

#[test]
fn an_interval_left_empty_by_a_gap_is_dropped() {
    check_open("Sun 02:30-03:00", NEW_YORK, "2023-03-12 20:00", "0");
    check_open("Sun 02:00-03:00", NEW_YORK, "2023-03-12 20:00", "0");
    check_open("Sun 02:30-03:00, Sun 03:00-04:00", NEW_YORK, "2023-03-12 20:00", "60");
}

#[test]
fn an_end_from_23_59_on_snaps_to_midnight_when_asked() {
    let now = "2023-01-23 06:00";
    let snapped = |hours, minutes| {
        let question = Question { snap_end_of_day: true, ..ask(now) };
        check(store(hours, UTC, &format!("{now} down")), question, DAY, minutes);
    };
    check_open("Sun 22:00-23:59", UTC, now, "119");
    check_open("Sun 22:00-23:59:30", UTC, now, "119.5");
    snapped("Sun 22:00-23:59", "0 / 120 / 0");
    snapped("Sun 22:00-23:59:59", "0 / 120 / 0");
    snapped("Sun 22:00-23:58:30", "0 / 118.5 / 0");
    snapped("Sun 22:00-24:00", "0 / 120 / 0");
    // The end is read as 24:00 before it is compared with the start.
    snapped("Sun 23:59:30-23:59", "0 / 0.5 / 0");
}

#[test]
fn differing_statuses_at_one_instant_are_inactive() {
    let at = |polls| {
        check(store(SUNDAY_MORNING, UTC, polls), ask("2023-01-22 12:00"), DAY, "60 / 120 / 0");
    };
    at("2023-01-22 09:00 up, 2023-01-22 10:00 up, 2023-01-22 10:00 down");
    at("2023-01-22 10:00 down, 2023-01-22 10:00 up, 2023-01-22 09:00 up");
    at("2023-01-22 09:00 up, 2023-01-22 10:00 down, 2023-01-22 09:00 up, 2023-01-22 10:00 down");
}

#[test]
fn a_poll_before_the_window_counts_and_the_first_reaches_back() {
    let day = |polls, minutes| {
        check(store(SUNDAY_MORNING, UTC, polls), ask("2023-01-22 12:00"), DAY, minutes);
    };
    day("2022-03-01 08:00 down", "0 / 180 / 0");
    day("2022-03-01 08:00 down, 2023-01-22 11:00 up", "60 / 120 / 0");
    day("2023-01-22 11:00 down, 2023-01-22 11:30 up", "30 / 150 / 0");
}

#[test]
fn polls_after_now_are_not_looked_at() {
    let polls = "2023-01-22 10:00 down, 2023-01-22 12:01 up";
    for interpolation in [Previous, Nearest, Next] {
        let question = Question { interpolation, ..ask("2023-01-22 12:00") };
        check(store(SUNDAY_MORNING, UTC, polls), question, DAY, "0 / 180 / 0");
    }
    let late = store(SUNDAY_MORNING, UTC, "2023-01-22 12:01 up");
    check(late, ask("2023-01-22 12:00"), DAY, "0 / 0 / 180");
}

#[test]
fn with_next_the_last_status_holds_until_now_and_a_poll_at_now_counts() {
    let next = || Question { interpolation: Next, ..ask("2023-01-22 12:00") };
    let day = |polls, minutes| check(store(SUNDAY_MORNING, UTC, polls), next(), DAY, minutes);
    day("2023-01-22 10:00 up, 2023-01-22 11:00 down", "60 / 120 / 0");
    day("2023-01-22 10:00 down, 2023-01-22 11:00 up", "120 / 60 / 0");
    day("2023-01-22 10:00 up, 2023-01-22 12:00 down", "60 / 120 / 0");
}

#[test]
fn nearest_gives_the_odd_microsecond_to_the_earlier_poll() {
    let question = Question { interpolation: Nearest, ..ask("2023-01-22 12:00") };
    let chain = store(ALWAYS, UTC, "2023-01-22 11:59:59 up, 2023-01-22 11:59:59.000005 down");
    let hour = judge(&chain, &question)[0].1[0];
    // Active for 59 min 59 s and 3 µs.
    assert_eq!(hour, Tally { up: 3_599_000_003, down: 999_997, unknown: 0 });
}

#[test]
fn a_poll_vouches_no_further_than_max_gap() {
    let polls = "2023-01-22 10:00 up, 2023-01-22 11:00 down";
    let day = |interpolation, gap_min: i64, minutes| {
        let max_gap = Some(gap_min * MINUTE);
        let question = Question { interpolation, max_gap, ..ask("2023-01-22 12:00") };
        check(store(SUNDAY_MORNING, UTC, polls), question, DAY, minutes);
    };
    // 09:40–10:20, 11:00–11:20
    day(Previous, 20, "40 / 20 / 120");
    // 09:40–10:20, 10:40–11:20
    day(Nearest, 20, "40 / 40 / 100");
    // 09:40–10:00, 10:40–11:20
    day(Next, 20, "20 / 40 / 120");
    day(Nearest, 45, "75 / 75 / 30");
    day(Previous, 60, "120 / 60 / 0");
    day(Previous, 0, "0 / 0 / 180");
}

#[test]
fn a_day_is_filled_from_its_own_polls_alone() {
    let day_scope = |now| Question { scope: Scope::Day, ..ask(now) };
    // Sat 09–12 has no poll; Sunday's first reaches back to midnight, its last holds on.
    let hours = "Sat 09:00-12:00, Sun 09:00-12:00, Mon 09:00-12:00";
    let polls = "2023-01-20 23:59 up, 2023-01-22 00:00 down, 2023-01-22 11:00 up";
    let now = "2023-01-23 18:00";
    check(store(hours, UTC, polls), day_scope(now), WEEK, "60 / 120 / 360");

    // Between two polls the step is at midnight.
    let polls = "2023-01-21 20:00 up, 2023-01-22 10:00 down";
    check(store(ALWAYS, UTC, polls), day_scope("2023-01-22 12:00"), DAY, "720 / 720 / 0");
    // The week begins Sun 10:00: the poll of 09:00 is of that day, but before the range.
    let early = "2023-01-15 09:00 up";
    check(store(SUNDAY_MORNING, UTC, early), day_scope("2023-01-22 10:00"), WEEK, "0 / 0 / 180");
    // At its very start a poll counts: Sun 10:00–12:00; the next Sunday is unknown.
    let first = "2023-01-15 10:00 up";
    check(store(SUNDAY_MORNING, UTC, first), day_scope("2023-01-22 10:00"), WEEK, "120 / 0 / 60");
    // A poll at now belongs to no piece.
    let at_now = "2023-01-22 12:00 up";
    check(store(SUNDAY_MORNING, UTC, at_now), day_scope("2023-01-22 12:00"), DAY, "0 / 0 / 180");

    // Midnight in New York is 05:00 UTC, and 04:00 UTC on the day after the clocks went forward.
    let polls = "2023-03-12 04:59 up, 2023-03-12 05:00 down, 2023-03-13 03:59 down";
    let polls = format!("{polls}, 2023-03-13 04:00 up");
    let now = "2023-03-13 05:00";
    check(store(ALWAYS, NEW_YORK, &polls), day_scope(now), DAY, "60 / 1380 / 0");
    let next = Question { interpolation: Next, ..day_scope(now) };
    check(store(ALWAYS, NEW_YORK, &polls), next, DAY, "60 / 1380 / 0");
}

#[test]
fn an_interval_is_filled_from_its_own_polls_alone() {
    let interval = |now| Question { scope: Scope::Interval, ..ask(now) };
    let now = "2023-01-22 18:00";
    let day = |hours, polls, minutes| check(store(hours, UTC, polls), interval(now), DAY, minutes);
    // Touching rows are one interval, a minute apart they are two.
    day("Sun 09:00-12:00, Sun 12:00-13:00", "2023-01-22 10:00 up", "240 / 0 / 0");
    day("Sun 09:00-12:00, Sun 12:01-13:00", "2023-01-22 10:00 up", "180 / 0 / 59");
    // Half-open: 09:00 is inside, 12:00 is not, nor are polls of closed hours.
    day(SUNDAY_MORNING, "2023-01-22 09:00 up", "180 / 0 / 0");
    day(SUNDAY_MORNING, "2023-01-22 08:59 up, 2023-01-22 12:00 down", "0 / 0 / 180");
    day("Sat 22:00-02:00", "2023-01-21 23:00 up, 2023-01-22 01:00 down", "180 / 60 / 0");

    // Open for ever is one piece, cut by the range: neither poll lies inside.
    let polls = "2023-01-15 17:59 up, 2023-01-22 18:00 up";
    check(store(ALWAYS, UTC, polls), interval(now), WEEK, "0 / 0 / 10080");
    // Vouched 08:40–09:40, of which 40 minutes are open.
    let cut = Question { max_gap: Some(30 * MINUTE), ..interval(now) };
    check(store(SUNDAY_MORNING, UTC, "2023-01-22 09:10 down"), cut, DAY, "0 / 40 / 140");
}

#[test]
fn unknown_time_is_booked_as_asked() {
    let day = |no_data, minutes| {
        let question = Question { no_data, max_gap: Some(30 * MINUTE), ..ask("2023-01-22 12:00") };
        check(store(SUNDAY_MORNING, UTC, TASK_POLLS), question, DAY, minutes);
    };
    day(NoData::Unknown, "60 / 30 / 90");
    day(NoData::Down, "60 / 120 / 0");
    day(NoData::Up, "150 / 30 / 0");
}

#[test]
fn hours_zone_and_now_have_defaults() {
    // No hours: always open. Hours on some days: closed on the others.
    check_open(ALWAYS, UTC, "2023-01-22 12:00", "1440");
    check_open("Mon 09:00-12:00", UTC, "2023-01-22 12:00", "0");
    let by_default = |hours: &str, zone: &str, default_hours, minutes| {
        let question = Question { default_hours, ..ask("2023-01-22 12:00") };
        check(store(hours, zone, "2023-01-22 00:00 up"), question, DAY, minutes);
    };
    let nine_to_five = DefaultHours::Daily(9 * 3_600, 17 * 3_600);
    by_default(ALWAYS, UTC, DefaultHours::Closed, "0 / 0 / 0");
    by_default(ALWAYS, UTC, nine_to_five, "480 / 0 / 0");
    by_default(ALWAYS, UTC, DefaultHours::Daily(22 * 3_600, 4 * 3_600), "360 / 0 / 0");
    by_default("Sun 11:00-12:00", UTC, nine_to_five, "60 / 0 / 0");
    by_default("Mon 11:00-12:00", UTC, nine_to_five, "0 / 0 / 0");
    // 09:00 to 17:00 in Chicago is 15:00 to 23:00 UTC.
    by_default(ALWAYS, "", nine_to_five, "480 / 0 / 0");
    // No zone: 09:00 in Chicago is 15:00 UTC.
    check_open(SUNDAY_MORNING, "", "2023-01-22 16:00", "60");
    let tokyo =
        Question { default_zone: Zone::named("Asia/Tokyo").unwrap(), ..ask("2023-01-22 01:00") };
    check(store(SUNDAY_MORNING, "", "2023-01-22 00:00 up"), tokyo, DAY, "60 / 0 / 0");
    // The last zone wins.
    check_open(SUNDAY_MORNING, "Asia/Tokyo, UTC", "2023-01-22 10:00", "60");
    // No now: the latest poll, which is looked at.
    let question = Question { now: None, interpolation: Next, ..ask("2023-01-22 12:00") };
    check(store(SUNDAY_MORNING, UTC, TASK_POLLS), question, DAY, "74 / 61 / 0");
}

#[test]
fn every_store_of_any_input_is_a_row_in_byte_order() {
    let chain = Chain {
        polls: vec![("b".into(), utc("2023-01-22 12:00"), true), ("10".into(), i64::MAX, true)],
        hours: vec![("é".into(), 6, 0, 86_400), ("b".into(), 6, 0, 86_400)],
        zones: vec![("9".into(), UTC.into()), ("B".into(), UTC.into())],
    };
    let judged = judge(&chain, &ask("2023-01-22 12:00"));
    let ids: Vec<&str> = judged.iter().map(|(id, _)| id.as_str()).collect();
    assert_eq!(ids, ["10", "9", "B", "b", "é"]);
}
