//! `uptally keys`: API keys of the service.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use super::arguments::{duration_us, instant, one_of};
use super::output;
use crate::error::{Error, Result};
use crate::rules::calendar::instant_text;
use crate::rules::keyword::keyword;
use crate::server::{Keys, ROLES, Role, key_file};

const COMMENT_CHARS_MAX: usize = 200;

/// Creates, lists and removes the keys of `uptally serve --keys`.
///
/// A key file has a line per key: role, hash, optionally `expires=INSTANT`, a comment after `#`.
/// A running server applies changes within a second.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Creates a key, adds its hash to a file, and prints the key once
    Add {
        /// Permissions: read; run, which adds starting reports; admin, which adds deleting them
        #[arg(long, value_parser = one_of(ROLES))]
        role: Role,
        /// Expiry: a duration like 90d, a date or an instant [default: never]
        #[arg(long, value_name = "WHEN", value_parser = expiry)]
        expires: Option<Expiry>,
        /// Owner or purpose of the key, one line
        #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true, value_parser = comment)]
        comment: String,
        /// Key file, created if missing
        file: PathBuf,
    },
    /// Lists keys as CSV: id, role, expiry, expired, comment
    List {
        /// Key file
        file: PathBuf,
    },
    /// Removes a key from a file
    Remove {
        /// Id of the key, as in `uptally keys list` and the server's log
        id: String,
        /// Key file
        file: PathBuf,
    },
}

/// Expiry of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expiry {
    AfterUs(i64),
    /// Microseconds UTC.
    At(i64),
}

impl Expiry {
    /// Resolves the expiry to microseconds UTC.
    ///
    /// # Errors
    /// When it has passed at `now`.
    fn instant(self, now: i64) -> Result<i64> {
        let expires_at = match self {
            Self::AfterUs(duration_us) => now.saturating_add(duration_us),
            Self::At(expires_at) => expires_at,
        };
        match expires_at > now {
            true => Ok(expires_at),
            false => Err(Error::Argument(format!(
                "--expires: {} has passed; choose a later instant",
                instant_text(expires_at)
            ))),
        }
    }
}

pub fn run(arguments: &Arguments) -> Result<()> {
    let now = chrono::Utc::now().timestamp_micros();
    match &arguments.action {
        Action::Add { role, expires, comment, file } => {
            let expires_at = expires.map(|expiry| expiry.instant(now)).transpose()?;
            let made = key_file::add(&output::regular_file(file)?, *role, expires_at, comment)?;
            eprintln!("note: the key is shown only once; its id is {}", made.id);
            output::write(format!("{}\n", made.secret).as_bytes(), None)
        }
        Action::List { file } => output::write(&to_csv(&key_file::list(file)?, now)?, None),
        Action::Remove { id, file } => remove(&output::regular_file(file)?, id),
    }
}

fn remove(file: &Path, id: &str) -> Result<()> {
    if key_file::remove(file, id)? == 0 {
        eprintln!("note: no key is left; a server with this file rejects everyone");
    }
    Ok(())
}

fn to_csv(keys: &Keys, now: i64) -> Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let failed = |_| Error::bug("a list of keys cannot be written as CSV");
    writer.write_record(["id", "role", "expires_at", "expired", "comment"]).map_err(failed)?;
    for key in keys.iter() {
        let (id, expires_at) = (key.id().to_string(), key.expires_at.map(instant_text));
        let is_expired = if key.is_expired(now) { "true" } else { "false" };
        let expires_at = expires_at.unwrap_or_default();
        let record = [id.as_str(), keyword(ROLES, key.role), &expires_at, is_expired, &key.comment];
        writer.write_record(record).map_err(failed)?;
    }
    writer.into_inner().map_err(|_| Error::bug("a list of keys cannot be written as CSV"))
}

fn expiry(text: &str) -> std::result::Result<Expiry, String> {
    let after = duration_us(text).map(Expiry::AfterUs);
    after.or_else(|_| instant(text).map(Expiry::At)).map_err(|_| {
        "expected a duration like 90d, or a date or an instant like 2030-01-31".to_owned()
    })
}

fn comment(text: &str) -> std::result::Result<String, String> {
    let text = text.trim();
    match text.chars().any(char::is_control) || text.chars().count() > COMMENT_CHARS_MAX {
        true => Err(format!("expected one line of at most {COMMENT_CHARS_MAX} characters")),
        false => Ok(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::calendar::DAY_US;

    /// 2030-01-01.
    const NOW: i64 = 1_893_456_000_000_000;

    #[test]
    fn an_expiry_is_a_duration_or_a_future_instant() {
        for (text, expected) in [
            ("90d", Ok(NOW + 90 * DAY_US)),
            ("1h", Ok(NOW + DAY_US / 24)),
            ("2030-01-02", Ok(NOW + DAY_US)),
            ("2030-01-01T00:00:00.000001Z", Ok(NOW + 1)),
            ("2030-01-01", Err("--expires: 2030-01-01T00:00:00.000000Z has passed")),
            ("soon", Err("expected a duration like 90d, or a date")),
            ("", Err("expected a duration like 90d, or a date")),
        ] {
            let found = expiry(text)
                .and_then(|expiry| expiry.instant(NOW).map_err(|error| error.sentence()));
            match (&found, expected) {
                (Ok(found), Ok(expected)) => assert_eq!(*found, expected, "{text}"),
                (Err(found), Err(expected)) => assert!(found.contains(expected), "{found}"),
                _ => panic!("{text}: {found:?}"),
            }
        }
    }

    #[test]
    fn a_comment_is_one_line() {
        assert_eq!(comment(" of Ann, till #7 ").as_deref(), Ok("of Ann, till #7"));
        for wrong in ["a\nb", "a\tb", &"a".repeat(COMMENT_CHARS_MAX + 1)] {
            assert!(comment(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_list_has_a_line_per_key_and_marks_expired_ones() {
        let hash = |digit: &str| digit.repeat(64);
        let text = format!(
            "read {}\nrun {} expires=2030-01-01 # of Ann, \"till\"\n",
            hash("a"),
            hash("b")
        );
        let keys = Keys::parse(Path::new("keys"), &text).unwrap();
        let lines = |expired: &str| {
            format!(
                "id,role,expires_at,expired,comment\naaaaaaaa,read,,false,\n\
                 bbbbbbbb,run,2030-01-01T00:00:00.000000Z,{expired},\"of Ann, \"\"till\"\"\"\n"
            )
        };
        for (now, expired) in [(NOW - 1, "false"), (NOW, "true")] {
            let csv = String::from_utf8(to_csv(&keys, now).unwrap()).unwrap();
            assert_eq!(csv, lines(expired));
        }
    }
}
