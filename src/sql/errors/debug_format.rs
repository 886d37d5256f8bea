//! Parses errors that the engine keeps only in Rust's debug format.
//!
//! A predicate evaluated during a Parquet scan keeps nothing else of its error
//! (`datafusion-datasource-parquet`, `row_filter.rs`, as of 55.2). Remove this once it keeps the
//! error as a source.

use arrow::error::ArrowError;
use datafusion::error::DataFusionError;

use super::error;
use crate::error::Fault;

/// Prefix of an error of a predicate evaluated during a scan.
pub const FILTER_PREFIX: &str = "Error evaluating filter predicate: ";

const FAULTS: [Fault; 20] = [
    Fault::Syntax,
    Fault::UnknownTable,
    Fault::UnknownColumn,
    Fault::AmbiguousColumn,
    Fault::DuplicateColumn,
    Fault::UnknownFunction,
    Fault::ReadOnly,
    Fault::Value,
    Fault::DivisionByZero,
    Fault::OutOfRange,
    Fault::Parameter,
    Fault::NotSupported,
    Fault::Grouping,
    Fault::Window,
    Fault::UnknownWindow,
    Fault::Position,
    Fault::SeveralRows,
    Fault::Limit,
    Fault::Power,
    Fault::Other,
];

/// Parses an error from its debug text; `None` for errors that no predicate raises.
pub fn parse(printed: &str) -> Option<DataFusionError> {
    Printed(printed).error()
}

struct Printed<'a>(&'a str);

impl<'a> Printed<'a> {
    fn error(&mut self) -> Option<DataFusionError> {
        use DataFusionError as E;
        let kind = self.name();
        self.skip("(")?;
        Some(match kind {
            "ArrowError" => E::ArrowError(Box::new(self.arrow()?), None),
            "External" => self.wrong()?,
            "Context" => {
                self.text()?;
                self.skip(", ")?;
                self.error()?
            }
            "Diagnostic" => {
                // The other fields are not needed.
                let (_, error) = self.0.split_once("}, ")?;
                Printed(error).error()?
            }
            "Collection" => {
                self.skip("[")?;
                self.error()?
            }
            "Shared" => self.error()?,
            "Execution" => E::Execution(self.text()?),
            "Plan" => E::Plan(self.text()?),
            "NotImplemented" => E::NotImplemented(self.text()?),
            "Internal" => E::Internal(self.text()?),
            "Configuration" => E::Configuration(self.text()?),
            "ResourcesExhausted" => E::ResourcesExhausted(self.text()?),
            _ => return None,
        })
    }

    fn arrow(&mut self) -> Option<ArrowError> {
        use ArrowError as A;
        let kind = self.name();
        if kind == "DivideByZero" {
            return Some(A::DivideByZero);
        }
        self.skip("(")?;
        Some(match kind {
            "ExternalError" => A::ExternalError(Box::new(self.external()?)),
            "ArithmeticOverflow" => A::ArithmeticOverflow(self.text()?),
            "CastError" => A::CastError(self.text()?),
            "ParseError" => A::ParseError(self.text()?),
            "InvalidArgumentError" => A::InvalidArgumentError(self.text()?),
            "NotYetImplemented" => A::NotYetImplemented(self.text()?),
            _ => A::ComputeError(self.text()?),
        })
    }

    /// An external error within Arrow's: a [`crate::error::QueryError`] or an error of the engine.
    fn external(&mut self) -> Option<DataFusionError> {
        match self.0.starts_with("QueryError") {
            true => self.wrong(),
            false => self.error(),
        }
    }

    fn wrong(&mut self) -> Option<DataFusionError> {
        self.skip("QueryError { fault: ")?;
        let name = self.name();
        let fault = FAULTS.into_iter().find(|fault| format!("{fault:?}") == name)?;
        self.skip(", sentence: ")?;
        Some(error(fault, self.text()?))
    }

    fn name(&mut self) -> &'a str {
        let end = self.0.find(|sign: char| !sign.is_ascii_alphanumeric()).unwrap_or(self.0.len());
        let (name, rest) = self.0.split_at(end);
        self.0 = rest;
        name
    }

    fn skip(&mut self, expected: &str) -> Option<()> {
        self.0 = self.0.strip_prefix(expected)?;
        Some(())
    }

    /// A quoted string with Rust's escapes.
    fn text(&mut self) -> Option<String> {
        let mut text = String::new();
        let mut signs = self.0.strip_prefix('"')?.chars();
        loop {
            let sign = match signs.next()? {
                '"' => break,
                '\\' => match signs.next()? {
                    'n' => '\n',
                    't' => '\t',
                    'r' => '\r',
                    '0' => '\0',
                    'u' => {
                        let (code, rest) = signs.as_str().strip_prefix('{')?.split_once('}')?;
                        signs = rest.chars();
                        char::from_u32(u32::from_str_radix(code, 16).ok()?)?
                    }
                    sign => sign,
                },
                sign => sign,
            };
            text.push(sign);
        }
        self.0 = signs.as_str();
        Some(text)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[track_caller]
    fn check(error: DataFusionError) {
        let read = parse(&format!("{error:?}")).unwrap_or_else(|| panic!("{error:?}"));
        assert_eq!(read.find_root().to_string(), error.find_root().to_string());
    }

    #[test]
    fn an_error_is_read_back_from_what_is_printed() {
        use ArrowError as A;
        use DataFusionError as E;
        let words = || "a \"b\"\n\u{1f}'c' é".to_owned();
        check(E::Execution(words()));
        check(E::Internal(words()));
        check(E::NotImplemented(words()));
        check(E::ResourcesExhausted(words()));
        check(E::Plan(words()).context("while \"filtering\""));
        check(E::Shared(Arc::new(E::Plan(words()))));
        check(E::Collection(vec![E::Plan(words()), E::Plan("b".into())]));
        for arrow in [
            A::DivideByZero,
            A::CastError(words()),
            A::ParseError(words()),
            A::ComputeError(words()),
            A::ArithmeticOverflow(words()),
            A::InvalidArgumentError(words()),
        ] {
            check(E::ArrowError(Box::new(arrow), Some(String::new())));
        }
        for fault in FAULTS {
            check(error(fault, words()));
        }
        assert!(parse("Nothing(\"of it\")").is_none());
        assert!(parse("Execution(\"never closed").is_none());
    }
}
