//! Limits of the time for which a poll determines the state.

use uptally::Interpolation::{Nearest, Next};
use uptally::{Options, Scope};

use super::drawing::check;
use super::{MINUTE_US, gap};

#[test]
fn each_local_day_is_filled_from_its_own_polls() {
    // Local days in Chicago begin at 06:00 UTC.
    let chain = "
        now 2023-01-25 12:00
        A poll 2023-01-18 11:00 up
        A poll 2023-01-20 05:59 up
        A poll 2023-01-20 06:00 down
        A poll 2023-01-20 07:00 up
        A poll 2023-01-25 05:00 up
        A poll 2023-01-25 12:00 down
        first poll 2023-01-18 12:00 up
        last poll 2023-01-25 11:59:59.999999 down";
    let day = Options { scope: Scope::Day, ..Options::default() };
    // Filled are the local days of the 19th, the 20th and the 24th.
    check(
        chain,
        day,
        "A last_hour 0 0 60; A last_day 1080 0 360; A last_week 4260 60 5760;
         first last_week 1080 0 9000; last last_day 0 360 1080; last last_week 0 360 9720",
    );
    check(chain, Options { interpolation: Next, ..day }, "A last_week 4320 0 5760");
    // 05:29 to 06:30 on the 20th, 07:00 to 07:30, and 04:30 to 05:30 on the 25th.
    check(
        chain,
        Options { max_gap_us: Some(30 * MINUTE_US), ..day },
        "A last_day 60 0 1380; A last_week 121 30 9929",
    );
}

#[test]
fn local_days_change_their_length_with_the_clocks() {
    // The local Sunday of 2023-03-12 lasts from 06:00 UTC to 05:00 UTC, 23 hours.
    let chain = "
        now 2023-03-13 12:00
        A poll 2023-03-12 12:00 up
        B poll 2023-03-13 05:00 up";
    let day = Options { scope: Scope::Day, ..Options::default() };
    check(chain, day, "A last_day 1020 0 420; A last_week 1380 0 8700; B last_week 420 0 9660");
}

#[test]
fn each_united_business_interval_is_filled_from_its_own_polls() {
    let chain = "
        now 2023-01-25 12:00
        A zone UTC
        A open Wed 1:00-3:00
        A open Wed 3:00-5:00
        A open Wed 8:00-10:00
        A open Wed 11:00-13:00
        A poll 2023-01-25 00:59 down
        A poll 2023-01-25 02:00 up
        A poll 2023-01-25 04:00 down
        A poll 2023-01-25 05:00 up
        A poll 2023-01-25 08:00 down
        A poll 2023-01-25 12:00 up
        B poll 2023-01-24 10:00 down
        B poll 2023-01-18 11:00 up";
    let interval = Options { scope: Scope::Interval, ..Options::default() };
    check(chain, interval, "A last_hour 0 0 60; A last_day 180 180 60; B last_week 0 10080 0");
    check(chain, Options { interpolation: Nearest, ..interval }, "A last_day 120 240 60");
    check(
        chain,
        Options { max_gap_us: Some(30 * MINUTE_US), ..interval },
        "A last_day 60 60 300; B last_day 0 0 1440; B last_week 0 60 10020",
    );
}

#[test]
fn a_poll_covers_no_more_than_the_gap() {
    let chain = "
        now 2023-01-25 12:00
        A poll 2023-01-25 11:10 up
        A poll 2023-01-25 11:40 down
        near poll 2023-01-25 11:10 up
        near poll 2023-01-25 11:15 up
        near poll 2023-01-25 11:25 up
        far poll 2023-01-25 11:10 up
        far poll 2023-01-25 11:21 up
        carried poll 2023-01-18 11:55 up
        carried poll 2023-01-18 11:00 down
        midnight poll 2023-01-24 23:55 up
        midnight poll 2023-01-25 00:05 up";
    let ten = gap(10);
    check(
        chain,
        ten,
        "A last_hour 20 10 30; A last_day 20 10 1410; near last_hour 35 0 25; far last_hour 30 0 30;
         carried last_week 5 0 10075; carried last_day 0 0 1440; midnight last_day 30 0 1410",
    );
    // Up on 11:00 to 11:20, down on 11:30 to 11:50.
    check(
        chain,
        Options { interpolation: Nearest, ..ten },
        "A last_hour 20 20 20; far last_hour 31 0 29",
    );
    // Up on 11:00 to 11:10, down on 11:30 to 11:50; 11:10 to 11:11 is unknown because the gap is
    // exceeded.
    check(
        chain,
        Options { interpolation: Next, ..ten },
        "A last_hour 10 20 30; far last_hour 30 0 30",
    );
}

#[test]
fn a_gap_beyond_all_time_vouches_for_all_time() {
    let chain = "
        now 2023-01-25 12:00
        A poll 1677-01-01 00:00 up
        A poll 2023-01-25 11:45 down";
    for max_gap_us in [i64::MAX, 400 * 366 * 1440 * MINUTE_US] {
        let endless = Options { max_gap_us: Some(max_gap_us), ..Options::default() };
        check(chain, endless, "A last_hour 45 15 0; A last_week 10065 15 0");
    }
}
