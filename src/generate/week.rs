//! Business hours of a store's week, as rows of `menu_hours.csv`.
//!
//! A day has up to three openings. Most openings past midnight are split into two rows; a few
//! stores write them as one row that ends before it starts.

use std::io::Write;

use super::quota::Quota;
use super::random::{Random, Stream};
use super::shuffle::Shuffle;

const PARTS: u64 = 3;
/// Largest number of rows of a week.
pub const SLOTS: u64 = 7 * PARTS;

/// Pattern of a store's days; `|` separates rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pattern {
    /// `11:00–21:45`
    Plain,
    /// `11:00–14:00 | 17:00–21:45`
    Break,
    /// `11:00–23:59`
    Late,
    /// `00:00–23:59`
    AllDay,
    /// `00:00–02:00 | 11:00–23:59`
    SplitNight,
    /// `00:00–02:00 | 11:00–14:00 | 17:00–23:59`
    BreakAndSplitNight,
    /// `22:00–02:00`
    Overnight,
}

/// Stores per thousand with a pattern; the others are plain.
const PATTERNS_PER_MILLE: [(Pattern, u32); 6] = [
    (Pattern::Overnight, 20),
    (Pattern::BreakAndSplitNight, 20),
    (Pattern::SplitNight, 150),
    (Pattern::AllDay, 100),
    (Pattern::Break, 80),
    (Pattern::Late, 130),
];

/// Closed days as bits, from Monday in the lowest; mostly Sundays and Mondays. Two consecutive days
/// are always open, since a split night needs them.
const CLOSED_DAYS: [u8; 8] = [
    0b100_0000, 0b100_0000, 0b100_0000, 0b000_0001, 0b000_0001, 0b000_0010, 0b110_0000, 0b000_0111,
];

const OPENS_AT_MINUTES: [u32; 12] = [360, 420, 480, 540, 600, 600, 630, 660, 660, 660, 690, 720];
const NIGHT_MINUTES: [u32; 8] = [10, 60, 60, 90, 120, 120, 180, 240];
const BREAK_AFTER_MINUTES: u32 = 180;
const EVENING_AT_MINUTES: u32 = 17 * 60;

/// Pattern of a week; times are drawn for each row.
#[derive(Debug, Clone, Copy)]
pub struct Week {
    pattern: Pattern,
    closed_days: u8,
    /// True if midnight as an end is written `23:59:59` instead of `23:59:00`.
    has_seconds: bool,
}

/// Assigns weeks to stores by index.
pub struct Assignment {
    polled: u32,
    without_hours: u32,
    with_days_missing: u32,
    ranks: Shuffle,
    kinds: Shuffle,
    with_hours: u32,
    quota: Quota,
    random: Random,
}

impl Assignment {
    /// Stores from `polled` on always have hours.
    pub fn new(random: Random, stores: u32, polled: u32, quota: Quota) -> Assignment {
        let without_hours = quota.share(polled, 200);
        let with_hours = stores - without_hours;
        Assignment {
            polled,
            without_hours,
            with_days_missing: quota.share(stores, 150),
            ranks: Shuffle::new(random.stream(Stream::WeekRanks), u64::from(polled)),
            kinds: Shuffle::new(random.stream(Stream::WeekKinds), u64::from(with_hours)),
            with_hours,
            quota,
            random: random.stream(Stream::Weeks),
        }
    }

    /// Week of a store; `None` if it has no hours.
    pub fn week(&self, store_index: u32) -> Option<Week> {
        let rank = if store_index < self.polled {
            self.ranks.at(u64::from(store_index)) as u32
        } else {
            store_index
        };
        let rank = rank.checked_sub(self.without_hours)?;
        let closed_days = if rank < self.with_days_missing {
            self.random.with(u64::from(store_index)).with(0).pick(&CLOSED_DAYS)
        } else {
            0
        };
        let kind_rank = self.kinds.at(u64::from(rank)) as u32;
        Some(Week {
            pattern: self.pattern(kind_rank),
            closed_days,
            has_seconds: kind_rank.is_multiple_of(3),
        })
    }

    fn pattern(&self, kind_rank: u32) -> Pattern {
        let mut until = 0;
        for (pattern, per_mille) in PATTERNS_PER_MILLE {
            until += self.quota.share(self.with_hours, per_mille);
            if kind_rank < until {
                return pattern;
            }
        }
        Pattern::Plain
    }
}

/// Row of business hours; day 0 is Monday.
#[derive(Debug)]
pub struct HoursRow {
    day: u8,
    starts_at_s: u32,
    ends_at_s: u32,
}

impl Week {
    /// Row in a slot below [`SLOTS`]; `None` if empty. `random` is the store's own.
    pub fn hours_row(self, random: Random, slot: u64) -> Option<HoursRow> {
        let (day, part) = ((slot / PARTS) as u8, (slot % PARTS) as usize);
        if self.is_closed(day) {
            return None;
        }
        let (starts_at_s, ends_at_s) = self.openings(random, day)[part]?;
        Some(HoursRow { day, starts_at_s, ends_at_s })
    }

    fn is_closed(self, day: u8) -> bool {
        (self.closed_days >> day) & 1 == 1
    }

    /// Starts and ends of a day's openings, in seconds after midnight.
    fn openings(self, random: Random, day: u8) -> [Option<(u32, u32)>; PARTS as usize] {
        let Times { opens, break_at, evening, closes, night } = Times::new(random, day);
        let midnight = if self.has_seconds { 86_399 } else { 86_340 };
        // A night does not extend into a closed day, which has no rows at all.
        let rest = (!self.is_closed((day + 6) % 7)).then_some((0, night));
        match self.pattern {
            Pattern::Plain => [Some((opens, closes)), None, None],
            Pattern::Break => [Some((opens, break_at)), Some((evening, closes)), None],
            Pattern::Late => [Some((opens, midnight)), None, None],
            Pattern::AllDay => [Some((0, midnight)), None, None],
            Pattern::SplitNight => [rest, Some((opens, midnight)), None],
            Pattern::BreakAndSplitNight => {
                [rest, Some((opens, break_at)), Some((evening, midnight))]
            }
            Pattern::Overnight => [Some((closes, night)), None, None],
        }
    }
}

/// Times of day from which a store's rows are made, in seconds after midnight.
struct Times {
    opens: u32,
    break_at: u32,
    evening: u32,
    closes: u32,
    /// End of a night, after midnight.
    night: u32,
}

impl Times {
    /// A third of the stores have other hours on Saturdays and on Sundays.
    fn new(random: Random, day: u8) -> Times {
        let day_kind = if random.with(1).one_in(3) { day.saturating_sub(4) } else { 0 };
        let day_random = random.with(2).with(u64::from(day_kind));
        let opens = day_random.with(0).pick(&OPENS_AT_MINUTES) * 60;
        Times {
            opens,
            break_at: opens + BREAK_AFTER_MINUTES * 60,
            evening: EVENING_AT_MINUTES * 60,
            closes: (19 * 60 + 15 * day_random.with(1).below(17) as u32) * 60,
            night: random.with(3).pick(&NIGHT_MINUTES) * 60,
        }
    }
}

impl HoursRow {
    /// Appends `,4,18:00:00,23:59:59`, to follow the store id.
    pub fn append_to(&self, line: &mut Vec<u8>) {
        let [from, until] = [self.starts_at_s, self.ends_at_s].map(clock_face);
        let day = self.day;
        // Writing to a vector cannot fail.
        let _ = write!(line, ",{day},{from},{until}");
    }
}

fn clock_face(seconds: u32) -> String {
    format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}
