//! Every data row is loaded, a duplicate, a conflict or a reject, whatever the file holds.

use std::collections::HashSet;
use std::io::Write;
use std::path::Path;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use tempfile::TempDir;
use uptally::{LoadControl, LoadOutcome, LoadRequest, WriteLock, load};

use crate::harness::{block_on, drawn};
use crate::judge::records::judged;

/// 2100-01-01, later than any poll.
const LOADED_AT: i64 = 4_102_444_800_000_000;
const INSTANTS: [(&str, u32); 3] =
    [("2026-03-02 10:00:00 UTC", 0), ("2026-03-02T10:05:00Z", 5), ("2026-03-02T10:00:00Z", 0)];
/// A file of a few NULs is told from one in UTF-16 by its first 256 bytes.
const NOTE: &str = "note_________________________________________________________________________\
    ____________________________________________________________________________________________\
    ____________________________________________________________________________________________";
/// Last row of a small file that forces the slower parser: blocks without quotes and carriage
/// returns are split at commas alone.
const QUOTED_ROW: &str = "\nz,2026-03-02 10:00:00 UTC,active,\"quoted\"\n";

fn header() -> String {
    format!("store_id,timestamp_utc,status,{NOTE}")
}

/// Rules of docs/semantics.md, as far as the drawn files touch them.
#[derive(Debug, Default, PartialEq)]
struct Rows {
    rows: u64,
    rejected_lines: Vec<u64>,
    /// Store and minute of each sound poll.
    polls: Vec<(String, u32)>,
}

fn rows_of(text: &str) -> Rows {
    let mut found = Rows::default();
    let header: Vec<String> = header().split(',').map(str::to_owned).collect();
    for (line, fields) in judged(text.as_bytes()) {
        let fields: Option<Vec<String>> = fields.map(|fields| {
            fields.into_iter().map(|field| String::from_utf8(field).unwrap()).collect()
        });
        let trimmed = |field: &String| field.trim_matches([' ', '\t', '\r', '\n']).to_lowercase();
        let is_row = fields.as_ref().is_none_or(|fields| {
            let trimmed: Vec<_> = fields.iter().map(trimmed).collect();
            trimmed.iter().any(|field| !field.is_empty()) && trimmed != header
        });
        found.rows += u64::from(is_row);
        match fields.as_deref().and_then(poll) {
            Some(poll) => found.polls.push(poll),
            None if is_row => found.rejected_lines.push(line),
            None => {}
        }
    }
    found
}

/// `None` for an invalid row.
fn poll(fields: &[String]) -> Option<(String, u32)> {
    let [id, instant, status, _] = fields else { return None };
    let (id, instant, status) = (id.trim(), instant.trim(), status.trim());
    let minute = INSTANTS.iter().find(|(text, _)| *text == instant)?.1;
    let is_sound = !id.is_empty() && !id.contains('\0') && ["active", "inactive"].contains(&status);
    is_sound.then(|| (id.to_owned(), minute))
}

fn plain(text: &str) -> Vec<u8> {
    text.as_bytes().to_vec()
}

fn gzip(text: &str) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(text.as_bytes()).unwrap();
    packed.finish().unwrap()
}

fn zstd(text: &str) -> Vec<u8> {
    zstd::encode_all(text.as_bytes(), 1).unwrap()
}

async fn loaded(folder: &Path, files: &[String]) -> LoadOutcome {
    let data = folder.join("data");
    let request = LoadRequest {
        paths: files.iter().map(|name| folder.join(name)).collect(),
        max_reject_rate: 1.0,
        loaded_at: LOADED_AT,
        ..LoadRequest::default()
    };
    load(&request, &WriteLock::take(&data).unwrap(), &LoadControl::default(), |_| Ok(()))
        .await
        .unwrap()
}

