//! Known names that misspelt ones probably mean, for "did you mean".

use strsim::osa_distance;

/// Shortest beginning of a name that is enough to tell it.
const BEGINNING_CHARS_MIN: usize = 4;
/// Longest name that is compared: a longer one is not misspelt, and comparing takes as long as both
/// lengths multiplied.
const NAME_BYTES_MAX: usize = 128;

/// Value of the known name that is closest to a misspelt one, the first of several; `None` if more
/// than half of the letters differ, and it is no beginning of one. Case, `_` and spaces do not
/// count.
pub fn nearest<'a, T>(name: &str, known: impl IntoIterator<Item = (&'a str, T)>) -> Option<T> {
    if name.len() > NAME_BYTES_MAX {
        return None;
    }
    let name = folded(name);
    let length = name.chars().count();
    let known = known.into_iter().filter(|(other, _)| other.len() <= NAME_BYTES_MAX);
    let near = known.filter_map(|(other, value)| {
        let other = folded(other);
        let distance = osa_distance(&name, &other);
        let begins = length >= BEGINNING_CHARS_MIN && other.starts_with(&name);
        (distance * 2 < length.max(2) || begins).then_some((distance, value))
    });
    near.min_by_key(|(distance, _)| *distance).map(|(_, value)| value)
}

/// Known zone that is closest to a misspelt one; `None` if more than a quarter of the letters of its
/// place differ. The area may be missing or another: `new york` and `Europe/NewYork` mean
/// `America/New_York`.
pub fn nearest_zone<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if name.len() > NAME_BYTES_MAX {
        return None;
    }
    let name = folded(name);
    let near = known.into_iter().filter(|other| !is_offset(other)).filter_map(|other| {
        let known = folded(other);
        let of_place = osa_distance(place(&name), place(&known));
        let of_whole = osa_distance(&name, &known);
        let distance = if name.contains('/') { of_whole } else { of_place };
        (of_place * 4 <= place(&name).chars().count()).then_some(((distance, of_whole), other))
    });
    near.min_by_key(|(distances, _)| *distances).map(|(_, other)| other)
}

/// Name without what does not count in a comparison.
pub fn folded(name: &str) -> String {
    name.to_lowercase().replace(['_', ' '], "")
}

/// Last part of a zone's name.
pub fn place(zone: &str) -> &str {
    zone.rsplit_once('/').map_or(zone, |(_, place)| place)
}

/// Returns true for zones like `Etc/GMT+1`, which is an hour behind and never what `GMT+1` means.
pub fn is_offset(zone: &str) -> bool {
    zone.contains("GMT") && zone.ends_with(|last: char| last.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_name_leads_to_the_nearest() {
        let known = ["store_id", "store_no", "polled_at", "active", "polled_on", "last_polled_at"];
        for (name, expected) in [
            ("storeid", Some("store_id")),
            ("Store ID", Some("store_id")),
            ("sotre_no", Some("store_no")),
            ("polled", Some("polled_at")),
            ("last_poll", Some("last_polled_at")),
            ("activ", Some("active")),
            ("timestamp", None),
            ("a", None),
            ("", None),
        ] {
            assert_eq!(nearest(name, known.map(|known| (known, known))), expected, "{name}");
        }
        // It would be the beginning of the known one.
        let long = "a".repeat(NAME_BYTES_MAX + 1);
        assert_eq!(nearest(&long, [(format!("{long}b").as_str(), 1)]), None);
    }

    #[test]
    fn a_misspelt_zone_leads_to_the_nearest() {
        let known = [
            "America/Los_Angeles",
            "America/New_York",
            "Asia/Calcutta",
            "Etc/GMT+1",
            "Europe/Berlin",
            "Europe/Zurich",
            "US/Pacific",
        ];
        for (name, expected) in [
            ("America/NewYork", Some("America/New_York")),
            ("america/new york", Some("America/New_York")),
            ("Europe/NewYork", Some("America/New_York")),
            ("berlin", Some("Europe/Berlin")),
            ("Los_Angelos", Some("America/Los_Angeles")),
            ("US/Pacfic", Some("US/Pacific")),
            ("Asia/Calcuta", Some("Asia/Calcutta")),
            ("Europe/Munich", None),
            ("Mars/Olympus", None),
            ("GMT+1", None),
            ("PDT", None),
            ("", None),
        ] {
            assert_eq!(nearest_zone(name, known), expected, "{name}");
        }
        assert_eq!(nearest_zone(&format!("{}berlin", "x/".repeat(64)), ["Europe/Berlin"]), None);
    }
}
