//! Stores that fall back to defaults although a file has, or seems to have, rows for them.

use std::collections::{BTreeSet, HashSet};

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::Int64Type;

use super::file_kind::FileKind;
use super::file_reader::{Content, ReadFile};
use super::snapshots::Snapshots;

/// Store without hours or zone because all its rows were rejected.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fallback {
    /// Business hours or time zones.
    pub kind: FileKind,
    pub store: String,
}

/// File of hours or zones most of whose ids match no polled store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unmatched {
    pub file: String,
    pub kind: FileKind,
    /// Ids that match no polled store, sorted.
    pub ids: Vec<String>,
    /// Number of distinct ids in the file.
    pub ids_in_file: usize,
    pub likely_cause: &'static str,
}

/// Stores that only have rejected rows of hours or zones.
pub fn fallbacks(files: &[ReadFile], snapshots: &Snapshots) -> Vec<Fallback> {
    let hours: HashSet<&str> = snapshots.hours.ids().collect();
    let zones: HashSet<&str> = snapshots.zones.ids().collect();
    let mut fallbacks = BTreeSet::new();
    for file in files {
        let kind = file.content.kind();
        let valid = match kind {
            FileKind::Polls => continue,
            FileKind::BusinessHours => &hours,
            FileKind::TimeZones => &zones,
        };
        let named = file.rejects.iter().filter_map(|reject| reject.store.as_deref());
        let without = named.filter(|id| !valid.contains(id));
        fallbacks.extend(without.map(|id| Fallback { kind, store: id.to_owned() }));
    }
    fallbacks.into_iter().collect()
}

/// Stores with polls in the tables or in the files.
pub fn polled_stores<'a>(
    table: Option<&'a RecordBatch>,
    files: &'a [ReadFile],
) -> HashSet<&'a str> {
    let known = table.into_iter().flat_map(|table| {
        let polls = table.column(4).as_primitive::<Int64Type>().values().iter();
        let ids = table.column(0).as_string::<i32>().iter().flatten();
        ids.zip(polls).filter(|(_, polls)| **polls > 0).map(|(id, _)| id)
    });
    let batches = files.iter().flat_map(|file| match &file.content {
        Content::Polls(batches) => batches.as_slice(),
        Content::BusinessHours(_) | Content::TimeZones(_) => &[],
    });
    known.chain(batches.flat_map(|batch| batch.ids.iter())).collect()
}

/// Compares the ids of a file with the polled stores. `None` if at least half of them match, for
/// polls, or if there are no polls yet.
pub fn unmatched(file: &ReadFile, polled: &HashSet<&str>) -> Option<Unmatched> {
    let rejected = file.rejects.iter().filter_map(|reject| reject.store.as_deref());
    let ids: BTreeSet<&str> = match &file.content {
        Content::Polls(_) => return None,
        Content::BusinessHours(rows) => {
            rows.iter().map(|(id, _)| id.as_str()).chain(rejected).collect()
        }
        Content::TimeZones(rows) => {
            rows.iter().map(|(id, _)| id.as_str()).chain(rejected).collect()
        }
    };
    unmatched_ids(&file.label, file.content.kind(), &ids, polled)
}

/// Like [`unmatched`], for the ids of a table that was loaded from the file.
pub fn unmatched_ids(
    file: &str,
    kind: FileKind,
    ids: &BTreeSet<&str>,
    polled: &HashSet<&str>,
) -> Option<Unmatched> {
    let unknown: Vec<&str> = ids.iter().filter(|id| !polled.contains(*id)).copied().collect();
    if polled.is_empty() || unknown.len() * 2 <= ids.len() {
        return None;
    }
    Some(Unmatched {
        file: file.to_owned(),
        kind,
        likely_cause: likely_cause(&unknown, ids, polled),
        ids: unknown.into_iter().map(str::to_owned).collect(),
        ids_in_file: ids.len(),
    })
}

