//! The clocks of a batch, each read from its zone's rules once.

use std::collections::HashMap;

use chrono_tz::Tz;
use datafusion::common::exec_err;
use datafusion::error::Result;

use crate::rules::{LocalClock, Span};

#[derive(Default)]
pub struct Clocks(HashMap<(Tz, Span), LocalClock>);

impl Clocks {
    /// # Errors
    /// Where the zone has no IANA name.
    pub fn over(&mut self, zone: &str, range: Span) -> Result<&LocalClock> {
        let Ok(zone) = zone.parse::<Tz>() else {
            return exec_err!("time zone {zone:?} is not an IANA name like 'America/Chicago'");
        };
        let clock = self.0.entry((zone, range));
        Ok(clock.or_insert_with(|| LocalClock::over(zone, range)))
    }
}
