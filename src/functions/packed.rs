//! Polls and openings as numbers of eight bytes that order as they do.

use arrow::array::{ArrayRef, AsArray};
use arrow::datatypes::{Int8Type, Int32Type, TimestampMicrosecondType};
use datafusion::common::exec_err;
use datafusion::common::utils::take_function_args;
use datafusion::error::Result;

use crate::rules::{Opening, Poll, Weekday};

/// Appends the bits of each row's poll; of a row with a null, whatever they may be.
///
/// # Errors
/// Where an instant is more than 73,000 years away, which leaves no bit for the status; nothing is
/// appended then.
pub fn append_polls(values: &[ArrayRef], into: &mut Vec<i64>) -> Result<()> {
    const FURTHEST: u64 = 1 << 61;
    let instants = values[0].as_primitive::<TimestampMicrosecondType>();
    // In passes without a branch: a row in one costs four times as much.
    let magnitudes = instants.values().iter().fold(0, |bits, at| bits | (at ^ (at >> 63)) as u64);
    if magnitudes >= FURTHEST {
        let is_far = |at: &i64| (at ^ (at >> 63)) as u64 >= FURTHEST;
        if let Some(at) = instants.iter().flatten().find(is_far) {
            return exec_err!("a poll at {at} (microseconds UTC) is too far from today");
        }
    }
    let before = into.len();
    into.extend(instants.values().iter().map(|&polled_at| polled_at << 1));
    let active = values[1].as_boolean().values().bit_chunks();
    for (polls, active) in into[before..].chunks_mut(64).zip(active.iter_padded()) {
        for (at, poll) in polls.iter_mut().enumerate() {
            *poll |= (active >> at & 1) as i64;
        }
    }
    Ok(())
}

/// Replaces `polls` with those of the bits.
pub fn read_polls(packed: &[i64], polls: &mut Vec<Poll>) {
    polls.clear();
    polls.extend(packed.iter().map(|&bits| Poll::from_bits(bits)));
}

const TIME_BITS: u32 = 20;

/// Hands on each row's opening; `None` where `counts` says so.
///
/// # Errors
/// Where the numbers of a row that counts are no opening.
pub fn openings(
    values: &[ArrayRef],
    counts: impl Fn(usize) -> bool,
    mut take: impl FnMut(usize, Option<i64>),
) -> Result<()> {
    let [days, starts, ends] = take_function_args("weekly_hours", values)?;
    let days = days.as_primitive::<Int8Type>();
    let (starts, ends) = (starts.as_primitive::<Int32Type>(), ends.as_primitive::<Int32Type>());
    for row in 0..days.len() {
        let packed = match counts(row) {
            true => Some(opening(days.value(row), starts.value(row), ends.value(row))?),
            false => None,
        };
        take(row, packed);
    }
    Ok(())
}

fn opening(day: i8, start_s: i32, end_s: i32) -> Result<i64> {
    let weekday = u8::try_from(day).ok().and_then(Weekday::from_monday_zero);
    let opening = match (weekday, u32::try_from(start_s), u32::try_from(end_s)) {
        (Some(weekday), Ok(start_s), Ok(end_s)) => Opening::new(weekday, start_s, end_s),
        _ => None,
    };
    if opening.is_none() {
        return exec_err!(
            "weekly_hours: day {day}, {start_s} s to {end_s} s is no opening; expected a day from 0, \
             Monday, to 6, Sunday, and seconds of its local time from 0 to 86400"
        );
    }
    Ok(i64::from(day) << (2 * TIME_BITS) | i64::from(start_s) << TIME_BITS | i64::from(end_s))
}

/// The opening of the bits.
pub fn read_opening(packed: i64) -> Option<Opening> {
    let seconds = |bits: i64| (bits & ((1 << TIME_BITS) - 1)) as u32;
    let weekday = Weekday::from_monday_zero(u8::try_from(packed >> (2 * TIME_BITS)).ok()?)?;
    Opening::new(weekday, seconds(packed >> TIME_BITS), seconds(packed))
}
