//! Content negotiation by `Accept` and `Accept-Encoding` (RFC 9110, section 12).
//!
//! Knows neither reports nor endpoints.

use super::jobs::Compression;

/// Preference of a client: the weight in thousandths, and the specificity of the range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Preference {
    weight: u32,
    exactness: u8,
}

/// Preferred media type of those offered: the highest weight, then the most specific range, then
/// the order of the offer. `None` if the client accepts none of them by name.
pub fn preferred<'a>(accept: Option<&str>, offered: &[&'a str]) -> Option<&'a str> {
    let accept = accept?;
    let preferences = offered.iter().filter_map(|kind| Some((preference(accept, kind)?, *kind)));
    let preferences =
        preferences.filter(|(preference, _)| preference.weight > 0 && preference.exactness > 0);
    preferences
        .fold(None, |best: Option<(Preference, &str)>, (preference, kind)| match best {
            Some((best_preference, _)) if best_preference >= preference => best,
            _ => Some((preference, kind)),
        })
        .map(|(_, kind)| kind)
}

/// Preference by the most specific range that covers the media type; `*/*` has no specificity.
fn preference(accept: &str, kind: &str) -> Option<Preference> {
    let main = kind.split('/').next().unwrap_or_default();
    let preferences = items(accept).filter_map(|(range, weight)| {
        let exactness = match range {
            range if range.eq_ignore_ascii_case(kind) => 2,
            "*/*" => 0,
            range => {
                let covered = range.strip_suffix("/*")?;
                covered.eq_ignore_ascii_case(main).then_some(1)?
            }
        };
        Some(Preference { weight, exactness })
    });
    preferences.max_by_key(|preference| preference.exactness)
}

/// Compression of the preferred content coding; zstd rather than gzip on a tie.
pub fn compression(accept_encoding: Option<&str>) -> Compression {
    let Some(accepted) = accept_encoding else { return Compression::None };
    let weight_of = |name: &str| {
        let exact = items(accepted).find(|(coding, _)| coding.eq_ignore_ascii_case(name));
        let found = exact.or_else(|| items(accepted).find(|(coding, _)| *coding == "*"));
        found.map_or(0, |(_, weight)| weight)
    };
    let (zstd, gzip) = (weight_of("zstd"), weight_of("gzip"));
    match (zstd, gzip) {
        (0, 0) => Compression::None,
        _ if zstd >= gzip => Compression::Zstd,
        _ => Compression::Gzip,
    }
}

/// Items of a list with their weights in thousandths.
fn items(list: &str) -> impl Iterator<Item = (&str, u32)> {
    list.split(',').map(|item| {
        let mut parts = item.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default();
        let weight = parts.find_map(|part| part.strip_prefix("q=").or(part.strip_prefix("Q=")));
        let weight = weight.map_or(Some(1.0), |weight| weight.parse::<f32>().ok());
        (name, weight.map_or(0, |weight| (weight.clamp(0.0, 1.0) * 1000.0) as u32))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn kind(accept: &str, expected: Option<&str>) {
        let offered = ["application/json", "text/csv", "text/plain"];
        assert_eq!(preferred(Some(accept), &offered), expected, "{accept}");
    }

    #[test]
    fn the_most_specific_and_heaviest_media_type_is_preferred() {
        kind("*/*", None);
        kind("application/json", Some("application/json"));
        kind("application/json, text/plain, */*", Some("application/json"));
        kind("text/plain", Some("text/plain"));
        kind("text/*, application/json;q=0.9", Some("text/csv"));
        kind("text/csv;q=0.5, application/json;q=0.7", Some("application/json"));
        kind("text/html, */*;q=0.8", None);
        kind("application/json;q=0", None);
        kind(";;;,,q=", None);
    }

    #[test]
    fn a_coding_is_used_where_it_is_wanted() {
        for (accepted, expected) in [
            ("gzip, deflate", Compression::Gzip),
            ("gzip, deflate, br, zstd", Compression::Zstd),
            ("zstd;q=0.1, gzip", Compression::Gzip),
            ("gzip;q=0", Compression::None),
            ("*", Compression::Zstd),
            ("br", Compression::None),
            ("", Compression::None),
        ] {
            assert_eq!(compression(Some(accepted)), expected, "{accepted}");
        }
        assert_eq!(compression(None), Compression::None);
    }
}
