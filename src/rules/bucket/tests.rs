use chrono::{DateTime, NaiveDateTime};
use chrono_tz::Tz;

use super::*;

fn us(text: &str) -> i64 {
    let at = NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M").unwrap();
    at.and_utc().timestamp_micros()
}

/// Draws the local start of each bucket and its length in hours; buckets must fill the range.
#[track_caller]
fn check(bucket: Bucket, zone: Tz, (from, to): (&str, &str), expected: &str) {
    let range = Span::new(us(from), us(to)).unwrap();
    let mut at = range.starts_at();
    let drawn = |(local, span): (i64, Span)| {
        assert_eq!(span.starts_at(), at);
        at = span.ends_at();
        let local = DateTime::from_timestamp_micros(local).unwrap();
        let hours = (span.ends_at() - span.starts_at()) as f64 / HOUR_US as f64;
        format!("{}={hours}", local.format("%m-%dT%H"))
    };
    let found = bucket.cut(&LocalClock::over(&zone.into(), range), range);
    assert_eq!(found.into_iter().map(drawn).collect::<Vec<_>>().join(" "), expected);
    assert_eq!(at, range.ends_at());
}

const CHICAGO: Tz = chrono_tz::America::Chicago;

#[test]
fn days_weeks_and_months_are_local_and_cut_to_the_range() {
    let week = ("2023-01-22 12:00", "2023-01-25 00:00");
    check(Bucket::DAY, CHICAGO, week, "01-22T00=18 01-23T00=24 01-24T00=18");
    check(Bucket::WEEK, CHICAGO, week, "01-16T00=18 01-23T00=42");
    let months = ("2023-12-31 00:00", "2024-02-02 00:00");
    check(Bucket::MONTH, Tz::UTC, months, "12-01T00=24 01-01T00=744 02-01T00=24");
}

#[test]
fn buckets_are_shorter_or_longer_at_transitions() {
    let spring = ("2023-03-12 06:00", "2023-03-13 05:00");
    check(Bucket::DAY, CHICAGO, spring, "03-12T00=23");
    check(Bucket::HOUR, CHICAGO, ("2023-03-12 07:00", "2023-03-12 09:00"), "03-12T01=1 03-12T03=1");
    check(
        Bucket::HOUR,
        CHICAGO,
        ("2023-11-05 05:00", "2023-11-05 09:00"),
        "11-05T00=1 11-05T01=2 11-05T02=1",
    );
    check(Bucket::HOUR, CHICAGO, ("2023-11-05 07:00", "2023-11-05 07:30"), "11-05T01=0.5");
    // Kolkata is half an hour off UTC, so its hours start between two UTC hours.
    check(
        Bucket::HOUR,
        chrono_tz::Asia::Kolkata,
        ("2023-01-01 00:00", "2023-01-01 01:00"),
        "01-01T05=0.5 01-01T06=0.5",
    );
}

fn bucket(text: &str) -> Bucket {
    Bucket::parse(text).unwrap()
}

#[test]
fn a_length_is_read_in_any_of_its_spellings() {
    for (text, expected) in [
        ("day", Bucket::DAY),
        ("Hours", Bucket::HOUR),
        ("5 minutes", Bucket::Time(5 * MINUTE_US)),
        ("90m", Bucket::Time(90 * MINUTE_US)),
        ("1h 30m", Bucket::Time(90 * MINUTE_US)),
        ("1 day, 12 hours", Bucket::Time(36 * HOUR_US)),
        ("1 quarter", Bucket::Months(3)),
        ("quarter", Bucket::Months(3)),
        ("1 year 6 mons", Bucket::Months(18)),
        ("2 centuries", Bucket::Months(2400)),
        ("1500ms", Bucket::Time(1_500_000)),
    ] {
        assert_eq!(Bucket::parse(text), Ok(expected), "{text}");
        assert_eq!(Bucket::parse(&expected.text()), Ok(expected));
    }
    for (text, expected) in [
        ("", "is not a bucket; expected minute, hour"),
        ("fortnight", "is not a bucket"),
        ("5", "is not a bucket"),
        ("-5 minutes", "is not a bucket"),
        ("1.5 hours", "is not a bucket"),
        ("0 days", "is not between a second and a thousand years"),
        ("500 ms", "is not between a second and a thousand years"),
        ("99999999999999999999 days", "is not a bucket"),
        ("9999999999999999 days", "is not between a second and a thousand years"),
        ("1001 years", "is not between a second and a thousand years"),
        ("1 month 2 days", "mixes months with days or hours"),
    ] {
        let sentence = Bucket::parse(text).unwrap_err();
        assert!(sentence.contains(expected), "{text}: {sentence}");
    }
}

