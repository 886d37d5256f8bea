//! Openings of a store.

use uptally::{DailyHours, DefaultHours, Options, ZoneName};

use super::drawing::check;

#[test]
fn a_store_without_hours_never_closes_and_one_with_hours_is_closed_on_other_days() {
    let chain = "
        now 2023-01-25 12:00
        always poll 2023-01-01 00:00 up
        tuesday zone UTC
        tuesday open Tue 22:00-23:00
        tuesday poll 2023-01-01 00:00 up
        sunday zone UTC
        sunday open Sun 22:00-23:00
        sunday poll 2023-01-01 00:00 up";
    check(
        chain,
        Options::default(),
        "always last_hour 60 0 0; always last_day 1440 0 0; always last_week 10080 0 0;
         tuesday last_hour 0 0 0; tuesday last_day 60 0 0; tuesday last_week 60 0 0;
         sunday last_hour 0 0 0; sunday last_day 0 0 0; sunday last_week 60 0 0",
    );
}

#[test]
fn a_store_without_hours_has_the_default_ones() {
    let chain = "
        now 2023-01-25 12:00
        bare zone UTC
        bare poll 2023-01-01 00:00 up
        tuesday zone UTC
        tuesday open Tue 22:00-23:00
        east zone Asia/Tokyo";
    let given = |default_hours| Options { default_hours, ..Options::default() };
    check(
        chain,
        given(DefaultHours::Closed),
        "bare last_week 0 0 0; tuesday last_week 0 0 60; east last_week 0 0 0",
    );
    let daily = |start_h: u32, end_s: u32| {
        given(DefaultHours::Daily(DailyHours::new(start_h * 3600, end_s).unwrap()))
    };
    // 09:00 to 17:00 in Tokyo is 00:00 to 08:00 UTC.
    check(
        chain,
        daily(9, 17 * 3600),
        "bare last_hour 60 0 0; bare last_day 480 0 0; bare last_week 3360 0 0;
         tuesday last_week 0 0 60; east last_hour 0 0 0; east last_day 0 0 480",
    );
    check(chain, daily(18, 2 * 3600), "bare last_day 480 0 0; bare last_hour 0 0 0");
    let minute_to_midnight = daily(23, 86_340);
    check(chain, minute_to_midnight, "bare last_day 59 0 0");
    let snapped = Options { snap_end_of_day: true, ..minute_to_midnight };
    check(chain, snapped, "bare last_day 60 0 0");
}

#[test]
fn a_store_without_a_zone_keeps_the_default_one() {
    // 09:00 to 12:00 in Chicago is 15:00 to 18:00 UTC, in Tokyo 00:00 to 03:00.
    let chain = "
        now 2023-01-25 16:00
        A open Wed 9:00-12:00
        A poll 2023-01-25 02:00 up";
    check(chain, Options::default(), "A last_hour 60 0 0; A last_day 60 0 0; A last_week 180 0 0");
    let tokyo =
        Options { default_time_zone: ZoneName::parse("Asia/Tokyo").unwrap(), ..Options::default() };
    check(chain, tokyo, "A last_hour 0 0 0; A last_day 180 0 0; A last_week 180 0 0");
}

#[test]
fn a_night_belongs_to_the_day_on_which_it_opens() {
    let chain = "
        now 2023-01-25 12:00
        night zone UTC
        night open Tue 18:00-2:00
        night poll 2023-01-25 00:00 down
        night poll 2023-01-25 00:30 up
        whole zone UTC
        whole open Tue 0:00-0:00
        ends-24 zone UTC
        ends-24 open Tue 23:00-24:00
        from-9-to-9 zone UTC
        from-9-to-9 open Tue 9:00-9:00
        before-range zone UTC
        before-range open Tue 18:00-12:30";
    check(
        chain,
        Options::default(),
        "night last_day 90 390 0; night last_week 90 390 0;
         whole last_day 0 0 720; whole last_week 0 0 1440; ends-24 last_day 0 0 60;
         from-9-to-9 last_day 0 0 1260; from-9-to-9 last_week 0 0 1440;
         before-range last_hour 0 0 60; before-range last_week 0 0 1110",
    );
}

