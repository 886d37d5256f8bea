//! Limits on queries, and their cancellation: no query crashes the process, exceeds its deadline or
//! starves others.
//!
//! [`Limits`] holds what an operator can set. Before planning, [`check_depth`] and
//! [`check_expansion`] bound a statement; after it, [`check_plan_size`] and [`ConstantSizeLimit`]
//! bound the plan. [`limit_outputs`] bounds what a function makes of its arguments. Each query runs
//! on threads of its own ([`threads`]) and in a memory pool of its own ([`memory_pool`]). It can be
//! cancelled within a batch ([`CancellationFlag`]) and within a join ([`CooperativeJoins`]). Knows
//! neither tables nor interfaces.

mod cancellation;
mod constant_size;
mod cooperative_joins;
mod cte_expansion;
mod function_outputs;
pub mod memory_pool;
mod plan_size;
mod query_limits;
mod statement_depth;
pub mod threads;

pub use self::cancellation::CancellationFlag;
pub use self::constant_size::ConstantSizeLimit;
pub use self::cooperative_joins::{CooperativeJoins, cancellable_rules};
pub use self::cte_expansion::check_expansion;
pub use self::function_outputs::limit_outputs;
pub use self::plan_size::check_plan_size;
pub use self::query_limits::{Limits, SettingNames};
#[cfg(any(test, feature = "fuzzing"))]
pub use self::statement_depth::DEPTH_MAX;
pub use self::statement_depth::{check_depth, stack_exceeded};
pub use self::threads::STACK_BYTES;
