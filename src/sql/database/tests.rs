//! Functions keep their identity under their names and aliases.

use std::collections::HashMap;

use super::*;

/// A rebuilt state registers its functions again, in arbitrary order, each with its aliases:
/// one known only by its alias would take its name back from the replacement.
#[track_caller]
fn check<T>(functions: &HashMap<String, Arc<T>>, name_of: impl Fn(&T) -> &str) {
    for (alias, function) in functions {
        let name = name_of(function);
        let named = functions.get(name);
        let is_same = named.is_some_and(|named| Arc::ptr_eq(named, function));
        assert!(is_same, "{alias} is another {name} than {name}");
    }
}

#[track_caller]
fn check_all(state: &SessionState) {
    check(state.scalar_functions(), |function| function.name());
    check(state.aggregate_functions(), |function| function.name());
    check(state.window_functions(), |function| function.name());
}

#[test]
fn a_function_is_the_same_by_its_name_and_by_its_aliases() {
    let database = Database::new(Limits::default());
    check_all(&database.state);
    check_all(&database.planner);
    let rebuilt = SessionStateBuilder::new_from_existing(database.state.clone()).build();
    let context = SessionContext::new_with_state(rebuilt);
    functions::register_by_zones(&context, &ZoneRules::bundled());
    check_all(&context.state());
}
