//! Reads folders of TZif files such as `/usr/share/zoneinfo` or `zoneinfo` of Python's `tzdata`.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::rules::zone::parse_edition;
use crate::rules::{Zone, ZoneRules};

/// Subfolders that repeat all zones, with or without leap seconds.
const OTHER_TREES: [&str; 3] = ["posix", "right", "uclibc"];
/// TZif files that are not named after a zone.
const NO_NAMES: [&str; 2] = ["localtime", "posixrules"];
const TZIF_BYTES_MAX: u64 = 1 << 20;

/// Reads the rules of every zone in a folder.
///
/// # Errors
/// The folder cannot be read, has no edition or no zones, or a zone is malformed.
pub fn read_zoneinfo(folder: &Path) -> Result<ZoneRules> {
    let edition = edition(folder)?;
    let mut zones = Vec::new();
    read_into(folder, "", &mut zones)?;
    if zones.is_empty() {
        return Err(Error::File(format!(
            "{folder:?} holds no time zones; name a folder like /usr/share/zoneinfo"
        )));
    }
    Ok(ZoneRules::new(edition, zones))
}

/// Edition named by `tzdata.zi` or by a version file.
fn edition(folder: &Path) -> Result<String> {
    let mut given = None;
    for name in ["tzdata.zi", "+VERSION", "version"] {
        let Ok(file) = File::open(folder.join(name)) else { continue };
        let mut line = String::new();
        let read = BufReader::new(file.take(200)).read_line(&mut line);
        if read.is_err() || line.trim().is_empty() {
            continue;
        }
        let text = line.trim();
        let text = if name == "tzdata.zi" { text.trim_start_matches("# version ") } else { text };
        match parse_edition(text) {
            Some(edition) => return Ok(edition.to_owned()),
            None => given = given.or_else(|| Some(text.to_owned())),
        }
    }
    // Report a missing or unreadable folder as such.
    std::fs::read_dir(folder).map_err(|error| Error::io("read", folder, error))?;
    Err(Error::File(match given {
        Some(text) => format!(
            "{folder:?} has edition {text:?}, which is not an IANA release like 2026f; name \
             another folder"
        ),
        None => format!(
            "{folder:?} has no edition; name a folder with tzdata.zi or +VERSION, like \
             /usr/share/zoneinfo"
        ),
    }))
}

/// Adds the zones of a folder; `prefix` begins their names.
fn read_into(folder: &Path, prefix: &str, zones: &mut Vec<(String, Arc<[u8]>)>) -> Result<()> {
    let failed = |error| Error::io("read", folder, error);
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let Some(part) = entry.file_name().to_str().map(str::to_owned) else { continue };
        let (name, path) = (format!("{prefix}{part}"), entry.path());
        let is_folder = entry.file_type().map_err(failed)?.is_dir();
        if is_folder && !OTHER_TREES.contains(&name.as_str()) && !part.starts_with('.') {
            read_into(&path, &format!("{name}/"), zones)?;
        } else if !is_folder
            && !NO_NAMES.contains(&name.as_str())
            && let Some(tzif) = tzif(&path)?
        {
            let tzif: Arc<[u8]> = tzif.into();
            if Zone::from_tzif(&name, Arc::clone(&tzif)).is_none() {
                return Err(Error::File(format!(
                    "{path:?} is not valid TZif; reinstall the zone rules"
                )));
            }
            zones.push((name, tzif));
        }
    }
    Ok(())
}

/// Content of a file; `None` if it is not TZif or a link to a folder or to nothing.
fn tzif(path: &Path) -> Result<Option<Vec<u8>>> {
    let Ok(metadata) = std::fs::metadata(path) else { return Ok(None) };
    if !metadata.is_file() || metadata.len() > TZIF_BYTES_MAX {
        return Ok(None);
    }
    let bytes = std::fs::read(path).map_err(|error| Error::io("read", path, error))?;
    Ok(bytes.starts_with(b"TZif").then_some(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &[u8])]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, bytes) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
        folder
    }

    fn chicago() -> Vec<u8> {
        ZoneRules::bundled().tzif("America/Chicago").unwrap().to_vec()
    }

    #[test]
    fn the_edition_is_read_from_any_of_the_usual_files() {
        for (name, text, edition) in [
            ("tzdata.zi", "# version 2027a\n# This zic input file\n", "2027a"),
            ("tzdata.zi", "# version 2027a-rearguard\n", "2027a"),
            ("+VERSION", "2027b\n", "2027b"),
            ("version", "2027c", "2027c"),
        ] {
            let folder = folder(&[(name, text.as_bytes()), ("America/Chicago", &chicago())]);
            assert_eq!(read_zoneinfo(folder.path()).unwrap().edition(), edition, "{name}");
        }
    }

    #[test]
    fn files_that_are_not_zones_are_skipped() {
        let chicago = chicago();
        let folder = folder(&[
            ("+VERSION", b"2027a"),
            ("zone.tab", b"# tab-separated"),
            ("America/Chicago", &chicago),
            ("America/__init__.py", b""),
            ("America/Indiana/Knox", &chicago),
            ("posix/America/Chicago", &chicago),
            ("right/America/Chicago", &chicago),
            ("localtime", &chicago),
            ("posixrules", &chicago),
            (".hidden/Zone", &chicago),
        ]);
        let rules = read_zoneinfo(folder.path()).unwrap();
        assert_eq!(rules.names(), ["America/Chicago", "America/Indiana/Knox"]);
        assert_eq!(rules.tzif("america/chicago"), Some(chicago.as_slice()));
    }

    #[track_caller]
    fn refused(files: &[(&str, &[u8])], sentence: &str) {
        let error = read_zoneinfo(folder(files).path()).unwrap_err().sentence();
        assert!(error.contains(sentence), "{error}");
    }

    #[test]
    fn a_folder_without_zones_is_refused_with_a_sentence() {
        let chicago = chicago();
        refused(&[], "has no edition");
        refused(&[("America/Chicago", &chicago)], "has no edition");
        let unknown = [("tzdata.zi", &b"# version unknown\n"[..])];
        refused(&unknown, "\"unknown\", which is not an IANA release");
        refused(&[("tzdata.zi", b"\xff\xfe"), ("+VERSION", b"2027a")], "holds no time zones");
        let broken = [("+VERSION", &b"2027a"[..]), ("America/Chicago", &chicago[..99])];
        refused(&broken, "is not valid TZif");
        let nowhere = read_zoneinfo(Path::new("/no/such/folder")).unwrap_err().sentence();
        assert!(nowhere.contains("cannot read"), "{nowhere}");
    }
}
