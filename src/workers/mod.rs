//! Worker processes: each does one piece of work at a time, within limits that the system enforces.
//!
//! In the order in which work travels: [`Pool`] leases a process ([`Lease`]), `frames` cross the
//! socket between the two, and the lease ends the process at its deadline, when it grows too large
//! (`memory`), or when dropped before the work is done. In the process, [`child`] reads the socket
//! and binds its life to the server's, and [`sandbox`] restricts it. Knows nothing of the work.

pub mod child;
pub mod frames;
mod lease;
mod memory;
mod pool;
mod process;
mod process_log;
mod processes;
pub mod sandbox;
mod terms;

pub use self::frames::Frame;
pub use self::lease::Lease;
pub use self::pool::{Pool, WorkKind};
pub use self::process::Program;
pub use self::terms::{LeaseError, Terms};
