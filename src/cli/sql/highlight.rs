//! Syntax highlighting of the statement being typed.

use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Token, Whitespace};
use reedline::{DefaultPrompt, Highlighter, Prompt, StyledText};

use super::statement_reader::tokens;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenStyle {
    Plain,
    Keyword,
    Text,
    Comment,
    /// Text that cannot be tokenized, such as an unterminated quote.
    Unterminated,
}

/// Splits the text into parts with their styles, in order; nothing is left out.
pub fn styles(text: &str) -> Vec<(TokenStyle, &str)> {
    if text.trim_start().starts_with(['.', '\\']) {
        return vec![(TokenStyle::Keyword, text)];
    }
    let found = tokens(text);
    let end = found.last().map_or(0, |(_, _, end)| *end);
    let mut styles: Vec<_> =
        found.iter().map(|(token, start, end)| (style(token), &text[*start..*end])).collect();
    if end < text.len() {
        styles.push((TokenStyle::Unterminated, &text[end..]));
    }
    styles
}

fn style(token: &Token) -> TokenStyle {
    match token {
        Token::Word(word) if word.quote_style.is_none() && is_highlighted(word.keyword) => {
            TokenStyle::Keyword
        }
        Token::SingleQuotedString(_)
        | Token::DollarQuotedString(_)
        | Token::EscapedStringLiteral(_) => TokenStyle::Text,
        Token::Whitespace(
            Whitespace::SingleLineComment { .. } | Whitespace::MultiLineComment(_),
        ) => TokenStyle::Comment,
        _ => TokenStyle::Plain,
    }
}

/// Returns true for keywords to highlight. The tokenizer knows every dialect's keywords; those that
/// can also name a column are excluded.
fn is_highlighted(keyword: Keyword) -> bool {
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

pub struct SqlHighlighter;

impl Highlighter for SqlHighlighter {
    fn highlight(&self, line: &str, _: usize) -> StyledText {
        let mut styled = StyledText::new();
        for (token_style, part) in styles(line) {
            styled.push((Default::default(), part.to_owned()));
            let Some((style, _)) = styled.buffer.last_mut() else { continue };
            match token_style {
                TokenStyle::Plain => {}
                TokenStyle::Keyword => {
                    style.is_bold = true;
                    style.foreground = Some(DefaultPrompt::default().get_prompt_multiline_color());
                }
                TokenStyle::Text => style.is_italic = true,
                TokenStyle::Comment => style.is_dimmed = true,
                TokenStyle::Unterminated => style.is_underline = true,
            }
        }
        styled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[(TokenStyle, &str)]) {
        let styles = styles(text);
        let styled: Vec<_> =
            styles.iter().filter(|(style, _)| *style != TokenStyle::Plain).copied().collect();
        assert_eq!(styled, expected);
        // Highlighting never loses text.
        assert_eq!(styles.iter().map(|(_, part)| *part).collect::<String>(), text);
    }

    #[test]
    fn each_part_has_its_style() {
        use TokenStyle::{Comment, Keyword, Text, Unterminated};
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
        check("SELECT 'it", &[(Keyword, "SELECT"), (Unterminated, "'it")]);
        check(".tables", &[(Keyword, ".tables")]);
        check("/* ß", &[(Unterminated, "/* ß")]);
        check("", &[]);
    }
}
