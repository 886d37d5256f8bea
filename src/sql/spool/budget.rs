//! Budgets in bytes for unread rows, in memory or on disk: one per result within a total.

use std::future::pending;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Granularity of a budget, so that it fits the permits of a semaphore.
const UNIT_BYTES: usize = 1 << 10;

/// Budget of all results together.
#[derive(Clone)]
pub struct TotalBudget {
    units: Arc<Semaphore>,
    units_max: u32,
}

/// Budget of one result.
pub struct Budget {
    own: Arc<Semaphore>,
    units_max: u32,
    all: Arc<Semaphore>,
}

/// Bytes reserved until this is dropped.
pub struct Reservation {
    own: OwnedSemaphorePermit,
    all: OwnedSemaphorePermit,
}

impl TotalBudget {
    pub fn new(bytes: usize) -> Self {
        let units_max = whole_units(bytes);
        Self { units: Arc::new(Semaphore::new(units_max as usize)), units_max }
    }

    /// Creates the budget of one result, at most that of the total.
    pub fn budget(&self, bytes: usize) -> Budget {
        let units_max = whole_units(bytes).min(self.units_max);
        let own = Arc::new(Semaphore::new(units_max as usize));
        Budget { own, units_max, all: Arc::clone(&self.units) }
    }
}

impl Budget {
    /// Reserves bytes; `None` if too few are free.
    pub fn try_take(&self, bytes: usize) -> Option<Reservation> {
        let units = self.units(bytes)?;
        let own = Arc::clone(&self.own).try_acquire_many_owned(units).ok()?;
        let all = Arc::clone(&self.all).try_acquire_many_owned(units).ok()?;
        Some(Reservation { own, all })
    }

    /// Waits for a reservation; never returns if it exceeds the budget.
    pub async fn take(&self, bytes: usize) -> Reservation {
        let Some(units) = self.units(bytes) else { return pending().await };
        let own = Arc::clone(&self.own).acquire_many_owned(units).await;
        let all = Arc::clone(&self.all).acquire_many_owned(units).await;
        match (own, all) {
            (Ok(own), Ok(all)) => Reservation { own, all },
            // The semaphores are never closed.
            _ => pending().await,
        }
    }

    /// Returns whether the budget is larger than zero.
    pub fn is_nonzero(&self) -> bool {
        self.units_max > 0
    }

    /// `None` if the budget never has so many.
    fn units(&self, bytes: usize) -> Option<u32> {
        let units = u32::try_from(units_for(bytes)).ok()?;
        (units <= self.units_max).then_some(units)
    }
}

impl Reservation {
    /// Releases what exceeds `bytes`.
    pub fn shrink(&mut self, bytes: usize) {
        for taken in [&mut self.own, &mut self.all] {
            let surplus = taken.num_permits().saturating_sub(units_for(bytes));
            drop(taken.split(surplus));
        }
    }
}

fn units_for(bytes: usize) -> usize {
    bytes.div_ceil(UNIT_BYTES).max(1)
}

fn whole_units(bytes: usize) -> u32 {
    u32::try_from(bytes / UNIT_BYTES).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[test]
    fn a_result_has_its_own_budget_within_the_total() {
        let total = TotalBudget::new(10 * UNIT_BYTES);
        let (first, second) = (total.budget(6 * UNIT_BYTES), total.budget(6 * UNIT_BYTES));
        let taken = first.try_take(6 * UNIT_BYTES).unwrap();
        assert!(first.try_take(1).is_none());
        assert!(second.try_take(5 * UNIT_BYTES).is_none());
        let _rest = second.try_take(4 * UNIT_BYTES).unwrap();
        drop(taken);
        // If either budget is exhausted, nothing is reserved from the other.
        assert!(second.try_take(3 * UNIT_BYTES).is_none());
        assert!(first.try_take(6 * UNIT_BYTES).is_some());
        assert!(second.try_take(2 * UNIT_BYTES).is_some());
    }

    #[test]
    fn unneeded_bytes_are_released() {
        let total = TotalBudget::new(4 * UNIT_BYTES);
        let (first, second) = (total.budget(4 * UNIT_BYTES), total.budget(4 * UNIT_BYTES));
        let mut taken = first.try_take(4 * UNIT_BYTES).unwrap();
        taken.shrink(UNIT_BYTES + 1);
        assert!(second.try_take(3 * UNIT_BYTES).is_none());
        let rest = second.try_take(2 * UNIT_BYTES).unwrap();
        taken.shrink(8 * UNIT_BYTES);
        drop((taken, rest));
        assert!(first.try_take(4 * UNIT_BYTES).is_some());
    }

    #[test]
    fn a_waiter_gets_released_bytes() {
        let total = TotalBudget::new(4 * UNIT_BYTES);
        let (first, second) = (total.budget(4 * UNIT_BYTES), total.budget(4 * UNIT_BYTES));
        let taken = first.try_take(3 * UNIT_BYTES).unwrap();
        let mut waiting = Box::pin(second.take(2 * UNIT_BYTES));
        assert!(waiting.as_mut().now_or_never().is_none());
        drop(taken);
        assert!(waiting.now_or_never().is_some());
    }

    #[test]
    fn a_reservation_above_the_budget_blocks_nobody_else() {
        let total = TotalBudget::new(4 * UNIT_BYTES);
        let (first, second) = (total.budget(64 * UNIT_BYTES), total.budget(UNIT_BYTES));
        let mut waiting = Box::pin(first.take(5 * UNIT_BYTES));
        assert!(waiting.as_mut().now_or_never().is_none());
        assert!(second.try_take(1).is_some());
        assert!(total.budget(UNIT_BYTES - 1).try_take(0).is_none());
    }
}