#[test]
fn overlapping_touching_and_repeated_rows_never_count_an_instant_twice() {
    let chain = "
        now 2023-01-25 12:00
        A zone UTC
        A open Wed 1:00-5:00
        A open Wed 1:00-5:00
        A open Wed 2:00-3:00
        A open Wed 4:00-6:00
        A open Wed 6:00-7:00
        A open Wed 8:00-9:00
        A open Tue 23:00-1:30
        A poll 2023-01-25 03:00 up";
    // 23:00 to 07:00 and 08:00 to 09:00.
    check(chain, Options::default(), "A last_hour 0 0 0; A last_day 540 0 0; A last_week 540 0 0");
}

#[test]
fn an_end_from_23_59_on_is_literal_until_it_is_asked_to_snap() {
    let chain = "
        now 2023-01-25 12:00
        second zone UTC
        second open Tue 23:00-23:59:59
        minute zone UTC
        minute open Tue 23:00-23:59
        earlier zone UTC
        earlier open Tue 23:00-23:58:59
        late zone UTC
        late open Tue 23:59:30-23:59";
    let snap = Options { snap_end_of_day: true, ..Options::default() };
    check(
        chain,
        Options::default(),
        "second last_day 0 0 3599000000us; minute last_day 0 0 59;
         earlier last_day 0 0 3539000000us;
         late last_day 0 0 720.5; late last_week 0 0 1439.5",
    );
    check(
        chain,
        snap,
        "second last_day 0 0 60; minute last_day 0 0 60; earlier last_day 0 0 3539000000us;
         late last_day 0 0 0.5; late last_week 0 0 0.5",
    );
}

#[test]
fn in_a_gap_local_time_moves_forward_by_its_length() {
    // In Chicago 02:00 became 03:00 on 2023-03-12.
    let chain = "
        now 2023-03-13 12:00
        across open Sun 1:00-4:00
        into open Sun 1:00-2:30
        out-of open Sun 2:30-5:00
        inside open Sun 2:10-2:20
        negative open Sun 2:30-3:00
        next-day open Mon 1:00-4:00";
    check(
        chain,
        Options::default(),
        "across last_week 0 0 120; into last_week 0 0 90; out-of last_week 0 0 90;
         inside last_week 0 0 10; negative last_week 0 0 0; next-day last_week 0 0 180",
    );
}

#[test]
fn in_a_fold_the_earlier_instant_is_taken() {
    // In Chicago 02:00 became 01:00 on 2023-11-05, at 07:00 UTC.
    let chain = "
        now 2023-11-06 12:00
        across open Sun 0:00-3:00
        into open Sun 0:00-1:30
        out-of open Sun 1:30-3:00
        inside open Sun 1:10-1:20
        inside poll 2023-11-05 06:15 up
        inside poll 2023-11-05 07:00 down
        before open Sat 22:00-23:00
        before poll 2023-11-05 03:00 up
        before poll 2023-11-05 03:30 down";
    check(
        chain,
        Options::default(),
        "across last_week 0 0 240; into last_week 0 0 90; out-of last_week 0 0 150;
         inside last_week 10 0 0; before last_week 30 30 0",
    );
}

#[test]
fn zones_far_from_greenwich_keep_their_own_dates() {
    // Wednesday 00:00 is Tuesday 10:00 UTC in Kiritimati and Wednesday 11:00 in Pago Pago.
    let chain = "
        now 2023-01-25 12:00
        east zone Pacific/Kiritimati
        east open Wed 0:00-3:00
        tomorrow zone Pacific/Kiritimati
        tomorrow open Thu 1:00-2:00
        west zone Pacific/Pago_Pago
        west open Wed 0:00-1:00";
    check(
        chain,
        Options::default(),
        "east last_day 0 0 60; east last_week 0 0 180;
         tomorrow last_hour 0 0 60; tomorrow last_week 0 0 60;
         west last_hour 0 0 60; west last_week 0 0 60",
    );
    // From Monday 23:00 to Tuesday 22:59 in Honolulu is from Tuesday 09:00 to Wednesday 08:59 UTC.
    let night = "
        now 2023-01-25 05:00
        A zone Pacific/Honolulu
        A open Mon 23:00-22:59";
    check(night, Options::default(), "A last_day 0 0 1200; A last_week 0 0 1439");
    // Samoa skipped Friday 2011-12-30: 02:00 on that date is 02:00 on Saturday.
    let samoa = "
        now 2012-01-02 12:00
        friday zone Pacific/Apia
        friday open Fri 9:00-12:00
        thursday zone Pacific/Apia
        thursday open Thu 20:00-2:00";
    check(samoa, Options::default(), "friday last_week 0 0 180; thursday last_week 0 0 360");
}
