//! Circles of files that import each other.
//!
//! A file may use what is above it: the files of its folder use the types of its `mod.rs`, which
//! calls them. Apart from that, imports must lead in one direction. An import of something that a
//! file only passes on leads to the file where it is.

use std::collections::{BTreeMap, BTreeSet};

use super::source::Source;

/// Sources by the paths of their modules.
pub struct Files<'a>(BTreeMap<&'a [String], &'a Source>);

impl<'a> Files<'a> {
    pub fn new(sources: &'a [Source]) -> Self {
        let inner = sources.iter().filter(|source| !source.module.is_empty());
        Self(inner.map(|source| (source.module.as_slice(), source)).collect())
    }

    /// Names of the modules in files of their own within the module.
    fn within(&self, module: &[String]) -> Vec<&'a str> {
        let below = self.0.keys().filter(|path| path.len() == module.len() + 1);
        let below = below.filter(|path| path.starts_with(module));
        below.filter_map(|path| path.last().map(String::as_str)).collect()
    }

    /// File that has the item at the path; `None` for items of the root.
    fn file(&self, path: &[String]) -> Option<&'a Source> {
        let mut path = path.to_vec();
        // Longer chains of re-exports do not occur; circles of them do not compile.
        for _ in 0..8 {
            let end = (1..=path.len()).rev().find(|end| self.0.contains_key(&path[..*end]))?;
            let source = self.0[&path[..end]];
            let Some(name) = path.get(end) else { return Some(source) };
            let uses = source.uses(&self.within(&source.module));
            let passed_on = uses.iter().find(|(used, _)| used.last() == Some(name));
            match passed_on {
                Some((used, _)) => path = [used.as_slice(), &path[end + 1..]].concat(),
                None => return Some(source),
            }
        }
        None
    }

    /// Imports of each file, with a line, except of files above it.
    fn imports(&self) -> BTreeMap<&'a str, BTreeMap<&'a str, usize>> {
        let mut imports = BTreeMap::<_, BTreeMap<_, _>>::new();
        for source in self.0.values() {
            let mut paths = source.imports();
            paths.extend(source.uses(&self.within(&source.module)));
            paths.extend(source.inner_paths(&self.within(&source.module)));
            for (path, line) in paths {
                let Some(to) = self.file(&path) else { continue };
                if !source.module.starts_with(&to.module) {
                    let of_source = imports.entry(source.file.as_str()).or_default();
                    of_source.entry(to.file.as_str()).or_insert(line);
                }
            }
        }
        imports
    }

    /// Imports that are part of a circle, a sentence each.
    pub fn circles(&self) -> Vec<String> {
        let mut imports = self.imports();
        loop {
            let froms: BTreeSet<&str> = imports.keys().copied().collect();
            let tos: BTreeSet<&str> = imports.values().flat_map(BTreeMap::keys).copied().collect();
            let count = |imports: &BTreeMap<_, BTreeMap<_, _>>| {
                imports.values().map(BTreeMap::len).sum::<usize>()
            };
            let before = count(&imports);
            // A file that imports no others, or that no others import, is in no circle.
            imports.retain(|from, _| tos.contains(from));
            imports.values_mut().for_each(|to| to.retain(|to, _| froms.contains(to)));
            imports.retain(|_, to| !to.is_empty());
            if count(&imports) == before {
                break;
            }
        }
        let sentence = |(from, tos): (&&str, &BTreeMap<&str, usize>)| {
            let sentence = |(to, line)| format!("src/{from}:{line}: imports src/{to} in a circle");
            tos.iter().map(sentence).collect::<Vec<_>>()
        };
        imports.iter().flat_map(sentence).collect()
    }
}

#[track_caller]
fn check(files: &[(&str, &str)], expected: &[&str]) {
    let sources: Vec<_> = files.iter().map(|(file, text)| Source::new(file, text)).collect();
    assert_eq!(Files::new(&sources).circles(), expected, "{files:?}");
}

#[test]
fn circles_of_files_are_found() {
    let circle = [
        "src/a/b.rs:1: imports src/a/c.rs in a circle",
        "src/a/c.rs:2: imports src/a/b.rs in a circle",
    ];
    let (b, c) = (("a/b.rs", "use super::c::C;"), ("a/c.rs", "\nuse super::b;"));
    check(&[b, c], &circle);
    // A file that leads into the circle is not part of it, nor is one that it leads to.
    check(&[b, ("a/c.rs", "use crate::e;\nuse super::b;"), ("e.rs", "")], &circle);
    check(&[("a/mod.rs", "mod b;\nuse self::b::B;"), b, c], &circle);
    check(&[b, ("a/c.rs", "")], &[]);
}

#[test]
fn circles_through_what_is_passed_on_are_found() {
    let files = [
        ("a/mod.rs", "mod b;\nmod c;\nmod d;\npub use b::B;\npub use c::C;\npub use d::{D, E};"),
        ("a/b.rs", "use super::C;"),
        ("a/c.rs", "fn c() { crate::a::B::new() }"),
        // Not of the file that passes both on.
        ("a/d.rs", ""),
        ("e.rs", "use crate::a::{D, E};"),
    ];
    let circle = [
        "src/a/b.rs:1: imports src/a/c.rs in a circle",
        "src/a/c.rs:1: imports src/a/b.rs in a circle",
    ];
    check(&files, &circle);
    let through_module = [
        ("a/mod.rs", "mod b;\nfn a() { b::b() }"),
        ("a/b.rs", "use crate::d::D;"),
        ("d.rs", "use crate::a::a;"),
    ];
    let circle = [
        "src/a/b.rs:1: imports src/d.rs in a circle",
        "src/a/mod.rs:2: imports src/a/b.rs in a circle",
        "src/d.rs:1: imports src/a/mod.rs in a circle",
    ];
    check(&through_module, &circle);
}

#[test]
fn a_file_may_use_what_is_above_it() {
    check(&[("a/mod.rs", "mod b;\nstruct A;\nuse self::b::B;"), ("a/b.rs", "use super::A;")], &[]);
}
