//! Finds the rows of given stores in blocks; for few stores by text search, without splitting rows.

use std::ops::Range;

use hashbrown::HashSet;
use memchr::memmem::Finder;

use super::blocks::Block;
use super::records::count_line_ends;

/// Stores whose rows to find.
pub struct StoreSearch<'a> {
    ids: HashSet<&'a str>,
    /// Finder for each id; empty if splitting all rows is cheaper.
    finders: Vec<Finder<'a>>,
}

/// Each id takes a pass over the bytes; several passes cost as much as splitting rows.
const FINDERS_MAX: usize = 4;
/// Shorter ids occur in too many instants and other ids.
const FINDER_BYTES_MIN: usize = 8;

impl<'a> StoreSearch<'a> {
    pub fn new(ids: impl IntoIterator<Item = &'a str>) -> Self {
        let ids: HashSet<&str> = ids.into_iter().collect();
        let are_long = ids.iter().all(|id| id.len() >= FINDER_BYTES_MIN);
        let finders = if ids.len() <= FINDERS_MAX && are_long {
            ids.iter().map(|id| Finder::new(*id)).collect()
        } else {
            Vec::new()
        };
        Self { ids, finders }
    }

    pub fn contains(&self, id: &str) -> bool {
        self.ids.contains(id)
    }

    /// Passes blocks of whole records, in order and with their lines, to `each`. They contain all
    /// valid rows of the stores, and possibly others.
    pub fn each_part(&self, block: &Block, mut each: impl FnMut(&Block)) {
        // With quotes, a line need not be a record, nor an id be spelled as it is.
        let has_quotes = || memchr::memchr(b'"', &block.bytes).is_some();
        if self.finders.is_empty() || block.is_truncated || has_quotes() {
            return each(block);
        }
        let (mut counted, mut line) = (0, block.line);
        for Range { start, end } in self.lines(&block.bytes) {
            line += count_line_ends(&block.bytes[counted..start]);
            counted = start;
            each(&Block::new(block.bytes[start..end].to_vec(), line));
        }
    }

    /// Lines that contain an id, sorted, without their line ends.
    fn lines(&self, bytes: &[u8]) -> Vec<Range<usize>> {
        let mut lines = Vec::new();
        for finder in &self.finders {
            let mut searched = 0;
            while let Some(at) = finder.find(&bytes[searched..]) {
                let at = searched + at;
                let start = memchr::memrchr2(b'\n', b'\r', &bytes[..at]).map_or(0, |end| end + 1);
                let end = memchr::memchr2(b'\n', b'\r', &bytes[at..]);
                let end = end.map_or(bytes.len(), |end| at + end);
                lines.push(start..end);
                searched = end;
            }
        }
        lines.sort_unstable_by_key(|line| line.start);
        lines.dedup();
        lines
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use proptest::prelude::*;

    use super::*;
    use crate::ingest::blocks::Blocks;
    use crate::ingest::record_fields::each_record;

    /// Two ids share a prefix; two need quotes.
    const IDS: [&str; 4] = ["store-01", "store-011", "two\nlines", "5\" pizza"];

    /// Lines and fields of the rows of the stores.
    fn rows(text: &str, ids: &[&str], block_size: usize) -> Vec<(u64, Vec<Vec<u8>>)> {
        let content = Box::new(Cursor::new(text.as_bytes().to_vec()));
        let mut blocks = Blocks::with_size("x.csv".into(), content, block_size);
        let (search, mut rows) = (StoreSearch::new(ids.iter().copied()), Vec::new());
        while let Some(block) = blocks.next_block().unwrap() {
            search.each_part(&block, |part| {
                each_record(part, |fields, _, line| {
                    let Ok(fields) = fields else { return };
                    let id = std::str::from_utf8(fields.field(0)).map(str::trim);
                    if id.is_ok_and(|id| IDS.contains(&id)) {
                        rows.push((line, fields.iter().map(<[u8]>::to_vec).collect()));
                    }
                });
            });
        }
        rows
    }

    #[track_caller]
    fn check(text: &str, lines: &[u64]) {
        // A short id disables the text search.
        let split = [IDS.as_slice(), &["a"]].concat();
        for block_size in [1, 2, 3, 5, 16, 64, 1 << 20] {
            let found = rows(text, &IDS, block_size);
            assert_eq!(found, rows(text, &split, block_size), "{block_size}: {text:?}");
            let found: Vec<_> = found.iter().map(|(line, _)| *line).collect();
            assert_eq!(found, lines, "{block_size}: {text:?}");
        }
    }

    #[test]
    fn rows_of_stores_have_their_lines() {
        check("", &[]);
        check("a,1\nstore-01,1\nb,store-01\nstore-02,1\nstore-011,2", &[2, 5]);
        check("\n\r\n\rstore-01,1\r\n\nb,1\rstore-01,store-011,store-01\r\n", &[4, 7]);
        check("\u{feff}a,1\n\u{feff}\u{feff} store-01 ,1\r\na,1", &[2]);
        check("a,\"x\ny\"\nstore-01,\"\r\n\"\n\"store-01\",2\n\"b\nstore-01\",1\n", &[3, 5]);
        check("\"two\nlines\",1\ntwo\nlines,1\n\"5\"\" pizza\",1\n5\" pizza,1\n", &[1, 5, 6]);
        check("a,\"open\nstore-01,1\nstore-01,\"open\nstore-011,2\n", &[2, 4]);
    }

    #[test]
    fn lines_without_the_id_of_few_stores_are_skipped() {
        let text = "a,1\nstore-01,1\r\n\rb,2\nb,store-011\n";
        let parts = |ids: &[&str], text: &str| {
            let (block, mut parts) = (Block::new(text.as_bytes().to_vec(), 7), Vec::new());
            StoreSearch::new(ids.iter().copied()).each_part(&block, |part| {
                parts.push((part.line, String::from_utf8(part.bytes.clone()).unwrap()));
            });
            parts
        };
        let found = [(8, "store-01,1".to_owned()), (11, "b,store-011".to_owned())];
        assert_eq!(parts(&IDS, text), found);
        assert!(parts(&["store-02"], text).is_empty());
        let quoted = format!("{text}\"\"\n");
        assert_eq!(parts(&IDS, &quoted), [(7, quoted.clone())]);
        let all = [(7, text.to_owned())];
        assert_eq!(parts(&["store-01", "b"], text), all);
        assert_eq!(parts(&[IDS.as_slice(), &["store-02"]].concat(), text), all);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases.max(300)))]
        #[test]
        fn rows_of_stores_are_the_same_by_search_and_by_splitting_all(
            pieces in prop::collection::vec(
                prop::sample::select(vec![
                    ",", "\"", "\n", "\n", "\r\n", "\r", "\u{feff}", " ", "a", "b,c\n",
                    "store-01", "store-011", "two\nlines", "\"5\"\" pizza\"",
                ]),
                0..40,
            ),
            has_quotes in any::<bool>(),
        ) {
            let text = pieces.concat();
            let text = if has_quotes { text } else { text.replace('"', "") };
            // A long first line keeps the content from looking like another format or encoding.
            let text = format!("{}\n{text}", "x".repeat(300));
            let lines = rows(&text, &[], 1 << 20);
            let lines: Vec<_> = lines.iter().map(|(line, _)| *line).collect();
            check(&text, &lines);
        }
    }
}
