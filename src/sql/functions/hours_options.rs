//! Options of scalars over store hours, passed as one text.

use crate::rules::{Options, ReportOption};

/// Options that these scalars accept.
const HOURS_OPTIONS: [ReportOption; 3] =
    [ReportOption::SnapEndOfDay, ReportOption::DefaultHours, ReportOption::DefaultTimeZone];

/// Names of the options that these scalars accept.
pub const HOURS_OPTION_NAMES: [&str; 3] =
    [HOURS_OPTIONS[0].name(), HOURS_OPTIONS[1].name(), HOURS_OPTIONS[2].name()];

/// Parses `default_hours=closed,snap_end_of_day=true`.
///
/// # Errors
/// Fails if an option is invalid; the error names it and the expected values.
pub fn hours_options(text: &str) -> Result<Options, String> {
    let (mut options, mut given) = (Options::default(), Vec::new());
    for option in text.split(',').map(str::trim).filter(|option| !option.is_empty()) {
        let (name, value) = option
            .split_once('=')
            .map(|(name, value)| (name.trim(), value.trim()))
            .ok_or_else(|| format!("{option:?} is not an option like default_hours=closed"))?;
        let option = ReportOption::named(name).filter(|option| HOURS_OPTIONS.contains(option));
        let option = option
            .ok_or_else(|| format!("{name:?} is not one of {}", HOURS_OPTION_NAMES.join(", ")))?;
        if given.contains(&option) {
            return Err(format!("{name} is given twice"));
        }
        given.push(option);
        options.set(option, value).map_err(|wrong| format!("{name}: {wrong}"))?;
    }
    Ok(options)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::{DefaultHours, ZoneName};

    #[test]
    fn options_are_read_by_name() {
        let read =
            hours_options("default_hours=closed, snap_end_of_day=true,default_timezone=asia/tokyo");
        let expected = Options {
            default_hours: DefaultHours::Closed,
            snap_end_of_day: true,
            default_time_zone: ZoneName::parse("Asia/Tokyo").unwrap(),
            ..Options::default()
        };
        assert_eq!(read, Ok(expected));
        assert_eq!(hours_options(""), Ok(Options::default()));
        for (text, expected) in [
            ("closed", "\"closed\" is not an option like default_hours=closed"),
            ("max_gap=2h", "\"max_gap\" is not one of snap_end_of_day, default_hours"),
            ("default_hours=closed,default_hours=always", "default_hours is given twice"),
            ("default_hours=9-17", "default_hours: \"9-17\" is not one of always, closed"),
            ("default_timezone=Mars", "default_timezone: expected an IANA name"),
        ] {
            let sentence = hours_options(text).unwrap_err();
            assert!(sentence.starts_with(expected), "{text}: {sentence}");
        }
    }
}
