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
