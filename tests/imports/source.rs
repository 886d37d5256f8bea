//! Source files as text: blanks comments, literals and tests, and finds paths that begin with
//! `crate`, `super` or `self`.

use std::ops::Range;

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

fn blank(code: &mut [u8]) {
    code.iter_mut().filter(|byte| **byte != b'\n').for_each(|byte| *byte = b' ');
}

/// Length of the comment or literal at the start; `None` if there is neither. `is_start` is true if
/// a name may begin here.
fn text_length(code: &[u8], is_start: bool) -> Option<usize> {
    let until = |from: usize, end: &[u8]| {
        let rest = code.get(from..).unwrap_or_default();
        find(rest, end).map_or(code.len(), |at| from + at + end.len())
    };
    match code.first()? {
        b'/' if code.starts_with(b"//") => {
            Some(code.iter().position(|byte| *byte == b'\n').unwrap_or(code.len()))
        }
        b'/' if code.starts_with(b"/*") => Some(until(2, b"*/")),
        b'"' => {
            let mut at = 1;
            while at < code.len() && code[at] != b'"' {
                at += if code[at] == b'\\' { 2 } else { 1 };
            }
            Some((at + 1).min(code.len()))
        }
        b'r' | b'b' if is_start => {
            let from = if code.starts_with(b"br") { 2 } else { 1 };
            let is_raw = code.starts_with(b"r") || from == 2;
            let rest = code.get(from..).unwrap_or_default();
            let hashes = rest.iter().take_while(|byte| **byte == b'#').count();
            (is_raw && rest.get(hashes) == Some(&b'"')).then(|| {
                let end = [b"\"".as_slice(), &b"#".repeat(hashes)].concat();
                until(from + hashes + 1, &end)
            })
        }
        b'\'' => match code.get(1)? {
            b'\\' => Some(until(3, b"'")),
            first if first.is_ascii() => (code.get(2) == Some(&b'\'')).then_some(3),
            _ => code[1..].iter().take(5).position(|byte| *byte == b'\'').map(|at| at + 2),
        },
        _ => None,
    }
}

/// The code without comments and literals, which are blanks, so that every place stays.
fn without_texts(source: &str) -> Vec<u8> {
    let mut code = source.as_bytes().to_vec();
    let mut at = 0;
    while at < code.len() {
        let is_start = at == 0 || !is_word(code[at - 1]);
        match text_length(&code[at..], is_start) {
            Some(length) => {
                blank(&mut code[at..at + length]);
                at += length;
            }
            None => at += 1,
        }
    }
    code
}

fn skip_blanks(code: &[u8], at: &mut usize) {
    while code.get(*at).is_some_and(u8::is_ascii_whitespace) {
        *at += 1;
    }
}

/// Reads the word at the position, which advances; empty without one.
fn word(code: &[u8], at: &mut usize) -> String {
    let length = code[*at..].iter().take_while(|byte| is_word(**byte)).count();
    let word = String::from_utf8_lossy(&code[*at..*at + length]).into_owned();
    *at += length;
    word
}

/// Position after the brace that closes the first one from the position on.
fn end_of_block(code: &[u8], from: usize) -> usize {
    let mut depth = 0_usize;
    for (at, byte) in code.iter().enumerate().skip(from) {
        match byte {
            b'{' => depth += 1,
            b'}' if depth <= 1 => return at + 1,
            b'}' => depth -= 1,
            _ => {}
        }
    }
    code.len()
}

/// Position after the item, and its name if it is a module in its own file; `None` if no item
/// starts here.
fn item(code: &[u8], from: usize) -> Option<(usize, Option<String>)> {
    let mut at = from;
    skip_blanks(code, &mut at);
    while code[at..].starts_with(b"#[") {
        at += find(&code[at..], b"]")? + 1;
        skip_blanks(code, &mut at);
    }
    let mut kind = word(code, &mut at);
    if kind == "pub" {
        if code.get(at) == Some(&b'(') {
            at += find(&code[at..], b")")? + 1;
        }
        skip_blanks(code, &mut at);
        kind = word(code, &mut at);
    }
    skip_blanks(code, &mut at);
    let name = word(code, &mut at);
    let rest = &code[at..];
    let semicolon = rest.iter().position(|byte| *byte == b';').map(|end| at + end + 1);
    let brace = rest.iter().position(|byte| *byte == b'{').map(|start| at + start);
    match kind.as_str() {
        "use" => semicolon.map(|end| (end, None)),
        "mod" | "fn" | "async" | "impl" | "struct" | "enum" | "const" | "static" | "type" => {
            match (semicolon, brace) {
                (Some(end), brace) if brace.is_none_or(|brace| end <= brace) => {
                    Some((end, (kind == "mod").then_some(name)))
                }
                (_, Some(brace)) => Some((end_of_block(code, brace), None)),
                _ => None,
            }
        }
        _ => None,
    }
}

/// Blanks items that only tests have; returns the modules in files of their own among them.
fn blank_tests(code: &mut [u8]) -> Vec<String> {
    let mut names = Vec::new();
    let mut from = 0;
    while let Some(at) = find(&code[from..], b"#[cfg(").map(|at| from + at) {
        let end = find(&code[at..], b"]").map_or(code.len(), |end| at + end + 1);
        let condition = String::from_utf8_lossy(&code[at..end]).into_owned();
        from = end;
        let is_test =
            condition.starts_with("#[cfg(test)") || condition.starts_with("#[cfg(all(test");
        if let Some((end, name)) = item(code, end).filter(|_| is_test) {
            blank(&mut code[at..end]);
            names.extend(name);
            from = end;
        }
    }
    names
}

