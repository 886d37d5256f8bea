//! Limit on the size of a statement after its common table expressions are inlined.
//!
//! A CTE may read two others, each of which reads two more: a short text whose plan grows
//! exponentially. The size is therefore computed before planning. Repeated expressions within a
//! query are not counted.

use std::collections::HashMap;
use std::ops::ControlFlow;

use datafusion::common::plan_err;
use datafusion::error::Result;
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{ObjectName, Query, Visit as _, Visitor};

use super::plan_size::STEPS_MAX;

/// Checks the size of a statement after inlining its CTEs.
///
/// # Errors
/// Fails if the statement would read more than [`STEPS_MAX`] relations.
pub fn check_expansion(statement: &Statement) -> Result<()> {
    let plain = match statement {
        Statement::Statement(plain) => plain,
        Statement::Explain(explained) => return check_expansion(&explained.statement),
        _ => return Ok(()),
    };
    let mut expansion = Expansion::default();
    match plain.visit(&mut expansion) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => {
            plan_err!("the query has more than {STEPS_MAX} steps once WITH is expanded, the limit")
        }
    }
}

#[derive(Default)]
struct Expansion {
    /// Number of relations that each named query reads, if known.
    named: HashMap<String, u64>,
    /// Queries named by `WITH`, keyed by address until they have been visited.
    names: HashMap<*const Query, String>,
    /// Queries being visited, innermost last.
    open: Vec<Open>,
}

#[derive(Default)]
struct Open {
    relations: u64,
    /// Outer meanings of the names that this query redefines.
    before: Vec<(String, Option<u64>)>,
}

impl Expansion {
    fn add(&mut self, relations: u64) -> ControlFlow<()> {
        let Some(open) = self.open.last_mut() else { return ControlFlow::Continue(()) };
        open.relations = open.relations.saturating_add(relations);
        if open.relations > STEPS_MAX as u64 {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }
}

impl Visitor for Expansion {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        let named = query.with.iter().flat_map(|with| &with.cte_tables);
        self.names.extend(
            named.map(|named| (&raw const *named.query, named.alias.name.value.to_lowercase())),
        );
        self.open.push(Open { relations: 1, ..Open::default() });
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        let Some(Open { relations, before }) = self.open.pop() else {
            return ControlFlow::Continue(());
        };
        for (name, relations) in before.into_iter().rev() {
            match relations {
                Some(relations) => drop(self.named.insert(name, relations)),
                None => drop(self.named.remove(&name)),
            }
        }
        let Some(name) = self.names.remove(&(&raw const *query)) else {
            return self.add(relations);
        };
        let before = self.named.insert(name.clone(), relations);
        if let Some(open) = self.open.last_mut() {
            open.before.push((name, before));
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_relation(&mut self, relation: &ObjectName) -> ControlFlow<()> {
        let name = match relation.0.as_slice() {
            [name] => name.as_ident(),
            _ => None,
        };
        let named = name.and_then(|name| self.named.get(&name.value.to_lowercase()));
        self.add(named.copied().unwrap_or(1))
    }
}

#[cfg(test)]
mod tests {
    use datafusion::sql::parser::DFParserBuilder;

    use super::*;

    fn is_bounded(sql: &str) -> bool {
        let parsed = DFParserBuilder::new(sql).build().unwrap().parse_statements().unwrap();
        check_expansion(&parsed[0]).is_ok()
    }

    fn doubled(names: usize, read: &str) -> String {
        let more = (1..names).map(|at| format!(", n{at} AS (SELECT * FROM n{0}, N{0})", at - 1));
        let more: String = more.collect();
        format!("WITH n0 AS (SELECT 1){more} {}", read.replace("LAST", &format!("n{}", names - 1)))
    }

    #[test]
    fn names_count_as_often_as_they_are_read() {
        for (names, read, expected) in [
            (10, "SELECT * FROM LAST", true),
            (13, "SELECT * FROM LAST", false),
            (10, "SELECT * FROM LAST, LAST, LAST, LAST, LAST", false),
            (10, "SELECT (SELECT max(a) FROM LAST), (SELECT min(a) FROM LAST) FROM polls", true),
            (200, "SELECT 1", false),
            (200, "SELECT * FROM LAST", false),
            (2_000, "SELECT * FROM LAST", false),
        ] {
            let sql = doubled(names, read);
            assert_eq!(is_bounded(&sql), expected, "{names} {read}");
            assert_eq!(is_bounded(&format!("EXPLAIN {sql}")), expected, "{names} {read}");
            assert_eq!(is_bounded(&format!("SELECT * FROM ({sql}) AS a")), expected, "{names}");
        }
        let own = "SELECT * FROM (WITH polls AS (SELECT * FROM polls) SELECT * FROM polls, polls)";
        assert!(is_bounded(&[own; 300].join(" UNION ALL ")));
        let qualified = doubled(12, "SELECT * FROM LAST").replace("N10", "public.n10");
        assert!(is_bounded(&qualified));
        let mut many = String::from("SELECT * FROM polls");
        (0..3_000).for_each(|_| many.push_str(", polls"));
        assert!(is_bounded(&many));
        assert!(is_bounded(
            "WITH RECURSIVE n AS (SELECT 1 AS a UNION ALL SELECT a + 1 FROM n) SELECT * FROM n"
        ));
    }
}
