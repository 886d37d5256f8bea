//! Limit on the nesting depth of a statement, checked on its tokens before parsing.
//!
//! Parsing, planning and dropping a statement recurse over its tree with one stack frame per level,
//! and planning time grows faster than the tree. A chain like `a + b + c` is as deep as it is long.
//! The depth computed here is an upper bound of that of the tree. Lists, as of `IN` or `VALUES`, do
//! not add to it.

use datafusion::sql::sqlparser::dialect::{Dialect, GenericDialect, PostgreSqlDialect};
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};

use crate::error::{Error, Fault, QueryError, Result};

/// Maximum number of operators in one expression, or of queries combined by `UNION`, on the longest
/// path from the root.
pub const DEPTH_MAX: usize = 256;

/// Checks the nesting depth of a statement.
///
/// # Errors
/// Fails if the statement is deeper than `DEPTH_MAX`. Text that is not SQL passes; the parser
/// reports it.
pub fn check_depth(sql: &str) -> Result<()> {
    // The dialect of HTTP and Flight, and that of the PostgreSQL protocol.
    let dialects: [&dyn Dialect; 2] = [&GenericDialect {}, &PostgreSqlDialect {}];
    for dialect in dialects {
        let tokens = Tokenizer::new(dialect, sql).tokenize().unwrap_or_default();
        if depth(&tokens) > DEPTH_MAX {
            return Err(too_deep(&format!(
                "the statement is deeper than {DEPTH_MAX} operators or queries in one another, the \
                 limit"
            )));
        }
    }
    Ok(())
}

/// Error of a statement that passed [`check_depth`], but not what recursed over it.
pub fn stack_exceeded() -> Error {
    too_deep("the statement, or what it makes, nests too deeply")
}

fn too_deep(problem: &str) -> Error {
    let remedy = "use a list, as in IN (…) or VALUES, or several statements";
    Error::Query(QueryError::new(Fault::Other, format!("{problem}; {remedy}")))
}

fn depth(tokens: &[Token]) -> usize {
    let mut open = vec![Frame::default()];
    let mut last = TokenClass::Start;
    let mut dots = 0;
    let mut follows_interval = false;
    for token in tokens {
        let kind = match (kind(token), last) {
            (TokenClass::Nothing, _) => continue,
            // After an operator a word is an identifier, even if it is a keyword elsewhere.
            (
                TokenClass::Start | TokenClass::Open | TokenClass::Close,
                TokenClass::Operator | TokenClass::Or | TokenClass::And | TokenClass::Half,
            ) if matches!(token, Token::Word(_)) && !is_case(token) => TokenClass::Operand,
            (kind, _) => kind,
        };
        dots = match token {
            Token::Period => dots + 1,
            Token::Word(_) => dots,
            _ => 0,
        };
        let frame = open.last_mut();
        match (kind, frame) {
            (TokenClass::Open, frame) => {
                // A bracket after a value is a subscript, which is an operator.
                if let (Token::LBracket, Some(frame)) = (token, frame) {
                    frame.operators += 1;
                }
                open.push(Frame::default());
            }
            (TokenClass::Close, Some(frame))
                if matches!(token, Token::Word(_)) && !frame.is_case => {}
            (TokenClass::Close, _) => {
                let within = open.pop().map_or(0, Frame::depth) + 1;
                match open.last_mut() {
                    Some(frame) => frame.within = frame.within.max(within),
                    None => open.push(Frame { deepest: within, ..Frame::default() }),
                }
            }
            (TokenClass::Operator, Some(frame)) => frame.operators += 1,
            (TokenClass::And, Some(frame)) => frame.and(),
            (TokenClass::Or, Some(frame)) => frame.or(),
            (TokenClass::Query, Some(frame)) => frame.queries += 1,
            (TokenClass::Start, Some(frame)) => frame.start(),
            // Nested fields of a column.
            (_, Some(frame)) if dots > 3 && matches!(token, Token::Period) => frame.operators += 1,
            _ => {}
        }
        if let (true, Some(frame)) = (kind == TokenClass::Open && is_case(token), open.last_mut()) {
            frame.is_case = true;
        }
        // The value of an interval is usually a literal; an expression there is one level deeper.
        if let (true, Token::Word(_), Some(frame)) = (follows_interval, token, open.last_mut()) {
            frame.operators += 1;
        }
        follows_interval = is_interval(token);
        last = kind;
    }
    open.into_iter().map(Frame::depth).sum()
}

