//! File descriptors: how many this process may have open, and how many connections that allows.
//!
//! A process without a descriptor left accepts nobody, so that no rule about places would hold.
//! Knows nothing of what is spoken.

/// Of all places of all listeners; a connection of PostgreSQL takes two.
const CONNECTIONS_WANTED: usize = 4096 + 16 + 512 + 2 * (512 + 16);
/// Of tables, rows on disk, logs and processes for queries; half of them all where there are few.
const OTHERS_WANTED: usize = 2048;

/// Raises the soft limit of this process to what the service wants, where the hard limit allows it.
/// Returns the limit where it is lower still.
#[cfg(unix)]
pub fn raise() -> Option<usize> {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let wanted = CONNECTIONS_WANTED + OTHERS_WANTED;
    let mut limit = getrlimit(Resource::Nofile);
    let raised = limit.maximum.map_or(wanted as u64, |maximum| maximum.min(wanted as u64));
    if limit.current.is_some_and(|current| current < raised) {
        limit.current = Some(raised);
        if let Err(error) = setrlimit(Resource::Nofile, limit) {
            tracing::debug!(%error, "the limit of open files stays as it is");
        }
    }
    self::limit().filter(|limit| *limit < wanted)
}

/// Nothing limits them.
#[cfg(not(unix))]
pub fn raise() -> Option<usize> {
    None
}

/// As many of a listener's usual places as there are descriptors for, one at least.
pub fn connections_max(usual: usize) -> usize {
    limit().map_or(usual, |limit| connections_within(usual, limit))
}

fn connections_within(usual: usize, limit: usize) -> usize {
    let connections = limit - OTHERS_WANTED.min(limit / 2);
    let scaled = usual.saturating_mul(connections) / CONNECTIONS_WANTED;
    scaled.min(usual).max(1)
}

#[cfg(unix)]
fn limit() -> Option<usize> {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    limit.current.and_then(|limit| usize::try_from(limit).ok())
}

#[cfg(not(unix))]
fn limit() -> Option<usize> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_descriptors_are_shared_by_listeners_and_leave_half_to_others() {
        for (limit, expected) in [
            (1 << 20, [4096, 16, 512]),
            (CONNECTIONS_WANTED + OTHERS_WANTED, [4096, 16, 512]),
            (1024, [369, 1, 46]),
            (256, [92, 1, 11]),
            (0, [1, 1, 1]),
        ] {
            let connections = [4096, 16, 512].map(|usual| connections_within(usual, limit));
            assert_eq!(connections, expected, "of {limit}");
        }
    }
}
