//! Parser of PostgreSQL's interval texts.

use arrow::datatypes::IntervalMonthDayNano;

const SECOND_NS: f64 = 1e9;
const DAY_SECONDS: f64 = 86_400.0;
const MONTH_DAYS: f64 = 30.0;
const YEAR_MONTHS: f64 = 12.0;

/// Parses an interval; `None` if the text is not an interval or does not fit.
pub fn parse(text: &str) -> Option<IntervalMonthDayNano> {
    let text = text.trim().to_ascii_lowercase();
    match text.strip_prefix('p') {
        Some(iso) => parse_iso(iso),
        None => parse_words(text.strip_prefix('@').unwrap_or(&text)),
    }
}

/// Months, days and nanoseconds so far.
#[derive(Default)]
struct Sum {
    months: i128,
    days: i128,
    nanoseconds: i128,
}

impl Sum {
    fn add(&mut self, amount: Amount, unit: Unit) {
        match unit {
            Unit::Months(months) => {
                self.months += i128::from(amount.whole) * months as i128;
                let rest = amount.fraction * months;
                if months > 1.0 {
                    self.months += rest.round_ties_even() as i128;
                } else {
                    self.add_days(rest * MONTH_DAYS);
                }
            }
            Unit::Days(days) => {
                self.days += i128::from(amount.whole) * days as i128;
                self.add_days(amount.fraction * days);
            }
            Unit::Time(nanoseconds) => {
                self.nanoseconds += i128::from(amount.whole) * nanoseconds as i128;
                self.nanoseconds += (amount.fraction * nanoseconds).round_ties_even() as i128;
            }
        }
    }

    fn add_days(&mut self, days: f64) {
        self.days += days.trunc() as i128;
        let microseconds = (days.fract() * DAY_SECONDS * 1e6).round_ties_even();
        self.nanoseconds += microseconds as i128 * 1_000;
    }

    fn negated(self) -> Self {
        Self { months: -self.months, days: -self.days, nanoseconds: -self.nanoseconds }
    }

    fn finished(self) -> Option<IntervalMonthDayNano> {
        Some(IntervalMonthDayNano::new(
            self.months.try_into().ok()?,
            self.days.try_into().ok()?,
            self.nanoseconds.try_into().ok()?,
        ))
    }
}

/// A number split into whole and fraction, both with its sign.
#[derive(Clone, Copy)]
struct Amount {
    whole: i64,
    fraction: f64,
}

impl Amount {
    fn parse(number: &str) -> Option<Self> {
        let (sign, digits) = signed(number);
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let is_digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
        if !(is_digits(whole) && is_digits(fraction)) || whole.len() + fraction.len() == 0 {
            return None;
        }
        let whole = if whole.is_empty() { 0 } else { whole.parse::<i64>().ok()? };
        let fraction: f64 = format!("0.{fraction}0").parse().ok()?;
        Some(Self { whole: sign * whole, fraction: sign as f64 * fraction })
    }
}

fn signed(number: &str) -> (i64, &str) {
    match number.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, number.strip_prefix('+').unwrap_or(number)),
    }
}

/// Size of a unit in months, days or nanoseconds.
#[derive(Clone, Copy)]
enum Unit {
    Months(f64),
    Days(f64),
    Time(f64),
}

impl Unit {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "nanosecond" | "nanoseconds" => Self::Time(1.0),
            "us" | "usec" | "usecs" | "usecond" | "useconds" | "microsecond" | "microseconds" => {
                Self::Time(1e3)
            }
            "ms" | "msec" | "msecs" | "msecond" | "mseconds" | "millisecond" | "milliseconds" => {
                Self::Time(1e6)
            }
            "s" | "sec" | "secs" | "second" | "seconds" => Self::Time(SECOND_NS),
            "m" | "min" | "mins" | "minute" | "minutes" => Self::Time(60.0 * SECOND_NS),
            "h" | "hr" | "hrs" | "hour" | "hours" => Self::Time(3_600.0 * SECOND_NS),
            "d" | "day" | "days" => Self::Days(1.0),
            "w" | "week" | "weeks" => Self::Days(7.0),
            "mon" | "mons" | "month" | "months" => Self::Months(1.0),
            "y" | "yr" | "yrs" | "year" | "years" => Self::Months(YEAR_MONTHS),
            "dec" | "decs" | "decade" | "decades" => Self::Months(10.0 * YEAR_MONTHS),
            "c" | "cent" | "century" | "centuries" => Self::Months(100.0 * YEAR_MONTHS),
            "mil" | "mils" | "millennium" | "millennia" => Self::Months(1_000.0 * YEAR_MONTHS),
            _ => return None,
        })
    }
}

