//! SQL names for Arrow types, and for those and constants in the engine's messages.

use arrow::datatypes::DataType;

/// Name of a type in PostgreSQL: of the type in which its clients receive the values.
pub fn type_name(of: &DataType) -> String {
    match of {
        DataType::Null => "unknown".to_owned(),
        DataType::Int8 | DataType::UInt8 => type_name(&DataType::Int16),
        DataType::UInt16 => type_name(&DataType::Int32),
        DataType::UInt32 => type_name(&DataType::Int64),
        DataType::UInt64 => "numeric".to_owned(),
        DataType::Timestamp(_, None) => "timestamp without time zone".to_owned(),
        DataType::Time32(_) | DataType::Time64(_) => "time without time zone".to_owned(),
        DataType::Dictionary(_, values) => type_name(values),
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::ListView(item)
        | DataType::LargeListView(item)
        | DataType::FixedSizeList(item, _) => {
            // Lists of lists have the type of lists.
            format!("{}[]", type_name(item.data_type()).trim_end_matches("[]"))
        }
        _ => in_sql(&of.to_string()),
    }
}

/// Replaces Arrow's names by SQL names: `Int64` by `bigint`, the constant `Int64(1)` by `1`. Quoted
/// text is left unchanged.
pub fn in_sql(words: &str) -> String {
    let mut said = String::new();
    let mut rest = words;
    let mut before = ' ';
    while let Some(sign) = rest.chars().next() {
        let opens = matches!(sign, '"' | '\'') && !before.is_alphanumeric();
        let taken = if opens {
            let (quoted, after) = rest.split_at(quoted_len(rest));
            said.push_str(quoted);
            rest = after;
            quoted.chars().next_back().unwrap_or(sign)
        } else if sign.is_ascii_alphabetic() && !(before.is_alphanumeric() || before == '_') {
            let (name, after) = word(rest);
            let (arguments, behind) = in_parentheses(after).unzip();
            match named(name, arguments) {
                Some(named) => {
                    said.push_str(&named);
                    rest = behind.unwrap_or(after);
                }
                None => {
                    said.push_str(name);
                    rest = after;
                }
            }
            'x'
        } else {
            said.push(sign);
            rest = &rest[sign.len_utf8()..];
            sign
        };
        before = taken;
    }
    said
}

/// Removes quoted text.
pub fn unquoted(words: &str) -> String {
    let mut left = String::new();
    let mut rest = words;
    while let Some(sign) = rest.chars().next() {
        let is_within = left.chars().next_back().is_some_and(char::is_alphanumeric);
        let len = match sign {
            '"' | '\'' if !is_within => quoted_len(rest),
            _ => {
                left.push(sign);
                sign.len_utf8()
            }
        };
        rest = &rest[len..];
    }
    left
}

/// Number of bytes from an opening quote through its closing one, or to the end.
fn quoted_len(words: &str) -> usize {
    let mut signs = words.char_indices();
    let quote = signs.next().map(|(_, quote)| quote);
    while let Some((at, sign)) = signs.next() {
        match sign {
            '\\' => drop(signs.next()),
            sign if Some(sign) == quote => return at + sign.len_utf8(),
            _ => {}
        }
    }
    words.len()
}

fn word(words: &str) -> (&str, &str) {
    let end = words.find(|sign: char| !(sign.is_ascii_alphanumeric() || sign == '_'));
    words.split_at(end.unwrap_or(words.len()))
}

/// Splits off a leading parenthesised text; returns its content and the rest.
fn in_parentheses(words: &str) -> Option<(&str, &str)> {
    if !words.starts_with('(') {
        return None;
    }
    let mut open = 0_usize;
    let mut at = 0;
    while let Some(sign) = words[at..].chars().next() {
        match sign {
            '(' => open += 1,
            ')' => open -= 1,
            '"' | '\'' if open > 0 => {
                at += quoted_len(&words[at..]);
                continue;
            }
            _ => {}
        }
        if open == 0 {
            return Some((&words[1..at], &words[at + 1..]));
        }
        at += sign.len_utf8();
    }
    None
}

