//! Golden cases of the rules: a drawn chain, a query, and the expected minutes.

mod drawn;
mod max_gap;
mod openings;
mod polls;

use self::drawn::{check, report};
use crate::rules::Interpolation::{Nearest, Next};
use crate::rules::{NoData, Options, Scope};

const MINUTE_US: i64 = 60_000_000;

fn gap(minutes: i64) -> Options {
    Options { max_gap_us: Some(minutes * MINUTE_US), ..Options::default() }
}

const TASK: &str = "
    now 2023-01-25 12:00
    A zone UTC
    A open Wed 9:00-12:00
    A poll 2023-01-25 10:14 up
    A poll 2023-01-25 11:15 down";

const TASK_WITHOUT_POLLS: &str = "
    now 2023-01-25 12:00
    A zone UTC
    A open Wed 9:00-12:00";

#[test]
fn two_polls_in_three_open_hours() {
    let previous = Options::default();
    check(TASK, previous, "A last_hour 15 45 0; A last_day 135 45 0; A last_week 135 45 0");
    let nearest = Options { interpolation: Nearest, ..previous };
    check(TASK, nearest, "A last_hour 0 60 0; A last_day 104.5 75.5 0");
    let next = Options { interpolation: Next, ..previous };
    check(TASK, next, "A last_hour 0 60 0; A last_day 74 106 0");
    check(TASK, gap(30), "A last_hour 0 30 30; A last_day 60 30 90");
    check(TASK_WITHOUT_POLLS, previous, "A last_hour 0 0 60; A last_day 0 0 180");
    let down = Options { no_data: NoData::Down, ..previous };
    check(TASK_WITHOUT_POLLS, down, "A last_hour 0 60 0; A last_day 0 180 0");
}

#[test]
fn unknown_time_is_booked_as_asked() {
    check(TASK, Options { no_data: NoData::Down, ..gap(30) }, "A last_day 60 120 0");
    check(TASK, Options { no_data: NoData::Up, ..gap(30) }, "A last_day 150 30 0");
    let up = Options { no_data: NoData::Up, ..Options::default() };
    check(TASK_WITHOUT_POLLS, up, "A last_day 180 0 0");
}

#[test]
fn ids_are_text_in_byte_order_and_a_question_can_name_some() {
    let chain = "
        now 2023-01-25 12:00
        é poll 2023-01-25 11:00 up
        a poll 2023-01-25 11:00 up
        B poll 2023-01-25 11:00 down
        9 poll 2023-01-25 11:00 up
        9 zone UTC
        9 open Wed 11:30-12:00
        10 poll 2023-01-25 11:30 up
        8475203175643014915 poll 2023-01-25 11:30 up";
    let ids = |only: Option<&[&str]>| -> Vec<String> {
        let lines = report(chain, Options::default(), only);
        let mut ids: Vec<String> = lines.into_iter().map(|line| line.store_id).collect();
        ids.dedup();
        ids
    };
    assert_eq!(ids(None), ["10", "8475203175643014915", "9", "B", "a", "é"]);
    assert_eq!(ids(Some(&["a", "9", "nobody"])), ["9", "a"]);
    assert_eq!(ids(Some(&[])), [""; 0]);
    let nine = report(chain, Options::default(), Some(&["9", "10"]));
    assert_eq!(nine[3].to_string(), "9 last_hour 1800000000 0 0 of 1800000000");
}

#[test]
fn a_chain_without_rows_is_a_report_without_rows() {
    for scope in [Scope::All, Scope::Day, Scope::Interval] {
        let options = Options { scope, ..Options::default() };
        assert!(report("now 2023-01-25 12:00", options, None).is_empty());
        check("now 2023-01-25 12:00\nA seen", options, "A last_hour 0 0 60; A last_week 0 0 10080");
    }
}
