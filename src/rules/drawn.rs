//! Steps and spans as they are drawn in tests.

use super::span::Span;
use super::timeline::Step;

/// Reads `+ 9- 12?`: active since ever, inactive from 9 on, unknown from 12 on.
pub fn steps(drawn: &str) -> Vec<Step> {
    let step = |word: &str| {
        let (at, state) = word.split_at(word.len() - 1);
        let starts_at = if at.is_empty() { Step::EVER } else { at.parse().unwrap() };
        let active = match state {
            "+" => Some(true),
            "-" => Some(false),
            _ => None,
        };
        Step { starts_at, active }
    };
    drawn.split_whitespace().map(step).collect()
}

/// Draws what [`steps`] reads.
pub fn drawn(steps: &[Step]) -> String {
    let word = |step: &Step| {
        let at = Some(step.starts_at).filter(|at| *at != Step::EVER);
        let state = match step.active {
            Some(true) => "+",
            Some(false) => "-",
            None => "?",
        };
        at.map_or(String::new(), |at| at.to_string()) + state
    };
    steps.iter().map(word).collect::<Vec<_>>().join(" ")
}

/// Reads `5..9`; an end that is left out is open.
pub fn span(drawn: &str) -> Span {
    let (from, to) = drawn.split_once("..").unwrap();
    let end = |word: &str, open| if word.is_empty() { open } else { word.parse().unwrap() };
    Span::new(end(from, Step::EVER), end(to, Span::FOREVER)).unwrap()
}

/// Draws what [`span`] reads, several.
pub fn drawn_spans(spans: &[Span]) -> String {
    let end = |at: i64, open| if at == open { String::new() } else { at.to_string() };
    let drawn = |span: &Span| {
        end(span.starts_at(), Step::EVER) + ".." + &end(span.ends_at(), Span::FOREVER)
    };
    spans.iter().map(drawn).collect::<Vec<_>>().join(" ")
}