/// Guesses why ids do not match, from the form of most of them.
fn likely_cause(unknown: &[&str], ids: &BTreeSet<&str>, polled: &HashSet<&str>) -> &'static str {
    let unpolled_polls: Vec<&str> =
        polled.iter().filter(|id| !ids.contains(*id)).copied().collect();
    let either =
        |is_such: &dyn Fn(&str) -> bool| most(unknown, is_such) || most(&unpolled_polls, is_such);
    let same = |spelled: &dyn Fn(&str) -> Option<String>| {
        most(unknown, &|id: &str| spelled(id).is_some_and(|id| polled.contains(id.as_str())))
            || most(&unpolled_polls, &|id: &str| {
                spelled(id).is_some_and(|id| ids.contains(id.as_str()))
            })
    };
    let folded: HashSet<String> = polled.iter().map(|id| id.to_lowercase()).collect();
    if either(&is_exponent) {
        "a spreadsheet turned long ids into numbers like 1.14E+18; export them again, as text"
    } else if either(&is_rounded) {
        "a spreadsheet kept 15 digits of longer ids; export them again, as text"
    } else if same(&|id| id.strip_suffix(".0").map(str::to_owned)) {
        "one of the files has ids as decimal numbers, like 42.0; export them again, as text"
    } else if same(&|id| id.strip_prefix('0').map(|id| id.trim_start_matches('0').to_owned())) {
        "leading zeros of ids are lost in one of the files; export them again, as text"
    } else if same(&|id| Some(id.trim_matches(['"', '\'', '`', '=']).trim().to_owned())) {
        "ids are quoted twice in one of the files; export them again, without quotes of their own"
    } else if most(unknown, &|id: &str| folded.contains(&id.to_lowercase())) {
        "ids differ in upper and lower case, which counts; export them again, in the same case"
    } else {
        "the files are of different chains, or identify stores differently than the polls"
    }
}

fn most(ids: &[&str], is_such: &dyn Fn(&str) -> bool) -> bool {
    let count = ids.iter().filter(|id| is_such(id)).count();
    count > 0 && count * 2 > ids.len()
}

/// True for numbers such as `1.14E+18`, also with a decimal comma.
fn is_exponent(id: &str) -> bool {
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let Some((number, exponent)) = id.split_once(['E', 'e']) else { return false };
    let (whole, fraction) = number.split_once(['.', ',']).unwrap_or((number, "0"));
    let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    is_digits(whole) && is_digits(fraction) && is_digits(exponent)
}

/// True for numbers of more than 15 digits that end in zeros from the 16th on.
fn is_rounded(id: &str) -> bool {
    let (kept, lost) = id.split_at_checked(15).unwrap_or((id, ""));
    kept.bytes().all(|byte| byte.is_ascii_digit())
        && !lost.is_empty()
        && lost.bytes().all(|byte| byte == b'0')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(ids: &str, polled: &str, expected: Option<(&[&str], &str)>) {
        let (ids, polled) = (ids.split_whitespace().collect(), polled.split_whitespace().collect());
        let found = unmatched_ids("x.csv", FileKind::TimeZones, &ids, &polled);
        let found = found.as_ref().map(|found| {
            let unknown = found.ids.iter().map(String::as_str).collect::<Vec<_>>();
            (unknown, found.likely_cause)
        });
        match (found, expected) {
            (None, None) => {}
            (Some((unknown, cause)), Some((expected, word))) => {
                assert_eq!(unknown, expected);
                assert!(cause.contains(word), "{cause}");
            }
            (found, _) => panic!("{found:?}"),
        }
    }

    #[test]
    fn ids_are_reported_if_most_match_no_polled_store() {
        check("a b c d", "", None);
        check("a b c d", "a b", None);
        check("a b c", "a x y z", Some((&["b", "c"], "different chains")));
        check("a", "b", Some((&["a"], "different chains")));
        check("", "b", None);
    }

    #[test]
    fn the_likely_cause_is_what_most_ids_look_like() {
        check(
            "1.14E+18 1.2e+18 7,5E+18",
            "1139999999999999999",
            Some((&["1.14E+18", "1.2e+18", "7,5E+18"], "spreadsheet turned")),
        );
        check(
            "1139999999999999999",
            "1.14E+18",
            Some((&["1139999999999999999"], "spreadsheet turned")),
        );
        check(
            "1139999999999990000",
            "1139999999999999999",
            Some((&["1139999999999990000"], "15 digits")),
        );
        check("42.0 43.0", "42 43", Some((&["42.0", "43.0"], "decimal numbers")));
        check("42 43", "42.0 43.0", Some((&["42", "43"], "decimal numbers")));
        check("7 8", "007 008", Some((&["7", "8"], "leading zeros")));
        check("'a' b", "a b c", None);
        check("'a' 'b'", "a b", Some((&["'a'", "'b'"], "quoted twice")));
        check("AB CD", "ab cd", Some((&["AB", "CD"], "upper and lower case")));
        check("1E5x e5 E", "a", Some((&["1E5x", "E", "e5"], "different chains")));
    }
}
