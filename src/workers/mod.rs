//! Processes that work for the server, one piece of work at a time each, so that the operating
//! system enforces what one may take.
//!
//! In the order a piece of work travels: [`Pool`] lends a [`Lease`] on a `process`, `frames` cross
//! the socket between the two, and the lease ends the process at its deadline, where it grows too
//! large (`memory`), or when it is dropped before the work is done. In the process itself, [`child`]
//! reads the socket and binds its life to the server's, and [`sandbox`] takes away what it has no
//! use for. Knows nothing of the work.

pub mod child;
pub mod frames;
mod lease;
mod memory;
mod pool;
mod process;
pub mod sandbox;

pub use self::frames::Frame;
pub use self::lease::{Lease, LeaseError, Terms};
pub use self::pool::{Pool, WorkKind};
pub use self::process::Program;
