//! Rows by blocks against a parser of the whole text.

use std::io::{Cursor, Read, Write};

use proptest::prelude::*;

use self::judge::{Seen, judged};
use super::*;
use crate::ingest::blocks::Blocks;

#[path = "../../../tests/judge/records.rs"]
mod judge;

fn seen(
    mut blocks: Blocks,
    each_of: impl Fn(&Block, &mut dyn FnMut(Result<Fields, BrokenRecord>, &[u8], u64)),
) -> Seen {
    let mut seen = Vec::new();
    while let Some(block) = blocks.next_block().unwrap() {
        each_of(&block, &mut |fields, _, line| {
            let fields = fields.ok().map(|fields| fields.iter().map(<[u8]>::to_vec).collect());
            seen.push((line, fields));
        });
    }
    seen
}

fn blocks(content: impl Read + 'static, block_size: usize) -> Blocks<'static> {
    Blocks::with_size("x.csv".into(), Box::new(content), block_size)
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(text).unwrap();
    packed.finish().unwrap()
}

#[track_caller]
fn check(text: &[u8]) {
    let expected = judged(text);
    for block_size in [1, 2, 3, 5, 16, 1 << 20] {
        let content = || Cursor::new(text.to_vec());
        let found = seen(blocks(content(), block_size), |block, each| each_record(block, each));
        assert_eq!(found, expected, "{block_size}: {:?}", String::from_utf8_lossy(text));
        let found = seen(blocks(content(), block_size), |block, each| each_quoted(block, each));
        assert_eq!(found, expected, "{block_size}: {:?}", String::from_utf8_lossy(text));
        let content = flate2::read::MultiGzDecoder::new(Cursor::new(gzip(text)));
        let found = seen(blocks(content, block_size), |block, each| each_record(block, each));
        assert_eq!(found, expected, "gzip, {block_size}: {:?}", String::from_utf8_lossy(text));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases.max(500)))]
    #[test]
    fn rows_by_blocks_equal_rows_of_the_whole_text(
        pieces in prop::collection::vec(
            prop::sample::select(vec![
                ",", ",", "\"", "\"", "\"\"", "\n", "\r\n", "\r", "\u{feff}", "\0", "a", "b c",
                ",\"", "\",", "\"\n",
            ]),
            0..40,
        ),
    ) {
        // A long first field keeps the content from looking like another format or encoding.
        check(format!("{}{}", "x".repeat(300), pieces.concat()).as_bytes());
    }
}

#[test]
fn records_of_more_than_a_block_are_whole() {
    let long = format!("a,\"{}\",b\r\n", "line \"\"x\"\"\n".repeat(200_000));
    let text = format!("x\n{long}c,\"open\nd\n{long}e,\"\"\n").into_bytes();
    let expected = judged(&text);
    assert_eq!(expected.iter().filter(|(_, fields)| fields.is_none()).count(), 1);
    for block_size in [1 << 16, 1 << 20, 1 << 23] {
        let blocks = blocks(Cursor::new(text.clone()), block_size);
        assert!(seen(blocks, |block, each| each_record(block, each)) == expected, "{block_size}");
    }
}

#[test]
fn lines_of_carriage_returns_alone_are_rows_at_any_size() {
    let text = format!("x\r{}", "a,b,c\r".repeat(400_000)).into_bytes();
    let rows = seen(blocks(Cursor::new(text), 1 << 20), |block, each| each_record(block, each));
    assert_eq!((rows.len(), rows.last().unwrap().0), (400_001, 400_001));
}
