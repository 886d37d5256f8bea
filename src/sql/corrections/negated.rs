//! The time between two instants has no negative: `-(a - b)` is refused. It is the time from the one to
//! the other, `b - a`, as it is of numbers.
//!
//! `datafusion-sql`, `expr/unary_op.rs`, as of 55.2.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, Statement, UnaryOperator, VisitMut as _, VisitorMut,
};

use super::listed::binary;

pub fn rewrite(statement: &mut Statement) {
    let _ = statement.visit(&mut Negated);
}

struct Negated;

impl VisitorMut for Negated {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::UnaryOp { op: UnaryOperator::Minus, expr: inner } = &*expr
            && let Some((left, right)) = difference(inner)
        {
            let swapped = binary(right.clone(), BinaryOperator::Minus, left.clone());
            *expr = Expr::Nested(Box::new(swapped));
        }
        ControlFlow::Continue(())
    }
}

fn difference(expr: &Expr) -> Option<(&Expr, &Expr)> {
    match expr {
        Expr::Nested(inner) => difference(inner),
        Expr::BinaryOp { left, op: BinaryOperator::Minus, right } => Some((left, right)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::engine::answer;
    use super::super::tests::{check, corrected};
    use super::*;

    const LENGTH: &str = "-(TIMESTAMP '2023-01-02' - TIMESTAMP '2023-01-01')";

    #[test]
    fn the_engine_still_has_no_negative_of_a_length() {
        assert!(answer(&format!("SELECT {LENGTH}")).is_err());
    }

    #[test]
    fn the_sides_are_swapped() {
        for (said, meant) in [
            ("SELECT -(a - b)", "SELECT (b - a)"),
            ("SELECT -(a - (b - c))", "SELECT ((b - c) - a)"),
            ("SELECT -a - b", "SELECT -a - b"),
            ("SELECT -(a + b)", "SELECT -(a + b)"),
        ] {
            check(
                |statement| {
                    rewrite(statement);
                    Ok(())
                },
                said,
                meant,
            );
        }
    }

    #[tokio::test]
    async fn a_length_has_a_negative() {
        let sql = format!("SELECT {LENGTH} = TIMESTAMP '2023-01-01' - TIMESTAMP '2023-01-02'");
        assert_eq!(corrected(&sql).await, "true");
        assert_eq!(corrected("SELECT -(2 - 5)").await, "3");
    }
}
