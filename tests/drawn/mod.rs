//! Cases of the rules: a drawn chain, a query, and the minutes that both engines answer.

mod drawing;
mod max_gap;
mod openings;
mod polls;

use uptally::Interpolation::{Nearest, Next};
use uptally::{NoData, Options, Scope};

use self::drawing::{check, reports};
use crate::judge::Tally;

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
    #[track_caller]
    fn check_ids(chain: &str, stores: &[&str], expected: &[&str]) {
        for report in reports(chain, Options::default(), stores) {
            let ids: Vec<&str> = report.iter().map(|(id, _)| id.as_str()).collect();
            assert_eq!(ids, expected);
        }
    }
    check_ids(chain, &[], &["10", "8475203175643014915", "9", "B", "a", "é"]);
    check_ids(chain, &["a", "9"], &["9", "a"]);
    for report in reports(chain, Options::default(), &["9", "10"]) {
        assert_eq!(report[1].1[0], Tally { up: 30 * MINUTE_US, down: 0, unknown: 0 });
    }
}

#[test]
fn a_store_without_polls_is_unknown_whatever_the_scope() {
    for scope in [Scope::All, Scope::Day, Scope::Interval] {
        let options = Options { scope, ..Options::default() };
        let chain = "now 2023-01-25 12:00\nA zone UTC";
        check(chain, options, "A last_hour 0 0 60; A last_week 0 0 10080");
    }
}
