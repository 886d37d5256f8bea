//! Every function that an analyst may call, described.

use crate::functions::documented::{DOCUMENTED, Documented};

/// Those that stand in `FROM`.
const TABLE_FUNCTIONS: [&Documented; 0] = [];

/// All of them, aggregates first.
pub fn documented() -> impl Iterator<Item = &'static Documented> {
    DOCUMENTED.into_iter().chain(TABLE_FUNCTIONS)
}
