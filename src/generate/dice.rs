//! Chance without state: a keyed hash that gives the same answer to the same question.
//!
//! The hash is SplitMix64 (Steele, Lea, Flood 2014), each key its own stream. Not for secrets.

/// 2^64 divided by the golden ratio, made odd.
const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// One throw. [`Dice::on`] and [`Dice::with`] lead to other throws, independent of this one.
#[derive(Debug, Clone, Copy)]
pub struct Dice(u64);

/// What is diced for, so that no two questions share an answer.
#[derive(Debug, Clone, Copy)]
pub enum Topic {
    Blackouts,
    Flickers,
    HoursOrder,
    Ids,
    Misses,
    Offsets,
    Outages,
    PollOrder,
    Silence,
    Troubles,
    WeekKinds,
    Weeks,
    WeekRanks,
    ZoneOrder,
    ZoneRanks,
    Zones,
}

impl Dice {
    pub fn new(seed: u64) -> Dice {
        Dice(mix(seed))
    }

    pub fn on(self, topic: Topic) -> Dice {
        self.with(topic as u64)
    }

    pub fn with(self, number: u64) -> Dice {
        Dice(mix(self.0.wrapping_add(number.wrapping_add(1).wrapping_mul(GOLDEN))))
    }

    /// All 64 bits.
    pub fn bits(self) -> u64 {
        self.0
    }

    /// A number in `0..sides`; 0 if there are no sides.
    pub fn below(self, sides: u64) -> u64 {
        ((u128::from(self.0) * u128::from(sides)) >> 64) as u64
    }

    pub fn one_in(self, sides: u64) -> bool {
        self.below(sides) == 0
    }

    /// One of the choices, each as likely; there must be some.
    pub fn pick<T: Copy>(self, choices: &[T]) -> T {
        choices[self.below(choices.len() as u64) as usize]
    }
}

fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}
