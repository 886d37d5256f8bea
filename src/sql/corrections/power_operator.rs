//! `a ^ b` is a power, with precedence over products, and `~a` inverts bits.
//!
//! The engine evaluates `^` as exclusive or, and its parser gives it lower precedence than a sum.
//! In statements with a power, unparenthesised arithmetic is regrouped by precedence.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, Ident, Select, SelectItem, Statement, UnaryOperator, VisitMut, VisitorMut,
};

use crate::sql::dialect::ast_nodes::{call, number};

pub fn rewrite(statement: &mut Statement) {
    let _ = statement.visit(&mut Powers);
}

struct Powers;

impl VisitorMut for Powers {
    type Break = ();

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        for item in &mut select.projection {
            // Keeps the name of the original text after the rewrite.
            if let SelectItem::UnnamedExpr(expr) = item
                && has_power(expr)
            {
                let alias = Ident::with_quote('"', expr.to_string());
                *item = SelectItem::ExprWithAlias { expr: expr.clone(), alias };
            }
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if has_power(expr) {
            let taken = std::mem::replace(expr, number(0));
            *expr = regroup(taken);
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        let meant = match expr {
            Expr::BinaryOp { left, op, right } if is_power(op) => {
                call("power", [(**left).clone(), (**right).clone()])
            }
            Expr::UnaryOp { op: UnaryOperator::BitwiseNot, expr } => Expr::BinaryOp {
                left: Box::new(Expr::UnaryOp {
                    op: UnaryOperator::Minus,
                    expr: Box::new(number(1)),
                }),
                op: BinaryOperator::PGBitwiseXor,
                right: expr.clone(),
            },
            _ => return ControlFlow::Continue(()),
        };
        *expr = meant;
        ControlFlow::Continue(())
    }
}

fn is_power(op: &BinaryOperator) -> bool {
    matches!(op, BinaryOperator::BitwiseXor | BinaryOperator::PGExp)
}

/// Precedence of an arithmetic operator; `None` for others.
fn precedence(op: &BinaryOperator) -> Option<u8> {
    use BinaryOperator::{BitwiseAnd, Divide, Minus, Modulo, Multiply, Plus};
    Some(match op {
        op if is_power(op) => 4,
        Multiply | Divide | Modulo => 3,
        Plus | Minus => 2,
        BitwiseAnd => 1,
        _ => return None,
    })
}

/// Returns whether the unparenthesised arithmetic starting here has a power.
fn has_power(expr: &Expr) -> bool {
    let mut parts = vec![expr];
    while let Some(part) = parts.pop() {
        match part {
            Expr::BinaryOp { op, .. } if is_power(op) => return true,
            Expr::BinaryOp { left, op, right } if precedence(op).is_some() => {
                parts.extend([&**left, &**right]);
            }
            Expr::UnaryOp { op: UnaryOperator::Minus, expr } => parts.push(expr),
            _ => {}
        }
    }
    false
}

/// Regroups operands and operators by precedence, left-associatively.
fn regroup(expr: Expr) -> Expr {
    let (mut operands, mut operators) = (Vec::new(), Vec::new());
    flatten(expr, &mut operands, &mut operators);
    let mut operands = operands.into_iter();
    let mut done: Vec<Expr> = operands.next().into_iter().collect();
    let mut open: Vec<BinaryOperator> = Vec::new();
    for (op, operand) in operators.into_iter().zip(operands) {
        while open.last().is_some_and(|last| precedence(last) >= precedence(&op)) {
            close(&mut done, &mut open);
        }
        open.push(op);
        done.push(operand);
    }
    while !open.is_empty() {
        close(&mut done, &mut open);
    }
    done.pop().unwrap_or_else(|| number(0))
}

fn close(done: &mut Vec<Expr>, open: &mut Vec<BinaryOperator>) {
    if let (Some(right), Some(left), Some(op)) = (done.pop(), done.pop(), open.pop()) {
        let (left, right) = (Box::new(left), Box::new(right));
        done.push(Expr::BinaryOp { left, op, right });
    }
}

/// Operands and operators in textual order. A sign belongs to the first operand after it.
fn flatten(expr: Expr, operands: &mut Vec<Expr>, operators: &mut Vec<BinaryOperator>) {
    match expr {
        Expr::BinaryOp { left, op, right } if precedence(&op).is_some() => {
            flatten(*left, operands, operators);
            operators.push(op);
            flatten(*right, operands, operators);
        }
        Expr::UnaryOp { op: UnaryOperator::Minus, expr } if has_power(&expr) => {
            let first = operands.len();
            flatten(*expr, operands, operators);
            let operand = std::mem::replace(&mut operands[first], number(0));
            operands[first] = Expr::UnaryOp { op: UnaryOperator::Minus, expr: Box::new(operand) };
        }
        expr => operands.push(expr),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::corrections::tests::uncorrected::answer;
    use datafusion::sql::sqlparser::dialect::{Dialect, GenericDialect, PostgreSqlDialect};
    use datafusion::sql::sqlparser::parser::Parser;

    #[track_caller]
    fn check(said: &str, meant: &str) {
        let dialects: [&dyn Dialect; 2] = [&GenericDialect {}, &PostgreSqlDialect {}];
        for dialect in dialects {
            let said = format!("SELECT {said} AS x");
            let mut statement = Parser::parse_sql(dialect, &said).unwrap().remove(0);
            rewrite(&mut statement);
            assert_eq!(statement.to_string(), format!("SELECT {meant} AS x"), "{dialect:?}");
        }
    }

    #[test]
    fn a_power_binds_more_tightly_than_a_product() {
        check("2 ^ 3", "power(2, 3)");
        check("2 * 3 ^ 2", "2 * power(3, 2)");
        check("2 ^ 3 * 4 + 1", "power(2, 3) * 4 + 1");
        check("2 ^ 3 ^ 2", "power(power(2, 3), 2)");
        check("(2 * 3) ^ 2", "power((2 * 3), 2)");
        check("-2 ^ 2", "power(-2, 2)");
        check("2 ^ -1", "power(2, -1)");
        check("1 - 2 ^ 2 - 1 = a ^ b AND c", "1 - power(2, 2) - 1 = power(a, b) AND c");
        check("f(1 + 2 ^ x)", "f(1 + power(2, x))");
        check("1 - 2 - 3", "1 - 2 - 3");
    }

    #[test]
    fn the_engine_still_takes_a_power_for_exclusive_or() {
        assert_eq!(answer("SELECT 2 ^ 3").as_deref(), Ok("1"));
    }
}
