//! Flags for the options of a report, made from their definitions.

use clap::builder::PossibleValuesParser;
use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, Error, FromArgMatches};

use crate::rules::{Accepts, Options, ReportOption};

/// Options as flags give them: `--max-gap` for `max_gap`.
#[derive(Clone, Copy, Debug)]
pub struct OptionFlags(pub Options);

impl Args for OptionFlags {
    fn augment_args(command: Command) -> Command {
        command.args(ReportOption::ALL.map(flag))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for OptionFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let mut options = Options::default();
        for option in ReportOption::ALL {
            let given = match option.accepts() {
                Accepts::Boolean => Some(matches.get_flag(option.name()).to_string()),
                _ => matches.get_one::<String>(option.name()).cloned(),
            };
            if let Some(text) = given {
                let wrong = |wrong| Error::raw(ErrorKind::ValueValidation, wrong);
                options.set(option, &text).map_err(wrong)?;
            }
        }
        Ok(Self(options))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// Flag of an option; its value is checked, and kept as text.
fn flag(option: ReportOption) -> Arg {
    let flag = Arg::new(option.name()).long(option.name().replace('_', "-"));
    let checked = move |text: &str| -> Result<String, String> {
        Options::default().set(option, text)?;
        Ok(text.to_owned())
    };
    let flag = match option.accepts() {
        Accepts::Boolean => return flag.action(ArgAction::SetTrue).help(option.about()),
        Accepts::Keywords(words) => flag
            .value_name(option.name().to_uppercase())
            .value_parser(PossibleValuesParser::new(words)),
        Accepts::Duration => flag.value_name("DURATION").value_parser(checked),
        Accepts::Hours => flag.value_name("HOURS").value_parser(checked),
        Accepts::TimeZone => flag.value_name("ZONE").value_parser(checked),
    };
    match Options::default().text(option) {
        Some(default) => flag.default_value(default).help(option.about()),
        None => flag.help(format!("{} [default: unlimited]", option.about())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::{DefaultHours, NoData};

    fn read(flags: &[&str]) -> Result<Options, Error> {
        let command = OptionFlags::augment_args(Command::new("report").no_binary_name(true));
        let matches = command.try_get_matches_from(flags)?;
        OptionFlags::from_arg_matches(&matches).map(|flags| flags.0)
    }

    #[test]
    fn without_flags_the_options_are_the_default() {
        assert_eq!(read(&[]).unwrap(), Options::default());
    }

    #[test]
    fn a_flag_sets_its_option() {
        let expected = Options {
            max_gap_us: Some(7_200_000_000),
            no_data: NoData::Down,
            snap_end_of_day: true,
            default_hours: DefaultHours::Closed,
            ..Options::default()
        };
        let flags = "--max-gap 2h --no-data down --snap-end-of-day --default-hours closed";
        assert_eq!(read(&flags.split(' ').collect::<Vec<_>>()).unwrap(), expected);
    }

    #[test]
    fn a_value_that_an_option_does_not_accept_is_refused_with_the_flag() {
        for flags in [["--scope", "week"], ["--max-gap", "never"], ["--default-timezone", "Mars"]] {
            let wrong = read(&flags).unwrap_err().to_string();
            assert!(wrong.contains(flags[0]) && wrong.contains(flags[1]), "{wrong}");
        }
    }
}