/// Class of a token for the depth computation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TokenClass {
    Operand,
    Operator,
    And,
    Or,
    /// Combines queries or tables.
    Query,
    /// Starts a new expression.
    Start,
    Open,
    Close,
    /// First of two words, as in `DISTINCT FROM` and `WITHIN GROUP`.
    Half,
    Nothing,
}

fn is_case(token: &Token) -> bool {
    matches!(token, Token::Word(word) if word.keyword == Keyword::CASE)
}

fn is_interval(token: &Token) -> bool {
    matches!(token, Token::Word(word) if word.keyword == Keyword::INTERVAL)
}

fn kind(token: &Token) -> TokenClass {
    match token {
        Token::EOF | Token::Whitespace(_) => TokenClass::Nothing,
        Token::LParen | Token::LBracket | Token::LBrace => TokenClass::Open,
        Token::RParen | Token::RBracket | Token::RBrace => TokenClass::Close,
        Token::Comma | Token::SemiColon => TokenClass::Start,
        Token::Word(word) => match word.keyword {
            Keyword::AND => TokenClass::And,
            Keyword::OR | Keyword::XOR => TokenClass::Or,
            Keyword::UNION
            | Keyword::INTERSECT
            | Keyword::EXCEPT
            | Keyword::MINUS
            | Keyword::JOIN
            | Keyword::APPLY
            | Keyword::EXPLAIN => TokenClass::Query,
            Keyword::SELECT
            | Keyword::FROM
            | Keyword::WHERE
            | Keyword::GROUP
            | Keyword::HAVING
            | Keyword::ORDER
            | Keyword::LIMIT
            | Keyword::OFFSET
            | Keyword::ON
            | Keyword::WHEN
            | Keyword::THEN
            | Keyword::ELSE => TokenClass::Start,
            Keyword::CASE => TokenClass::Open,
            Keyword::END => TokenClass::Close,
            Keyword::DISTINCT | Keyword::WITHIN => TokenClass::Half,
            Keyword::NOT
            | Keyword::IS
            | Keyword::IN
            | Keyword::LIKE
            | Keyword::ILIKE
            | Keyword::RLIKE
            | Keyword::REGEXP
            | Keyword::SIMILAR
            | Keyword::TO
            | Keyword::ESCAPE
            | Keyword::BETWEEN
            | Keyword::AT
            | Keyword::TIME
            | Keyword::ZONE
            | Keyword::COLLATE
            | Keyword::DIV
            | Keyword::OVERLAPS => TokenClass::Operator,
            _ => TokenClass::Operand,
        },
        Token::Number(..) | Token::Char(_) | Token::Placeholder(_) | Token::Period => {
            TokenClass::Operand
        }
        text if is_text(text) => TokenClass::Operand,
        _ => TokenClass::Operator,
    }
}

fn is_text(token: &Token) -> bool {
    matches!(
        token,
        Token::SingleQuotedString(_)
            | Token::DoubleQuotedString(_)
            | Token::DollarQuotedString(_)
            | Token::NationalStringLiteral(_)
            | Token::EscapedStringLiteral(_)
            | Token::UnicodeStringLiteral(_)
            | Token::HexStringLiteral(_)
    )
}