/// Places of a word at which a path may begin, with the two colons behind it.
pub fn starts(code: &[u8], name: &str) -> Vec<usize> {
    let wanted = format!("{name}::").into_bytes();
    let is_start = |at: usize| at == 0 || !(is_word(code[at - 1]) || code[at - 1] == b':');
    let is_there = |(at, window): (usize, &[u8])| (window == wanted && is_start(at)).then_some(at);
    code.windows(wanted.len()).enumerate().filter_map(is_there).collect()
}

/// Every path of the tree at the place, which moves behind it.
fn paths(code: &[u8], at: &mut usize) -> Vec<Vec<String>> {
    skip_blanks(code, at);
    if code.get(*at) == Some(&b'{') {
        *at += 1;
        let mut found = Vec::new();
        loop {
            skip_blanks(code, at);
            match code.get(*at) {
                None => return found,
                Some(b'}') => {
                    *at += 1;
                    return found;
                }
                Some(b',') => *at += 1,
                Some(_) => {
                    let before = *at;
                    found.extend(paths(code, at));
                    // A star.
                    *at += usize::from(*at == before);
                }
            }
        }
    }
    let name = word(code, at);
    if name.is_empty() {
        return vec![Vec::new()];
    }
    if !code[*at..].starts_with(b"::") {
        return vec![vec![name]];
    }
    *at += 2;
    let mut found = paths(code, at);
    found.iter_mut().for_each(|path| path.insert(0, name.clone()));
    found
}

/// Blocks of modules within the file.
fn inner_modules(code: &[u8]) -> Vec<Range<usize>> {
    let is_start = |at: &usize| *at == 0 || !is_word(code[at - 1]);
    let places = code.windows(4).enumerate().filter(|(_, window)| *window == b"mod ");
    let places = places.map(|(at, _)| at).filter(is_start);
    let blocks = places.filter_map(|start| {
        let mut at = start + 4;
        skip_blanks(code, &mut at);
        word(code, &mut at);
        skip_blanks(code, &mut at);
        (code.get(at) == Some(&b'{')).then(|| start..end_of_block(code, at))
    });
    blocks.collect()
}

/// A source file without texts and tests.
pub struct Source {
    /// As messages name it.
    pub file: String,
    /// Segments of the module's path; none of the root.
    pub module: Vec<String>,
    pub code: Vec<u8>,
    /// Test-only modules in their own files.
    pub tests: Vec<String>,
}

impl Source {
    pub fn new(file: &str, text: &str) -> Self {
        let path = file.strip_suffix(".rs").unwrap();
        let mut module: Vec<_> = path.split('/').map(str::to_owned).collect();
        if module.last().is_some_and(|last| ["mod", "lib", "main"].contains(&last.as_str())) {
            module.pop();
        }
        let mut code = without_texts(text);
        let tests = blank_tests(&mut code);
        Self { file: file.to_owned(), module, code, tests }
    }

    pub fn line(&self, at: usize) -> usize {
        self.code[..at].iter().filter(|byte| **byte == b'\n').count() + 1
    }

    /// Paths from the root of the crate, each with its line.
    pub fn imports(&self) -> Vec<(Vec<String>, usize)> {
        let inner = inner_modules(&self.code);
        let mut found = Vec::new();
        for start in ["crate", "super", "self"] {
            for at in starts(&self.code, start) {
                let depth = inner.iter().filter(|block| block.contains(&at)).count();
                let mut end = at;
                for path in paths(&self.code, &mut end) {
                    found.push((self.rooted(&path, depth), self.line(at)));
                }
            }
        }
        found
    }

    /// Paths of the `use` items outside inner modules, from the root of the crate, each with its
    /// line. `within` are the modules within this one that have files of their own.
    pub fn uses(&self, within: &[&str]) -> Vec<(Vec<String>, usize)> {
        let inner = inner_modules(&self.code);
        let is_start = |at: &usize| *at == 0 || !is_word(self.code[at - 1]);
        let places = self.code.windows(4).enumerate().filter(|(_, window)| *window == b"use ");
        let places = places.map(|(at, _)| at).filter(is_start);
        let places = places.filter(|at| !inner.iter().any(|block| block.contains(at)));
        let mut found = Vec::new();
        for at in places {
            let mut end = at + 4;
            for path in paths(&self.code, &mut end) {
                let is_within = path.first().is_some_and(|name| within.contains(&name.as_str()));
                let starts = ["crate", "super", "self"];
                if is_within || path.first().is_some_and(|name| starts.contains(&name.as_str())) {
                    found.push((self.rooted(&path, 0), self.line(at)));
                }
            }
        }
        found
    }

    /// Paths that begin with a module within this one, from the root of the crate, each with its
    /// line.
    pub fn inner_paths(&self, within: &[&str]) -> Vec<(Vec<String>, usize)> {
        let mut found = Vec::new();
        for at in within.iter().flat_map(|name| starts(&self.code, name)) {
            let mut end = at;
            let paths = paths(&self.code, &mut end);
            found.extend(paths.iter().map(|path| (self.rooted(path, 0), self.line(at))));
        }
        found
    }

    /// A path that begins with `crate`, `self` or `super`, or with the name of a module within this
    /// one, as it is from the root.
    fn rooted(&self, path: &[String], depth: usize) -> Vec<String> {
        if path[0] == "crate" {
            return path[1..].to_vec();
        }
        let ups = path.iter().skip_while(|name| *name == "self");
        let ups = ups.take_while(|name| *name == "super").count();
        let names = path.iter().filter(|name| *name != "self" && *name != "super");
        let kept = (self.module.len() + depth).saturating_sub(ups);
        let base = self.module.iter().take(kept);
        base.chain(names).cloned().collect()
    }
}