/// SQL name of an Arrow type; for a constant with a value in parentheses, the value.
fn named(name: &str, arguments: Option<&str>) -> Option<String> {
    let name = match name {
        "Utf8" | "LargeUtf8" | "Utf8View" | "String" => match arguments {
            Some(value) => return Some(format!("'{}'", value.trim_matches('"'))),
            None => "text",
        },
        "Boolean" => return Some(arguments.unwrap_or("boolean").to_owned()),
        "Int8" => return Some(arguments.unwrap_or("tinyint").to_owned()),
        "Int16" => return Some(arguments.unwrap_or("smallint").to_owned()),
        "Int32" => return Some(arguments.unwrap_or("integer").to_owned()),
        "Int64" => return Some(arguments.unwrap_or("bigint").to_owned()),
        "UInt8" => return Some(arguments.unwrap_or("unsigned tinyint").to_owned()),
        "UInt16" => return Some(arguments.unwrap_or("unsigned smallint").to_owned()),
        "UInt32" => return Some(arguments.unwrap_or("unsigned integer").to_owned()),
        "UInt64" => return Some(arguments.unwrap_or("unsigned bigint").to_owned()),
        "Float16" | "Float32" => return Some(arguments.unwrap_or("real").to_owned()),
        "Float64" => return Some(arguments.unwrap_or("double precision").to_owned()),
        "Date32" | "Date64" => "date",
        "Time32" | "Time64" => "time",
        "Timestamp" => match arguments.and_then(|arguments| arguments.split_once(',')) {
            Some((_, zone)) if zone.trim() != "None" => "timestamp with time zone",
            _ => "timestamp",
        },
        "Interval"
        | "Duration"
        | "IntervalMonthDayNano"
        | "IntervalDayTime"
        | "IntervalYearMonth" => "interval",
        "Decimal" | "Decimal32" | "Decimal64" | "Decimal128" | "Decimal256" => "numeric",
        "Binary" | "LargeBinary" | "BinaryView" | "FixedSizeBinary" => "bytea",
        "List" | "LargeList" | "FixedSizeList" | "ListView" | "LargeListView" => {
            let item = arguments.map(|item| item.strip_prefix("non-null ").unwrap_or(item));
            let item = item.filter(|item| !item.starts_with("Field"))?;
            let end = top_comma(item).unwrap_or(item.len());
            return Some(format!("{}[]", in_sql(&item[..end])));
        }
        "Dictionary" => {
            let arguments = arguments?;
            return Some(in_sql(arguments[top_comma(arguments)? + 1..].trim()));
        }
        "Struct" if arguments.is_some() => "record",
        "Integer" => "integer",
        "Numeric" => "a number",
        _ if name.starts_with("Timestamp") && arguments.is_some() => "timestamp",
        _ => return None,
    };
    Some(name.to_owned())
}

/// Byte position of the first comma outside parentheses.
fn top_comma(words: &str) -> Option<usize> {
    let mut open = 0_i32;
    words.char_indices().find_map(|(at, sign)| {
        open += i32::from(sign == '(') - i32::from(sign == ')');
        (sign == ',' && open == 0).then_some(at)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(words: &str, expected: &str) {
        assert_eq!(in_sql(words), expected);
    }

    #[test]
    fn types_have_the_names_of_sql() {
        check("Utf8 + Int64", "text + bigint");
        check("Timestamp(µs, \"UTC\") > Timestamp(ns)", "timestamp with time zone > timestamp");
        check("Timestamp(Nanosecond, Some(\"UTC\"))", "timestamp with time zone");
        check("Timestamp(Nanosecond, None)", "timestamp");
        check("Interval(MonthDayNano), Duration(ns)", "interval, interval");
        check("List(Int64), List(non-null List(Utf8))", "bigint[], text[][]");
        check("Decimal128(20, 0) or Date32.", "numeric or date.");
        check("Dictionary(Int32, Utf8View)", "text");
        check("'Int64' and \"Utf8\" don't change", "'Int64' and \"Utf8\" don't change");
        check("max(Int64), my_Int64", "max(bigint), my_Int64");
    }

    #[test]
    fn types_of_values_have_the_names_of_postgres() {
        use arrow::datatypes::{Field, IntervalUnit, TimeUnit};
        let list = |of: DataType| DataType::new_list(of, true);
        for (of, expected) in [
            (DataType::Null, "unknown"),
            (DataType::Boolean, "boolean"),
            (DataType::Int32, "integer"),
            (DataType::Int64, "bigint"),
            (DataType::UInt32, "bigint"),
            (DataType::Float64, "double precision"),
            (DataType::Decimal128(10, 2), "numeric"),
            (DataType::Utf8View, "text"),
            (DataType::Date32, "date"),
            (DataType::Timestamp(TimeUnit::Microsecond, None), "timestamp without time zone"),
            (
                DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
                "timestamp with time zone",
            ),
            (DataType::Time64(TimeUnit::Nanosecond), "time without time zone"),
            (DataType::Interval(IntervalUnit::MonthDayNano), "interval"),
            (DataType::Duration(TimeUnit::Microsecond), "interval"),
            (DataType::Binary, "bytea"),
            (list(list(DataType::Int64)), "bigint[]"),
            (list(DataType::Timestamp(TimeUnit::Second, None)), "timestamp without time zone[]"),
            (DataType::Struct(vec![Field::new("a", DataType::Int64, true)].into()), "record"),
        ] {
            assert_eq!(type_name(&of), expected, "{of}");
        }
    }

    #[test]
    fn constants_are_their_values() {
        check("count(Int64(1)) > Float64(0.5)", "count(1) > 0.5");
        check("concat(Utf8(\"a)b\"),Boolean(true))", "concat('a)b',true)");
    }

    #[test]
    fn what_is_in_quotes_is_left_out() {
        assert_eq!(unquoted("there isn't 'a {x}' in \"b\\\"c\" or 'open"), "there isn't  in  or ");
    }
}
