//! Splits a CSV text into records by reading it byte by byte, without blocks.

/// A record's first line and its fields; `None` where it is broken.
pub type Seen = Vec<(u64, Option<Vec<Vec<u8>>>)>;

/// Reads the whole text byte by byte.
pub fn judged(text: &[u8]) -> Seen {
    let (mut records, mut at, mut line) = (Vec::new(), 0, 1);
    while at < text.len() {
        match whole_record(&text[at..]) {
            Some((fields, length, lines)) => {
                records.push((line, Some(fields)));
                (at, line) = (at + length, line + lines);
            }
            None => {
                records.push((line, None));
                at += text[at..]
                    .iter()
                    .position(|byte| b"\r\n".contains(byte))
                    .unwrap_or(text.len() - at);
                at += end_length(&text[at..]);
                line += 1;
            }
        }
    }
    records
}

/// Length of the line end that the text begins with, 0 without one.
fn end_length(text: &[u8]) -> usize {
    match text {
        [b'\r', b'\n', ..] => 2,
        [b'\r' | b'\n', ..] => 1,
        _ => 0,
    }
}

/// Fields of the record at the start, its length and its line ends; `None` where it is broken.
fn whole_record(text: &[u8]) -> Option<(Vec<Vec<u8>>, usize, u64)> {
    let mut at = 0;
    while text[at..].starts_with("\u{feff}".as_bytes()) {
        at += 3;
    }
    let (mut fields, mut lines) = (vec![Vec::new()], 0);
    let (mut is_start, mut is_quoted) = (true, false);
    loop {
        let field = fields.last_mut()?;
        match (text.get(at), is_quoted) {
            (None, true) => return None,
            (None, false) => return Some((fields, at, lines)),
            (Some(b'"'), true) if text.get(at + 1) == Some(&b'"') => {
                field.push(b'"');
                at += 1;
            }
            (Some(b'"'), true) => {
                is_quoted = false;
                if !matches!(text.get(at + 1), None | Some(b',' | b'\r' | b'\n')) {
                    return None;
                }
            }
            (Some(b'"'), false) if is_start => is_quoted = true,
            (Some(b','), false) => fields.push(Vec::new()),
            (Some(b'\r' | b'\n'), false) => {
                return Some((fields, at + end_length(&text[at..]), lines + 1));
            }
            (Some(byte), _) => {
                lines += u64::from(is_quoted && end_length(&text[at..]) == 1);
                field.push(*byte);
            }
        }
        is_start = !is_quoted && text[at] == b',';
        at += 1;
    }
}
