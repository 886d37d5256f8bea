//! Delays for wrong passwords, per network.
//!
//! A right password is never delayed: its user may share a network with a tool that has an old key.
//! Keys are too long to be guessed; the delays protect the server from tools that retry in a loop.
//! Does not read the clock: callers pass the instant.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use super::super::connection_permits::network;

/// Time without a failure after which a network's count restarts.
const MEMORY_US: i64 = 60_000_000;
/// Number of networks remembered; the one whose last failure is oldest is evicted.
const NETWORKS_MAX: usize = 4096;
/// Failures without a delay, for typing errors.
const FREE_FAILURES: u32 = 3;
/// First delay; doubles with each failure.
const FIRST_DELAY: Duration = Duration::from_millis(250);
/// Longest delay; below the startup deadline, so that the client gets its error.
const DELAY_MAX: Duration = Duration::from_secs(4);

#[derive(Default)]
pub struct Throttle(Mutex<HashMap<IpAddr, Failures>>);

#[derive(Clone, Copy)]
struct Failures {
    count: u32,
    last_at: i64,
}

impl Throttle {
    /// Delay for a wrong password at an instant, in microseconds UTC.
    pub fn delay(&self, address: IpAddr, at: i64) -> Duration {
        let failures = self.failures().get(&network(address)).copied();
        match failures.filter(|failures| failures.count_for(at)) {
            Some(failures) if failures.count >= FREE_FAILURES => {
                let doubled = 2u32.saturating_pow(failures.count - FREE_FAILURES);
                FIRST_DELAY.saturating_mul(doubled).min(DELAY_MAX)
            }
            _ => Duration::ZERO,
        }
    }

    /// Records a failure at an instant, in microseconds UTC.
    pub fn failed(&self, address: IpAddr, at: i64) {
        let network = network(address);
        let mut all = self.failures();
        let before = all.get(&network).filter(|failures| failures.count_for(at));
        let count = before.map_or(0, |failures| failures.count).saturating_add(1);
        if all.len() >= NETWORKS_MAX && !all.contains_key(&network) {
            let oldest = all.iter().min_by_key(|(_, failures)| failures.last_at);
            if let Some(oldest) = oldest.map(|(network, _)| *network) {
                all.remove(&oldest);
            }
        }
        all.insert(network, Failures { count, last_at: at });
    }

    fn failures(&self) -> MutexGuard<'_, HashMap<IpAddr, Failures>> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Failures {
    /// Returns true if the failures still count; also if the clock was set back since.
    fn count_for(self, at: i64) -> bool {
        at.saturating_sub(self.last_at) < MEMORY_US
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000;

    fn address(last: u32) -> IpAddr {
        std::net::Ipv4Addr::from_bits(0x0a00_0000 + last).into()
    }

    #[test]
    fn delays_double_up_to_a_limit_and_end_with_a_quiet_minute() {
        let throttle = Throttle::default();
        for (second, delay_ms) in (0..10).zip([0, 0, 0, 250, 500, 1000, 2000, 4000, 4000, 4000]) {
            let at = second * SECOND;
            let expected = Duration::from_millis(delay_ms);
            assert_eq!(throttle.delay(address(1), at), expected, "at {second} s");
            assert_eq!(throttle.delay(address(2), at), Duration::ZERO);
            throttle.failed(address(1), at);
        }
        assert_eq!(throttle.delay(address(1), 68 * SECOND), DELAY_MAX);
        assert_eq!(throttle.delay(address(1), 69 * SECOND), Duration::ZERO);
        throttle.failed(address(1), 69 * SECOND);
        assert_eq!(throttle.delay(address(1), 69 * SECOND), Duration::ZERO);
    }

    #[test]
    fn the_delay_has_a_maximum_however_many_failures() {
        let throttle = Throttle::default();
        (0..100).for_each(|_| throttle.failed(address(1), 0));
        assert_eq!(throttle.delay(address(1), 0), DELAY_MAX);
    }

    #[test]
    fn addresses_of_one_network_count_together() {
        let throttle = Throttle::default();
        for last in 1..=4 {
            throttle.failed(format!("2001:db8::{last}").parse().unwrap(), 0);
        }
        assert!(throttle.delay("2001:db8::5".parse().unwrap(), 0) > Duration::ZERO);
    }

    #[test]
    fn the_oldest_failures_are_forgotten_first() {
        let throttle = Throttle::default();
        for at in 0..4 {
            throttle.failed(address(0), at);
        }
        for other in 1..NETWORKS_MAX as u32 {
            throttle.failed(address(other), 10 + i64::from(other));
        }
        assert!(throttle.delay(address(0), SECOND) > Duration::ZERO);
        throttle.failed(address(NETWORKS_MAX as u32), SECOND);
        assert_eq!(throttle.delay(address(0), SECOND), Duration::ZERO);
        assert_eq!(throttle.failures().len(), NETWORKS_MAX);
    }
}
