//! State between polls, before the first and after the last.

use uptally::Interpolation::{Nearest, Next};
use uptally::Options;

use super::drawing::check;

#[test]
fn windows_are_half_open_and_polls_after_now_are_not_looked_at() {
    let chain = "
        now 2023-01-25 12:00
        at-now poll 2023-01-25 11:30 up
        at-now poll 2023-01-25 12:00 down
        after-now poll 2023-01-25 11:30 up
        after-now poll 2023-01-25 12:00:00.000001 down
        only-after-now poll 2023-01-25 12:00:00.000001 down
        at-hour poll 2023-01-25 11:00 up
        at-hour poll 2023-01-24 11:00 down";
    check(
        chain,
        Options::default(),
        "at-now last_hour 60 0 0; after-now last_hour 60 0 0; only-after-now last_week 0 0 10080;
         at-hour last_hour 60 0 0; at-hour last_day 60 1380 0",
    );
    let next = Options { interpolation: Next, ..Options::default() };
    check(
        chain,
        next,
        "at-now last_hour 30 30 0; after-now last_hour 60 0 0; at-hour last_day 1440 0 0",
    );
    let nearest = Options { interpolation: Nearest, ..Options::default() };
    check(chain, nearest, "at-now last_hour 45 15 0; after-now last_hour 60 0 0");
}

#[test]
fn the_poll_before_a_window_counts_in_it_however_old() {
    let chain = "
        now 2023-01-25 12:00
        A poll 1677-01-01 00:00 up
        A poll 2023-01-25 11:45 down
        B poll 1677-01-01 00:00 down
        C poll 2023-01-18 11:59 up
        C poll 2023-01-18 11:00 down
        C poll 2023-01-18 00:00 down";
    check(
        chain,
        Options::default(),
        "A last_hour 45 15 0; A last_week 10065 15 0; B last_week 0 10080 0; C last_week 10080 0 0",
    );
    let next = Options { interpolation: Next, ..Options::default() };
    check(chain, next, "A last_week 0 10080 0; B last_week 0 10080 0");
}

#[test]
fn the_first_status_reaches_back_and_the_last_one_to_now() {
    let chain = "
        now 2023-01-25 12:00
        A poll 2023-01-20 12:00 up
        A poll 2023-01-22 12:00 down";
    check(chain, Options::default(), "A last_day 0 1440 0; A last_week 5760 4320 0");
    let next = Options { interpolation: Next, ..Options::default() };
    check(chain, next, "A last_week 2880 7200 0");
    let nearest = Options { interpolation: Nearest, ..Options::default() };
    check(chain, nearest, "A last_week 4320 5760 0");
}

#[test]
fn nearest_changes_halfway_rounded_up() {
    let chain = "
        now 2023-01-25 12:00
        odd poll 2023-01-25 11:59:59.999993 up
        odd poll 2023-01-25 11:59:59.999998 down
        even poll 2023-01-25 11:59:59.999994 up
        even poll 2023-01-25 11:59:59.999998 down
        old poll 2023-01-18 11:59:59.999998 up
        old poll 2023-01-18 12:00:00.000003 down";
    let nearest = Options { interpolation: Nearest, ..Options::default() };
    check(
        chain,
        nearest,
        "odd last_hour 3599999996us 4us 0; even last_hour 3599999996us 4us 0;
         old last_week 1us 604799999999us 0",
    );
}

#[test]
fn runs_of_one_status_go_on_from_file_to_file() {
    let chain = "
        now 2023-01-25 12:00
        A poll 2023-01-10 12:00 down
        A poll 2023-01-19 12:00 down
        A poll 2023-01-19 18:00 down
        A poll 2023-01-20 12:00 down
        A poll 2023-01-21 00:00 up
        A poll 2023-01-21 23:00 up
        A poll 2023-01-22 06:00 up
        A poll 2023-01-22 12:00 down
        B poll 2023-01-22 12:00 down
        B poll 2023-01-23 12:00 down";
    // Down from the 18th 12:00 to the 21st 00:00, and from the 22nd 12:00 on: 60 h and 72 h.
    check(chain, Options::default(), "A last_week 2160 7920 0; B last_week 0 10080 0");
    // Up from the 20th 12:00 to the 22nd 06:00.
    let next = Options { interpolation: Next, ..Options::default() };
    check(chain, next, "A last_week 2520 7560 0");
    // Up from the 20th 18:00 to the 22nd 09:00.
    let nearest = Options { interpolation: Nearest, ..Options::default() };
    check(chain, nearest, "A last_week 2340 7740 0");
}
