//! Polls, steps and spans drawn as text.

use crate::rules::span::Span;
use crate::rules::timeline::{Poll, Step};

/// Reads `5+ 9-`: active at 5, inactive at 9.
pub fn parse_polls(drawn: &str) -> Vec<Poll> {
    let poll = |word: &str| {
        let (at, status) = word.split_at(word.len() - 1);
        Poll::new(at.parse().unwrap(), status == "+")
    };
    drawn.split_whitespace().map(poll).collect()
}

/// Reads `+ 9- 12?`: active from the beginning of time, inactive from 9 on, unknown from 12 on.
pub fn parse_steps(drawn: &str) -> Vec<Step> {
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

/// Draws steps as [`parse_steps`] reads them.
pub fn draw_steps(steps: &[Step]) -> String {
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

/// Reads `5..9`; a missing end is unbounded.
pub fn parse_span(drawn: &str) -> Span {
    let (from, to) = drawn.split_once("..").unwrap();
    let end = |word: &str, open| if word.is_empty() { open } else { word.parse().unwrap() };
    Span::new(end(from, Step::EVER), end(to, Span::FOREVER)).unwrap()
}

/// Reads spans as [`parse_span`] does, separated by spaces.
pub fn parse_spans(drawn: &str) -> Vec<Span> {
    drawn.split_whitespace().map(parse_span).collect()
}

/// Draws spans as [`parse_spans`] reads them.
pub fn draw_spans(spans: &[Span]) -> String {
    let end = |at: i64, open| if at == open { String::new() } else { at.to_string() };
    let drawn = |span: &Span| {
        end(span.starts_at(), Step::EVER) + ".." + &end(span.ends_at(), Span::FOREVER)
    };
    spans.iter().map(drawn).collect::<Vec<_>>().join(" ")
}
