//! What a statement looks like while it is typed.

use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Token, Whitespace};
use reedline::{DefaultPrompt, Highlighter, Prompt, StyledText};

use super::input::tokens;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    Plain,
    Keyword,
    Text,
    Comment,
    /// What is no part of a statement, as a quote that nothing closes.
    Open,
}

/// The parts of the text in their order, each as it should look.
pub fn looks(text: &str) -> Vec<(Look, &str)> {
    if text.trim_start().starts_with(['.', '\\']) {
        return vec![(Look::Keyword, text)];
    }
    let found = tokens(text);
    let end = found.last().map_or(0, |(_, _, end)| *end);
    let mut looks: Vec<_> =
        found.iter().map(|(token, start, end)| (look(token), &text[*start..*end])).collect();
    if end < text.len() {
        looks.push((Look::Open, &text[end..]));
    }
    looks
}

fn look(token: &Token) -> Look {
    match token {
        Token::Word(word) if word.quote_style.is_none() && is_spoken(word.keyword) => Look::Keyword,
        Token::SingleQuotedString(_)
        | Token::DollarQuotedString(_)
        | Token::EscapedStringLiteral(_) => Look::Text,
        Token::Whitespace(
            Whitespace::SingleLineComment { .. } | Whitespace::MultiLineComment(_),
        ) => Look::Comment,
        _ => Look::Plain,
    }
}

/// The tokenizer knows every dialect's keywords; those that may as well name a column are none here.
fn is_spoken(keyword: Keyword) -> bool {
    use datafusion::sql::sqlparser::keywords::{
        RESERVED_FOR_COLUMN_ALIAS, RESERVED_FOR_TABLE_ALIAS,
    };
    const MORE: [Keyword; 20] = [
        Keyword::ALL,
        Keyword::AND,
        Keyword::AS,
        Keyword::ASC,
        Keyword::BETWEEN,
        Keyword::BY,
        Keyword::CASE,
        Keyword::CAST,
        Keyword::DESC,
        Keyword::DISTINCT,
        Keyword::ELSE,
        Keyword::EXPLAIN,
        Keyword::IN,
        Keyword::INTERVAL,
        Keyword::IS,
        Keyword::LIKE,
        Keyword::NOT,
        Keyword::NULL,
        Keyword::OR,
        Keyword::THEN,
    ];
    RESERVED_FOR_COLUMN_ALIAS.contains(&keyword)
        || RESERVED_FOR_TABLE_ALIAS.contains(&keyword)
        || MORE.contains(&keyword)
}

pub struct Sql;

impl Highlighter for Sql {
    fn highlight(&self, line: &str, _: usize) -> StyledText {
        let mut styled = StyledText::new();
        for (look, part) in looks(line) {
            styled.push((Default::default(), part.to_owned()));
            let Some((style, _)) = styled.buffer.last_mut() else { continue };
            match look {
                Look::Plain => {}
                Look::Keyword => {
                    style.is_bold = true;
                    style.foreground = Some(DefaultPrompt::default().get_prompt_multiline_color());
                }
                Look::Text => style.is_italic = true,
                Look::Comment => style.is_dimmed = true,
                Look::Open => style.is_underline = true,
            }
        }
        styled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[(Look, &str)]) {
        let looks = looks(text);
        let told: Vec<_> = looks.iter().filter(|(look, _)| *look != Look::Plain).copied().collect();
        assert_eq!(told, expected);
        // Whatever is typed, nothing of it goes.
        assert_eq!(looks.iter().map(|(_, part)| *part).collect::<String>(), text);
    }

    #[test]
    fn each_part_looks_like_what_it_is() {
        use Look::{Comment, Keyword, Open, Text};
        check(
            "SELECT status, 'é' FROM \"from\" -- polls\nwhere x",
            &[
                (Keyword, "SELECT"),
                (Text, "'é'"),
                (Keyword, "FROM"),
                (Comment, "-- polls\n"),
                (Keyword, "where"),
            ],
        );
        check("SELECT 'it", &[(Keyword, "SELECT"), (Open, "'it")]);
        check(".tables", &[(Keyword, ".tables")]);
        check("/* ß", &[(Open, "/* ß")]);
        check("", &[]);
    }
}
