//! Limit of open file descriptors, and the number of connections that it allows.
//!
//! Without a free descriptor a process accepts nobody, so that permits of connections would be
//! moot. Knows no protocol.

/// Descriptors for connections of all listeners; a PostgreSQL connection takes two.
const CONNECTIONS_WANTED: usize = 4096 + 16 + 512 + 2 * (512 + 16);
/// Descriptors for tables, spools, logs and worker processes; half of the limit if it is low.
const OTHERS_WANTED: usize = 2048;

/// Raises the soft limit of this process to what the service needs, up to the hard limit. Returns
/// the limit if it is still lower.
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

/// Does nothing: there is no limit.
#[cfg(not(unix))]
pub fn raise() -> Option<usize> {
    None
}

/// Connections of a listener: the usual number, scaled down to the descriptors, at least one.
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
