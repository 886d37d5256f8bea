//! Incidents: periods during which a store was down while it should have been open.

use super::span::Span;
use super::tally::tally;
use super::timeline::Step;

/// Longest span without any state but down, cut to a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Incident {
    pub span: Span,
    /// Open time within the span, in microseconds; positive.
    pub downtime_us: i64,
    /// True if the incident has not ended within the range.
    pub is_open: bool,
}

/// Incidents within the range, in order. Closed hours do not split an incident, and one without
/// open time is left out. `open` must be sorted and disjoint.
pub fn incidents(steps: &[Step], open: &[Span], range: Span) -> Vec<Incident> {
    let runs = steps.iter().enumerate().filter(|(_, step)| step.active == Some(false));
    let listed = runs.filter_map(|(at, step)| {
        let next = steps.get(at + 1);
        let ends_at = next.map_or(i64::MAX, |next| next.starts_at);
        let span = Span::new(step.starts_at, ends_at)?.within(range)?;
        let first = open.partition_point(|open| open.ends_at() <= span.starts_at());
        let after = open.partition_point(|open| open.starts_at() < span.ends_at());
        let downtime_us = tally(steps, open[first..after].iter().copied(), span).down_us;
        // Unknown from the end on: the incident has not ended there.
        let is_cut = next.is_some_and(|next| next.active.is_none());
        let is_open = ends_at > range.ends_at() || ends_at == range.ends_at() && is_cut;
        (downtime_us > 0).then_some(Incident { span, downtime_us, is_open })
    });
    listed.collect()
}

#[cfg(test)]
mod tests {
    use super::super::options::Interpolation;
    use super::super::tests::drawing::{parse_polls, parse_span, parse_spans};
    use super::super::timeline::steps;
    use super::*;

    /// Draws incidents as `3..7=4`, with a `!` if open.
    #[track_caller]
    fn check(polls: &str, open: &str, range: &str, expected: &str) {
        let steps = steps(&parse_polls(polls), Interpolation::Previous, None);
        let drawn = |incident: &Incident| {
            let (from, to) = (incident.span.starts_at(), incident.span.ends_at());
            let mark = if incident.is_open { "!" } else { "" };
            format!("{from}..{to}={}{mark}", incident.downtime_us)
        };
        let found = incidents(&steps, &parse_spans(open), parse_span(range));
        assert_eq!(found.iter().map(drawn).collect::<Vec<_>>().join(" "), expected);
    }

    #[test]
    fn a_run_of_inactive_is_one_incident() {
        check("0+ 10- 12- 20+", "0..100", "0..100", "10..20=10");
        check("0+ 10- 20+ 30- 40+", "0..100", "0..100", "10..20=10 30..40=10");
        check("0+", "0..100", "0..100", "");
        check("", "0..100", "0..100", "");
    }

    #[test]
    fn closed_hours_neither_split_an_incident_nor_count() {
        check("0+ 10- 50+", "0..20 40..60", "0..100", "10..50=20");
    }

    #[test]
    fn an_outage_without_open_time_is_not_an_incident() {
        check("0+ 20- 40+", "0..20 40..60", "0..100", "");
    }

    #[test]
    fn an_incident_is_cut_to_the_range_and_open_if_it_goes_on() {
        check("0- 50+", "0..100", "10..40", "10..40=30!");
        check("0- 40+", "0..100", "10..40", "10..40=30");
        check("0+ 30-", "0..100", "0..40", "30..40=10!");
        // The first status is backfilled.
        check("30- 35+", "0..100", "10..40", "10..35=25");
    }

    #[test]
    fn an_incident_before_unknown_time_is_open() {
        let range = Span::new(0, 9).unwrap();
        let down = Step { starts_at: 3, active: Some(false) };
        let is_open = |after: Step| incidents(&[down, after], &[range], range)[0].is_open;
        assert!(is_open(Step { starts_at: 9, active: None }));
        assert!(is_open(Step { starts_at: 10, active: Some(true) }));
        assert!(!is_open(Step { starts_at: 9, active: Some(true) }));
        assert!(!is_open(Step { starts_at: 8, active: None }));
    }
}
