//! SQL scripts `tests/sql/*.slt`, each over the same small chain.
//!
//! [`scripts`] runs a script over any connection; [`session`] is the one in process, and [`value`]
//! formats values alike for all. `BLESS=1` writes the results into the scripts.

mod agreement;
mod analyst;
pub mod chain;
mod few_stores;
mod hours;
mod parameters;
mod plans;
pub mod scripts;
pub mod session;
pub mod value;

use self::session::SessionConnection;
use crate::harness::block_on;

#[test]
fn every_script_holds_in_a_session() {
    block_on(async {
        let (_folder, dataset) = chain::load().await;
        scripts::run_all(|| SessionConnection::open(&dataset)).await;
    });
}