/// Parses `1 day 02:03:04`, `1-2 3 4:05`, `1.5h`, `100`, each optionally followed by `ago`.
fn parse_words(text: &str) -> Option<IntervalMonthDayNano> {
    let tokens = tokens(text)?;
    let mut words: Vec<&str> = tokens.iter().map(String::as_str).collect();
    let is_ago = words.last() == Some(&"ago");
    if is_ago {
        words.pop();
    }
    if words.is_empty() {
        return None;
    }
    let mut sum = Sum::default();
    let mut words = words.into_iter().peekable();
    while let Some(word) = words.next() {
        if word.contains(':') {
            sum.nanoseconds += time_ns(word)?;
        } else if let Some(months) = years_and_months(word) {
            sum.months += months;
        } else {
            let amount = Amount::parse(word)?;
            let unit = match words.peek() {
                None => Unit::Time(SECOND_NS),
                Some(time) if time.contains(':') => Unit::Days(1.0),
                Some(name) => Unit::named(name)?,
            };
            sum.add(amount, unit);
            if words.peek().is_some_and(|word| Unit::named(word).is_some()) {
                words.next();
            }
        }
    }
    if is_ago { sum.negated().finished() } else { sum.finished() }
}

/// Splits a text into signed numbers and words; a unit may directly follow its number.
fn tokens(text: &str) -> Option<Vec<String>> {
    let mut tokens: Vec<String> = Vec::new();
    let mut signs = text.chars().peekable();
    while let Some(sign) = signs.next() {
        let is_of_word = |sign: &char| sign.is_ascii_alphabetic();
        let is_of_number = |sign: &char| sign.is_ascii_digit() || ".:-+".contains(*sign);
        let mut token = sign.to_string();
        if sign.is_ascii_whitespace() || sign == ',' {
            continue;
        } else if is_of_word(&sign) {
            token.extend(std::iter::from_fn(|| signs.next_if(is_of_word)));
        } else if is_of_number(&sign) {
            if "+-".contains(sign) {
                while signs.next_if(char::is_ascii_whitespace).is_some() {}
            }
            token.extend(std::iter::from_fn(|| signs.next_if(is_of_number)));
        } else {
            return None;
        }
        tokens.push(token);
    }
    Some(tokens)
}

/// Parses `[-]hours:minutes[:seconds[.fraction]]` or `[-]minutes:seconds.fraction`.
fn time_ns(word: &str) -> Option<i128> {
    let (sign, word) = signed(word);
    let parts: Vec<_> = word.split(':').collect();
    let (hours, minutes, seconds) = match parts[..] {
        [minutes, seconds] if seconds.contains('.') => ("0", minutes, seconds),
        [hours, minutes] => (hours, minutes, "0"),
        [hours, minutes, seconds] => (hours, minutes, seconds),
        _ => return None,
    };
    let (hours, minutes, seconds) = (digits(hours)?, digits(minutes)?, Amount::parse(seconds)?);
    let is_time =
        (0..60).contains(&minutes) && (0..=60).contains(&seconds.whole) && seconds.fraction >= 0.0;
    let whole = i128::from(hours) * 3_600 + i128::from(minutes * 60 + seconds.whole);
    let fraction = (seconds.fraction * SECOND_NS).round_ties_even();
    is_time.then_some(i128::from(sign) * (whole * SECOND_NS as i128 + fraction as i128))
}

/// Parses `[-]years-months`.
fn years_and_months(word: &str) -> Option<i128> {
    let (sign, word) = signed(word);
    let (years, months) = word.split_once('-')?;
    let (years, months): (i64, i64) = (digits(years)?, digits(months)?);
    (months < 12).then(|| i128::from(sign) * (i128::from(years) * 12 + i128::from(months)))
}