/// State of one pair of parentheses. An operand of `OR` is a chain of `AND`, and an operand of
/// `AND` is a chain of the other operators.
#[derive(Clone, Copy, Debug, Default)]
struct Frame {
    is_case: bool,
    queries: usize,
    ors: usize,
    ands: usize,
    operators: usize,
    /// Depth of the deepest parenthesised pair within the operand.
    within: usize,
    /// Depth of the deepest operand of the `AND` chain, and of the `OR` chain.
    of_and: usize,
    of_or: usize,
    /// Depth of the deepest earlier expression.
    deepest: usize,
}

impl Frame {
    fn and(&mut self) {
        self.of_and = self.of_and.max(self.operators + self.within);
        (self.operators, self.within) = (0, 0);
        self.ands += 1;
    }

    fn or(&mut self) {
        self.and();
        self.of_or = self.of_or.max(self.ands - 1 + self.of_and);
        (self.ands, self.of_and) = (0, 0);
        self.ors += 1;
    }

    fn start(&mut self) {
        self.or();
        self.deepest = self.deepest.max(self.ors - 1 + self.of_or);
        (self.ors, self.of_or) = (0, 0);
    }

    fn depth(mut self) -> usize {
        self.start();
        self.queries + self.deepest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(sql: &str, expected: usize) {
        let tokens = Tokenizer::new(&GenericDialect {}, sql).tokenize().unwrap();
        assert_eq!(depth(&tokens), expected, "{sql}");
    }

    #[test]
    fn an_expression_is_as_deep_as_its_longest_chain() {
        check("SELECT 1", 0);
        check("SELECT 1 + 2 - 3, 4 * 5", 2);
        check("SELECT a FROM t WHERE a = 1 OR a = 2 OR a = 3", 3);
        check("SELECT a FROM t WHERE a = 1 AND b = 2 OR c = 3 AND d = 4", 3);
        check("SELECT (1 + (2 + 3)) * 4", 5);
        check("SELECT a::int::text IS NULL", 3);
        check("SELECT a[1][2][3]", 4);
        check("SELECT - - - 1, NOT NOT true", 3);
        check("SELECT a.b.c.d, a.b.c.d.e.f", 2);
        check("SELECT INTERVAL '1 day' + INTERVAL '2 days'", 1);
        check("SELECT INTERVAL INTERVAL INTERVAL '1'", 2);
        check("SELECT INTERVAL CASE WHEN a THEN '1' END DAY", 2);
    }

    #[test]
    fn lists_are_flat() {
        check("SELECT a FROM t WHERE a IN (1, 2, 3, 4, 5, 6)", 2);
        check("VALUES (1, -2), (3, -4)", 2);
        check("SELECT CASE WHEN a = 1 THEN 2 + 3 WHEN a = 2 THEN 3 + 4 ELSE 5 + 6 END", 2);
        check("SELECT CASE WHEN a = 1 THEN 2 ELSE CASE WHEN a = 2 THEN 3 END END + 1", 4);
    }

    #[test]
    fn queries_within_and_beside_one_another_count() {
        check("SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3", 2);
        check("SELECT a FROM (SELECT a + 1 FROM (SELECT 1 AS a))", 2);
        check("SELECT 1 FROM a JOIN b ON a.x = b.x JOIN c ON b.y = c.y", 3);
        check("EXPLAIN ANALYZE EXPLAIN VERBOSE SELECT 1 + 2", 3);
    }

    #[test]
    fn a_word_that_is_an_operand_begins_nothing() {
        check("SELECT when + when + when + when", 3);
        check("SELECT a + end + end + select + from + where", 5);
        check("SELECT limit AND limit AND limit AND limit", 3);
        check("SELECT a AT TIME ZONE when AT TIME ZONE when", 6);
        check("SELECT 1 IS DISTINCT FROM 2 IS DISTINCT FROM 3", 2);
        check("SELECT f(1) WITHIN GROUP (ORDER BY a) + f(2) WITHIN GROUP (ORDER BY a) + 1", 3);
        check("SELECT (a + b) end + (c + d) end + 1", 4);
    }
}
