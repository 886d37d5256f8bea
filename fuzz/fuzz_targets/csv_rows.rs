//! Rows of a CSV file do not depend on where it is cut into blocks.
//!
//! The first byte chooses a header; without one, the input brings its own.

#![no_main]

use libfuzzer_sys::fuzz_target;
use uptally::fuzzing::csv_rows;

const HEADERS: [&[u8]; 4] = [
    b"",
    b"store_id,status,timestamp_utc\n",
    b"store_id,day,start_time_local,end_time_local\n",
    b"store_id,timezone_str\n",
];
/// The start of a file, by which other formats are told, is within the first block of either.
const BLOCK_BYTES: [usize; 2] = [512, 1 << 20];

fuzz_target!(|input: &[u8]| {
    let Some((header, rows)) = input.split_first() else { return };
    let file = [HEADERS[usize::from(*header) % HEADERS.len()], rows].concat();
    if let [Some(small), Some(large)] = BLOCK_BYTES.map(|bytes| csv_rows(&file, bytes)) {
        assert_eq!(small, large);
    }
});
