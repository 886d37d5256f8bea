//! Array literals of PostgreSQL: `{a,"b, c",NULL}`.

use arrow::datatypes::DataType;
use datafusion::error::Result;
use datafusion::scalar::ScalarValue;

use super::errors;
use crate::error::Fault;

/// Maximum number of dimensions; the limit of PostgreSQL.
const DEPTH_MAX: usize = 6;

/// An element as parsed: a text, null or a nested array.
#[derive(Debug, PartialEq)]
pub enum Item {
    Null,
    Text(String),
    List(Vec<Item>),
}

/// Parses an array literal into its elements.
///
/// # Errors
/// Fails if the text is not an array literal.
pub fn parse(written: &str) -> Result<Vec<Item>> {
    let mut rest = Rest(written.trim());
    let items = rest.list(1).filter(|items| rest.0.is_empty() && is_regular(items));
    items.ok_or_else(|| {
        let sentence = format!("{written:?} is not an array like '{{a,b}}'");
        errors::error(Fault::Value, sentence)
    })
}

/// Parses an array literal into a list of texts.
///
/// # Errors
/// Fails if the text is not an array literal, or is nested.
pub fn parse_texts(written: &str) -> Result<ScalarValue> {
    let texts = parse(written)?.into_iter().map(|item| match item {
        Item::Null => Ok(ScalarValue::Utf8(None)),
        Item::Text(text) => Ok(ScalarValue::Utf8(Some(text))),
        Item::List(_) => {
            let sentence = format!("{written:?} has arrays within it; expected ARRAY[ARRAY[…]]");
            Err(errors::error(Fault::NotSupported, sentence))
        }
    });
    let texts = texts.collect::<Result<Vec<_>>>()?;
    Ok(ScalarValue::List(ScalarValue::new_list(&texts, &DataType::Utf8, true)))
}

/// Returns whether all nested lists have the same shape.
fn is_regular(items: &[Item]) -> bool {
    let shape = |item: &Item| match item {
        Item::List(items) => Some(items.len()),
        _ => None,
    };
    let is_alike = items.windows(2).all(|pair| shape(&pair[0]) == shape(&pair[1]));
    is_alike
        && items.iter().all(|item| match item {
            Item::List(items) => is_regular(items),
            _ => true,
        })
}

/// Unparsed remainder of the literal.
struct Rest<'a>(&'a str);

impl Rest<'_> {
    fn list(&mut self, deep: usize) -> Option<Vec<Item>> {
        self.0 = self.0.strip_prefix('{')?.trim_start();
        let mut items = Vec::new();
        if let Some(rest) = self.0.strip_prefix('}') {
            self.0 = rest.trim_start();
            return Some(items);
        }
        loop {
            items.push(match self.0.chars().next()? {
                '{' if deep < DEPTH_MAX => Item::List(self.list(deep + 1)?),
                '"' => Item::Text(self.quoted()?),
                _ => self.bare()?,
            });
            self.0 = self.0.trim_start();
            match self.0.chars().next()? {
                ',' => self.0 = self.0[1..].trim_start(),
                '}' => break,
                _ => return None,
            }
        }
        self.0 = self.0[1..].trim_start();
        Some(items)
    }

    fn quoted(&mut self) -> Option<String> {
        let mut value = String::new();
        let mut signs = self.0[1..].chars();
        loop {
            match signs.next()? {
                '"' => break,
                '\\' => value.push(signs.next()?),
                sign => value.push(sign),
            }
        }
        self.0 = signs.as_str();
        Some(value)
    }

    fn bare(&mut self) -> Option<Item> {
        let mut value = String::new();
        let mut is_escaped = false;
        let mut signs = self.0.chars();
        loop {
            let rest = signs.as_str();
            match signs.next()? {
                ',' | '}' => {
                    self.0 = rest;
                    break;
                }
                '"' | '{' => return None,
                '\\' => {
                    is_escaped = true;
                    value.push(signs.next()?);
                }
                sign => value.push(sign),
            }
        }
        let value = value.trim_end();
        match value {
            "" => None,
            value if !is_escaped && value.eq_ignore_ascii_case("null") => Some(Item::Null),
            value => Some(Item::Text(value.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_are_read_as_postgres_writes_them() {
        let text = |text: &str| Item::Text(text.to_owned());
        for (written, items) in [
            ("{a, \"b \\\" c\",NULL}", vec![text("a"), text("b \" c"), Item::Null]),
            (r#"{ "a" , b c }"#, vec![text("a"), text("b c")]),
            (r#"{"null",\ a,""}"#, vec![text("null"), text(" a"), text("")]),
            ("{{1},{2}}", vec![Item::List(vec![text("1")]), Item::List(vec![text("2")])]),
            ("{}", vec![]),
        ] {
            assert_eq!(parse(written).unwrap(), items, "{written}");
        }
        for written in ["{a,}", "{,a}", "{a\"b\"}", "{\"a", "{a", "{a}}", "a", "{{1},2}"] {
            assert!(parse(written).is_err(), "{written}");
        }
        assert!(parse_texts("{{1},{2}}").is_err());
    }
}
