//! File names of downloads, and the header that offers them (RFC 6266).
//!
//! Knows nothing of reports: the caller gives the chain and the instant.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::rules::calendar::instant_text;

/// Characters kept of a chain's name.
const CHAIN_CHARS_MAX: usize = 64;
/// Bytes that are percent-encoded: all that RFC 8187 does not allow, and some that it does.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_');

/// `Content-Disposition` for an ASCII name, as it is.
pub fn attachment(name: &str) -> String {
    format!("attachment; filename=\"{name}\"")
}

/// `Content-Disposition` for figures of a chain at an instant:
/// `uptally_<chain>_20230125T180900Z.csv`.
///
/// If the chain's name goes beyond ASCII letters, digits, `.` and `-`, `filename*` has it, without
/// characters that are unsafe in file names (RFC 8187); `filename` has underscores instead.
pub fn attachment_of_chain(chain: &str, now: i64, ending: &str) -> String {
    let stamp = stamp(now);
    let named = |chain: &str| match chain {
        "" => format!("uptally_{stamp}.{ending}"),
        chain => format!("uptally_{chain}_{stamp}.{ending}"),
    };
    let chain = allowed(chain, is_allowed);
    let plain = allowed(&chain, is_plain);
    let header = attachment(&named(&plain));
    match plain == chain {
        true => header,
        false => {
            let name = named(&chain);
            format!("{header}; filename*=UTF-8''{}", utf8_percent_encode(&name, ENCODED))
        }
    }
}

/// Instant to the second in the basic format of ISO 8601.
fn stamp(instant_us: i64) -> String {
    let text = instant_text(instant_us);
    let second = text.split('.').next().unwrap_or_default();
    format!("{}Z", second.replace(['-', ':'], ""))
}

/// Replaces each run of characters that are not kept by an underscore, and trims both ends.
fn allowed(text: &str, is_kept: fn(char) -> bool) -> String {
    let mut kept = String::new();
    for character in text.chars().take(CHAIN_CHARS_MAX) {
        match is_kept(character) && character != '_' {
            true => kept.push(character),
            false if kept.ends_with('_') => {}
            false => kept.push('_'),
        }
    }
    kept.trim_matches(['.', ' ', '_']).to_owned()
}

/// Returns true if every system accepts the character in a file name and displays it in place.
fn is_allowed(character: char) -> bool {
    const ON_SOME_SYSTEMS: &str = "/\\:*?\"<>|%";
    // Directional marks and other invisible characters, which can make a name look like another.
    let is_invisible = matches!(character,
        '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff0}'..='\u{ffff}');
    !(character.is_control() || is_invisible || ON_SOME_SYSTEMS.contains(character))
}

fn is_plain(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '.' | '-' | '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2023-01-25 18:09:00.5 UTC.
    const NOW: i64 = 1_674_670_140_500_000;

    #[track_caller]
    fn check(chain: &str, plain: &str, as_it_is: Option<&str>) {
        let name = |chain: &str| match chain {
            "" => "uptally_20230125T180900Z.csv".to_owned(),
            chain => format!("uptally_{chain}_20230125T180900Z.csv"),
        };
        let extended = as_it_is.map(|chain| format!("; filename*=UTF-8''{}", name(chain)));
        let expected =
            format!("attachment; filename=\"{}\"{}", name(plain), extended.unwrap_or_default());
        let found = attachment_of_chain(chain, NOW, "csv");
        assert_eq!(found, expected, "{chain:?}");
        assert!(found.is_ascii() && found.matches('"').count() == 2, "{found}");
    }

    #[test]
    fn a_name_says_chain_and_instant() {
        check("data", "data", None);
        check("Q1-2026.north_west", "Q1-2026.north_west", None);
        check("", "", None);
    }

    #[test]
    fn a_name_beyond_ascii_has_an_ascii_fallback() {
        check("Döner König", "D_ner_K_nig", Some("D%C3%B6ner%20K%C3%B6nig"));
        check("東京", "", Some("%E6%9D%B1%E4%BA%AC"));
        check("a'b;c=d", "a_b_c_d", Some("a%27b%3Bc%3Dd"));
    }

    #[test]
    fn a_name_has_no_character_with_a_meaning_to_headers_or_systems() {
        for (chain, plain) in [
            ("../../etc/passwd", "etc_passwd"),
            ("a\"; filename=\"b.exe", "a_filename_b.exe"),
            ("a\r\nset-cookie: b", "a_set-cookie_b"),
            ("C:\\data", "C_data"),
            ("Q1%2F2026", "Q1_2F2026"),
            ("fdp.\u{202e}exe", "fdp._exe"),
            ("\0\u{fffd}", ""),
            (" . _ ", ""),
        ] {
            let found = attachment_of_chain(chain, NOW, "csv");
            let name = found.split('"').nth(1).unwrap();
            let expected = match plain {
                "" => "uptally_20230125T180900Z.csv".to_owned(),
                plain => format!("uptally_{plain}_20230125T180900Z.csv"),
            };
            assert_eq!(name, expected, "{chain:?}");
            for sign in ["/", "\\", "\r", "\n", "%2F", "%5C", "%0D", "%E2%80%AE"] {
                assert!(!found.contains(sign), "{found}");
            }
        }
        let long = attachment_of_chain(&"ö".repeat(500), NOW, "csv");
        assert!(long.len() < 600, "{long}");
    }

    #[test]
    fn an_instant_before_the_epoch_has_its_second() {
        assert_eq!(stamp(-1), "19691231T235959Z");
        assert_eq!(stamp(0), "19700101T000000Z");
    }
}