/// Loads the text, and the same with [`QUOTED_ROW`], in every compression at once: all are read,
/// and `first` selects the one whose rows are loaded first.
fn check(text: &str, first: usize) {
    let texts = [text.to_owned(), text.to_owned() + QUOTED_ROW];
    let expected = texts.each_ref().map(|text| rows_of(text));
    let mut packings: [fn(&str) -> Vec<u8>; 3] = [plain, gzip, zstd];
    packings.rotate_left(first % 3);
    let folder = TempDir::new().unwrap();
    let mut names = Vec::new();
    for (packing, pack) in packings.iter().enumerate() {
        for (at, text) in texts.iter().enumerate() {
            names.push(format!("{packing}{at}.csv"));
            std::fs::write(folder.path().join(names.last().unwrap()), pack(text)).unwrap();
        }
    }
    let outcome = block_on(loaded(folder.path(), &names));
    for (place, file) in outcome.files.iter().enumerate() {
        let expected = &expected[place % 2];
        let rejected = expected.rejected_lines.len() as u64;
        assert_eq!((file.rows, file.rejected), (expected.rows, rejected), "{}", file.file);
        assert_eq!(file.known, place >= 2, "{}", file.file);
    }
    let rejected: Vec<u64> = outcome.rejects.iter().map(|reject| reject.line).collect();
    assert_eq!(rejected, expected.each_ref().map(|of| of.rejected_lines.as_slice()).concat());
    let polls = expected.each_ref().map(|of| of.polls.as_slice()).concat();
    let instants: HashSet<_> = polls.iter().collect();
    assert_eq!(outcome.polls.loaded, instants.len() as u64);
    let counted = outcome.polls.loaded + outcome.polls.duplicates + outcome.polls.conflicts;
    let rows: u64 = expected.iter().map(|of| of.rows).sum();
    assert_eq!(rows, counted + rejected.len() as u64);
}

const PIECES: [&str; 15] = [
    ",", "\"", "\"", "\"\"", "\n", "\r\n", "\r", "\u{feff}", "\0", "a", "é", ",\"", "\",", "\"\n",
    ",,,\n",
];

fn pieces() -> impl Strategy<Value = String> {
    vec(select(PIECES.to_vec()), 0..5).prop_map(|pieces| pieces.concat())
}

/// More than a block of text, quoted and closed, quoted and left open, or without a quote.
fn long_note() -> impl Strategy<Value = String> {
    let body = select(vec!["no quotes; ", "two\r\nlines, ", "a \"\"field\"\"\n", "\u{feff}\0 "]);
    (select(vec!["\"", ""]), body, select(vec!["\"", ""])).prop_map(|(open, body, close)| {
        format!("{open}{}{close}", body.repeat((1 << 20) / body.len() + 9))
    })
}

fn line() -> impl Strategy<Value = String> {
    let ids =
        vec!["a", "b", " a ", "\"a\"", "\"a\"", "é", "", "\0", "\"a,b\"", "\"x\ny\"", "\u{feff}a"];
    let instants = INSTANTS.iter().map(|(text, _)| *text).chain(["", "2026-03-02"]);
    let statuses = vec!["active", "active", "inactive", "\"inactive\"", "asleep", "\0"];
    let row = (select(ids), select(instants.collect::<Vec<_>>()), select(statuses));
    let row = |note: BoxedStrategy<String>| {
        (row.clone(), note)
            .prop_map(|((id, instant, status), note)| format!("{id},{instant},{status},{note}"))
    };
    prop_oneof![
        300 => row(Just(String::new()).boxed()),
        300 => row(pieces().boxed()),
        3 => row(long_note().boxed()),
        40 => pieces(),
        20 => Just(header()),
        20 => Just(",,,".to_owned()),
        20 => Just(String::new()),
    ]
}

fn text() -> impl Strategy<Value = String> {
    let ends = select(vec!["\n", "\n", "\n", "\n", "\r\n", "\r", "\n\u{feff}", "\n\n"]);
    let inserted = option::of((any::<Index>(), select(PIECES.to_vec())));
    (vec((line(), ends), 0..12), inserted).prop_map(|(lines, inserted)| {
        let mut text: String = lines.into_iter().map(|(line, end)| line + end).collect();
        if let Some((place, piece)) = inserted {
            let mut at = place.index(text.len() + 1);
            while !text.is_char_boundary(at) {
                at -= 1;
            }
            text.insert_str(at, piece);
        }
        header() + "\n" + &text
    })
}

proptest! {
    #![proptest_config(drawn(200, 200))]

    #[test]
    fn no_row_is_lost(text in text(), first in 0..3usize) {
        check(&text, first);
    }
}

#[test]
fn no_row_is_lost_beside_records_longer_than_a_block() {
    let row = |store: &str, note: &str| format!("{store},2026-03-02T10:05:00Z,active,{note}\n");
    let long = "two\nlines, \"\"quoted\"\"\r\n".repeat(1 << 16);
    for note in
        [format!("\"{long}\""), format!("\"{long}"), "x".repeat(3 << 20), "\"open".to_owned()]
    {
        let rows = [row("a", &note), row("b", ""), row("c", &note), row("a", "x")];
        check(&format!("{}\n{}", header(), rows.concat()), note.len());
    }
}
