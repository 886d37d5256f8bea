//! Description of every SQL function, which the prompt, the session's catalog, argument checks and
//! tests share. The tests run every example.

mod aggregates;
mod durations;
mod heartbeats;
mod periods;
mod scalars;
mod states;
mod stores;

use std::fmt::{self, Display};

use datafusion::logical_expr::{DocSection, Documentation};

pub use super::argument_types::{Argument, Takes};
pub use super::results::Gives;
pub use aggregates::*;
pub use durations::*;
pub use heartbeats::*;
pub use periods::*;
pub use scalars::*;
pub use states::*;
pub use stores::*;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Aggregate,
    Scalar,
    /// Called in `FROM`.
    Table,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Kind::Aggregate => "aggregate",
            Kind::Scalar => "scalar",
            Kind::Table => "table function",
        }
    }
}

/// Description of a function.
#[derive(Debug)]
pub struct Documented {
    pub name: &'static str,
    pub kind: Kind,
    /// Sentence that says what the function computes.
    pub summary: &'static str,
    pub arguments: &'static [Argument],
    /// Type of the result.
    pub gives: Gives,
    /// The result and its unit, for people.
    pub returns: &'static str,
    /// Conditions for a null result, and the meaning of null arguments.
    pub nulls: &'static str,
    pub example: Example,
}

/// Query that demonstrates the function, on literal values or on the sample data.
#[derive(Clone, Copy, Debug)]
pub struct Example {
    pub sql: &'static str,
    /// Exact output as a text table.
    pub output: &'static str,
}

/// Functions of every session. Table functions are described where they are defined.
pub const DOCUMENTED: [&Documented; 44] = [
    &TIMELINE,
    &STATE_AGG,
    &HEARTBEAT_AGG,
    &ROLLUP,
    &POLL_LIST,
    &WEEKLY_HOURS,
    &OPEN_SPANS,
    &LOCAL_DAYS,
    &TIMELINE_WITHIN,
    &TIMES_IN,
    &TIME_IN,
    &STATE_AT,
    &LIVE_AT,
    &LIVE_RANGES,
    &DEAD_RANGES,
    &UNKNOWN_RANGES,
    &NUM_LIVE_RANGES,
    &NUM_GAPS,
    &UPTIME_OF,
    &DOWNTIME_OF,
    &INTERPOLATE,
    &INTERPOLATED_UPTIME,
    &INTERPOLATED_DOWNTIME,
    &TRIM_TO,
    &TIMELINE_AND,
    &TIMELINE_OR,
    &TIMELINE_NOT,
    &TIMELINE_CLIP,
    &DURATION_IN,
    &INTERPOLATED_DURATION_IN,
    &STATE_PERIODS,
    &INTERPOLATED_STATE_PERIODS,
    &STATE_TIMELINE,
    &INTERPOLATED_STATE_TIMELINE,
    &INTO_VALUES,
    &TIME_BUCKET,
    &IS_OPEN,
    &NEXT_OPEN,
    &NEXT_CLOSE,
    &PREVIOUS_OPEN,
    &PREVIOUS_CLOSE,
    &BUSINESS_TIME,
    &BUSINESS_DEADLINE,
    &TO_STORE_TIME,
];

impl Documented {
    /// Signature such as `open_spans(weekly_hours, time_zone, from, to [, snap_end_of_day])`.
    pub fn signature(&self) -> String {
        let mut signature = format!("{}(", self.name);
        for (at, argument) in self.arguments.iter().enumerate() {
            signature += match (argument.is_optional, at) {
                (true, 0) => "[",
                (true, _) => " [, ",
                (false, 0) => "",
                (false, _) => ", ",
            };
            signature += argument.name;
        }
        signature += &"]".repeat(self.arguments.iter().filter(|one| one.is_optional).count());
        signature + ")"
    }

    /// Converts the description for DataFusion's catalog.
    pub fn documentation(&self) -> Documentation {
        const SECTION: DocSection =
            DocSection { include: true, label: "Time in state", description: None };
        let description = format!("{} Returns {}. {}", self.summary, self.returns, self.nulls);
        let documentation =
            Documentation::builder(SECTION, description, self.signature()).with_sql_example(
                format!("```sql\n{}\n{}\n```", self.example.sql, self.example.output),
            );
        let described = self.arguments.iter();
        described
            .fold(documentation, |documentation, argument| {
                documentation.with_argument(argument.name, argument.about)
            })
            .build()
    }
}

/// Help page of the prompt.
impl Display for Documented {
    fn fmt(&self, page: &mut fmt::Formatter) -> fmt::Result {
        writeln!(page, "{}   {}\n", self.signature(), self.kind.name())?;
        writeln!(page, "{}\n", self.summary)?;
        let width = self.arguments.iter().map(|argument| argument.name.len()).max().unwrap_or(0);
        for Argument { name, takes, about, .. } in self.arguments {
            writeln!(page, "  {name:width$}  {}; {about}", takes.expected())?;
        }
        writeln!(page, "\nreturns  {}", self.returns)?;
        writeln!(page, "nulls    {}\n", self.nulls)?;
        writeln!(page, "{}\n{}", self.example.sql, self.example.output)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_shows_optional_arguments() {
        for (function, expected) in [
            (&TIMELINE, "timeline(polled_at, active [, interpolation [, max_gap]])"),
            (&STATE_AT, "state_at(timeline, instant)"),
        ] {
            assert_eq!(function.signature(), expected);
        }
    }

    #[test]
    fn the_page_shows_the_whole_description() {
        let page = "\
next_open(store_id, instant [, options])   scalar

First opening time of a store after an instant.

  store_id  a text; id of a store
  instant   a timestamp, a date or a text like '2023-01-22 12:00:00', UTC; instant to evaluate
  options   a text; any of 'snap_end_of_day=true,default_hours=09:00-17:00,default_timezone=UTC', or \
by name, as in default_hours => 'closed'; same meaning as for the report

returns  a timestamp, UTC, later than the instant
nulls    Null if an argument other than options is null, if the store is unknown, or if it never opens \
because it is always open or always closed.

SELECT next_open('1177941416522642976', '2023-01-24 18:00:00') AS opens_at;
+----------------------+
| opens_at             |
+----------------------+
| 2023-01-25T15:30:00Z |
+----------------------+
";
        assert_eq!(NEXT_OPEN.to_string(), page);
    }

    #[test]
    fn names_are_found_once_and_optional_arguments_come_last() {
        for (at, function) in DOCUMENTED.iter().enumerate() {
            let is_same = |other: &&&Documented| other.name == function.name;
            assert_eq!(DOCUMENTED.iter().position(|other| is_same(&other)), Some(at));
            assert!(function.arguments.is_sorted_by_key(|argument| argument.is_optional));
        }
    }
}