#[test]
fn any_number_of_a_unit_is_counted_from_2000() {
    let year = ("2023-01-15 00:00", "2023-07-02 00:00");
    check(bucket("1 quarter"), Tz::UTC, year, "01-01T00=1824 04-01T00=2184 07-01T00=24");
    check(bucket("5 months"), Tz::UTC, year, "12-01T00=2544 05-01T00=1488");
    check(bucket("1 year"), Tz::UTC, year, "01-01T00=4032");
    // 2023-01-16 is 1,202 weeks after 2000-01-03.
    let weeks = ("2023-01-20 00:00", "2023-01-31 00:00");
    check(bucket("2 weeks"), Tz::UTC, weeks, "01-16T00=240 01-30T00=24");
    let day = ("2023-01-24 00:00", "2023-01-25 00:00");
    check(bucket("6 hours"), CHICAGO, day, "01-23T18=6 01-24T00=6 01-24T06=6 01-24T12=6");
    check(bucket("36 hours"), Tz::UTC, day, "01-23T00=12 01-24T12=12");
}

#[test]
fn buckets_shorter_than_a_fold_start_twice() {
    let fall = ("2023-11-05 06:00", "2023-11-05 08:30");
    check(
        bucket("30m"),
        CHICAGO,
        fall,
        "11-05T01=0.5 11-05T01=0.5 11-05T01=0.5 11-05T01=0.5 11-05T02=0.5",
    );
    check(bucket("1h"), CHICAGO, fall, "11-05T01=2 11-05T02=0.5");
    check(bucket("90m"), CHICAGO, fall, "11-05T00=0.5 11-05T01=2");
}

/// At every minute around transitions, the bucket is that of the local time.
#[test]
fn the_clock_is_within_the_bucket_at_every_minute() {
    for (zone, day) in [
        (CHICAGO, "2023-03-12 00:00"),
        (CHICAGO, "2023-11-05 00:00"),
        (chrono_tz::Australia::Lord_Howe, "2023-04-01 00:00"),
        (chrono_tz::Australia::Lord_Howe, "2023-09-30 00:00"),
        (chrono_tz::America::St_Johns, "2010-11-07 00:00"),
        (chrono_tz::Pacific::Apia, "2011-12-30 00:00"),
        (chrono_tz::Asia::Kolkata, "2023-01-24 00:00"),
    ] {
        let range = Span::new(us(day), us(day) + 36 * HOUR_US).unwrap();
        let clock = LocalClock::over(&zone.into(), range);
        for length in ["1m", "5m", "7m", "15m", "25m"] {
            let cut = bucket(length).cut(&clock, range);
            assert_eq!(cut.first().unwrap().1.starts_at(), range.starts_at());
            assert_eq!(cut.last().unwrap().1.ends_at(), range.ends_at());
            assert!(cut.windows(2).all(|two| two[0].1.ends_at() == two[1].1.starts_at()));
            for (local, span) in cut {
                for at in (span.starts_at()..span.ends_at()).step_by(MINUTE_US as usize) {
                    let shown = bucket(length).start_of(clock.local_at(at));
                    assert_eq!(shown, local, "{length} of {zone} at {at}");
                }
            }
        }
    }
}