fn digits(word: &str) -> Option<i64> {
    word.bytes().all(|b| b.is_ascii_digit()).then(|| word.parse().ok())?
}

/// Parses an ISO 8601 duration after its `P`: `1Y2M3DT4H5M6.7S`, `2W`.
fn parse_iso(text: &str) -> Option<IntervalMonthDayNano> {
    let (days, time) = match text.split_once('t') {
        Some((days, time)) => (days, Some(time)),
        None => (text, None),
    };
    if (days.is_empty() && time.is_none()) || time.is_some_and(str::is_empty) {
        return None;
    }
    let mut sum = Sum::default();
    let unit_of_days = |letter| {
        Some(match letter {
            'y' => Unit::Months(YEAR_MONTHS),
            'm' => Unit::Months(1.0),
            'w' => Unit::Days(7.0),
            'd' => Unit::Days(1.0),
            _ => return None,
        })
    };
    let unit_of_time = |letter: char| match letter {
        'h' | 'm' | 's' => Unit::named(letter.encode_utf8(&mut [0; 4])),
        _ => None,
    };
    add_letters(&mut sum, days, unit_of_days)?;
    add_letters(&mut sum, time.unwrap_or_default(), unit_of_time)?;
    sum.finished()
}

/// Adds numbers, each followed by the letter of its unit.
fn add_letters(sum: &mut Sum, text: &str, unit: impl Fn(char) -> Option<Unit>) -> Option<()> {
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(|sign: char| sign.is_ascii_alphabetic())?;
        let (number, behind) = rest.split_at(end);
        let letter = behind.chars().next()?;
        sum.add(Amount::parse(number)?, unit(letter)?);
        rest = &behind[letter.len_utf8()..];
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000_000;
    const HOUR: i64 = 3_600 * SECOND;

    #[test]
    fn a_text_is_the_interval_that_it_is_to_postgres() {
        for (text, months, days, nanoseconds) in [
            ("100", 0, 0, 100 * SECOND),
            ("1 day 02:03:04", 0, 1, 2 * HOUR + 184 * SECOND),
            ("1 2:03:04.5", 0, 1, 2 * HOUR + 184 * SECOND + SECOND / 2),
            ("1 mon -1 day", 1, -1, 0),
            ("1.5 hours", 0, 0, HOUR * 3 / 2),
            ("1h30m", 0, 0, HOUR * 3 / 2),
            ("-00:30:00", 0, 0, -HOUR / 2),
            ("36:00", 0, 0, 36 * HOUR),
            ("1:2.5", 0, 0, 62 * SECOND + SECOND / 2),
            ("1 day ago", 0, -1, 0),
            ("@ 1 year 2 mons ago", -14, 0, 0),
            ("1-2", 14, 0, 0),
            ("-1-2 +3 -4:05", -14, 3, -4 * HOUR - 300 * SECOND),
            ("1.5 years", 18, 0, 0),
            ("1.3 years", 16, 0, 0),
            ("1.5 months", 1, 15, 0),
            ("1.5 weeks", 0, 10, 12 * HOUR),
            ("0.5 day", 0, 0, 12 * HOUR),
            ("- 1 day", 0, -1, 0),
            ("1 Year, 2 Days", 12, 2, 0),
            ("2 weeks", 0, 14, 0),
            ("1 decade", 120, 0, 0),
            ("250 ms 5 us", 0, 0, 250_005_000),
            (".5 s", 0, 0, SECOND / 2),
            ("P1DT2H", 0, 1, 2 * HOUR),
            ("P1Y2M3DT4H5M6.5S", 14, 3, 4 * HOUR + 306 * SECOND + SECOND / 2),
            ("PT-1H", 0, 0, -HOUR),
            ("P2W", 0, 14, 0),
            ("0", 0, 0, 0),
        ] {
            let expected = IntervalMonthDayNano::new(months, days, nanoseconds);
            assert_eq!(parse(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_not_an_interval_is_none() {
        for text in [
            "",
            "ago",
            "day",
            "1 fortnight",
            "1 2",
            "1:60",
            "1:2:3:4",
            "P",
            "PT",
            "P1",
            "P1X",
            "1.2.3",
            "99999999999 years",
            "1-12",
            "1 day;",
            "--1 day",
            "PT1D",
            "é",
            "1 é",
            "1:-2",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
