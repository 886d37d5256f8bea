//! Functions that PostgreSQL has and DataFusion lacks, and the names of its types.
//!
//! datafusion-postgres's own setup, `setup_pg_catalog`, would decode all static tables for each
//! session.

use std::sync::Arc;

use datafusion::execution::SessionStateBuilder;
use datafusion::logical_expr::ScalarUDF;
use datafusion::prelude::SessionContext;
use datafusion_postgres::datafusion_pg_catalog::pg_catalog as library;

use super::static_tables::Keywords;
use super::{constant_functions, introspection};
use crate::sql::CATALOG;

/// Adds the functions and type names to a session.
pub fn register(context: &SessionContext, functions: &Arc<introspection::Functions>) {
    of_library().for_each(|function| context.register_udf(function));
    // Ours replace some of those.
    for function in constant_functions::all().chain(introspection::all(functions)) {
        context.register_udf(function);
    }
    let keywords = Keywords(Arc::clone(&functions.static_tables));
    context.register_udtf("pg_get_keywords", Arc::new(keywords));
    library::generate_series_arg_coercion::CoerceIntArgsToBigInt::widen(context);
    let state = context.state_ref();
    let named = SessionStateBuilder::new_from_existing(state.read().clone());
    let planner = Arc::new(library::oid_type_planner::PgOidTypePlanner);
    let named = named.with_type_planner(planner).build();
    *state.write() = named;
}

fn of_library() -> impl Iterator<Item = ScalarUDF> {
    const PRIVILEGES: [&str; 4] = [
        "has_any_column_privilege",
        "has_database_privilege",
        "has_schema_privilege",
        "has_table_privilege",
    ];
    let privileges =
        PRIVILEGES.into_iter().map(library::has_privilege_udf::create_has_privilege_udf);
    [
        library::create_current_database_udf(CATALOG),
        library::create_current_schema_udf(),
        library::create_current_schemas_udf(),
        library::create_pg_backend_pid_udf(),
        library::create_pg_encoding_to_char_udf(),
        library::create_pg_get_constraintdef(),
        library::create_pg_get_partition_ancestors_udf(),
        library::create_pg_get_partkeydef_udf(),
        library::create_pg_get_statisticsobjdef_columns_udf(),
        library::create_pg_get_userbyid_udf(),
        library::create_pg_relation_is_publishable_udf(),
        library::create_pg_relation_size_udf(),
        library::create_pg_stat_get_numscans(),
        library::create_pg_table_is_visible(),
        library::create_pg_total_relation_size_udf(),
        library::create_session_user_udf(),
        library::array_bounds_udf::create_array_lower_udf(),
        library::array_bounds_udf::create_array_upper_udf(),
        library::format_type::create_format_type_udf(),
        library::pg_get_expr_udf::create_pg_get_expr_udf(),
        library::quote_ident_udf::create_parse_ident_udf(),
        library::quote_ident_udf::create_quote_ident_udf(),
    ]
    .into_iter()
    .chain(privileges)
}

#[cfg(test)]
mod tests {
    use datafusion::prelude::SessionConfig;
    use datafusion_postgres::datafusion_pg_catalog::pg_catalog::context::EmptyContextProvider;
    use datafusion_postgres::datafusion_pg_catalog::setup_pg_catalog;

    use super::*;
    use crate::sql::SCHEMA;

    #[test]
    fn no_function_of_the_library_is_missing() {
        let context = || {
            let config = SessionConfig::new().with_default_catalog_and_schema(CATALOG, SCHEMA);
            SessionContext::new_with_config(config)
        };
        let (by_library, ours) = (context(), context());
        setup_pg_catalog(&by_library, CATALOG, EmptyContextProvider).unwrap();
        register(&ours, &Arc::default());
        let (by_library, ours) = (by_library.state(), ours.state());
        for name in by_library.scalar_functions().keys() {
            assert!(ours.scalar_functions().contains_key(name), "{name}");
        }
        for name in by_library.table_functions().keys() {
            assert!(ours.table_functions().contains_key(name), "{name}");
        }
    }
}
