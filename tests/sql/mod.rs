//! SQL as analysts write it: the scripts `tests/sql/*.slt`, each over the same small chain.
//!
//! A script says nothing of how it is run: [`scripts`] runs it by any connection, [`session`] is
//! the one without a wire, and [`value`] spells values alike for all of them. `BLESS=1` writes what
//! the queries answer into the scripts.

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
