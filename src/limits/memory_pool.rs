//! Memory pool of one query.

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Arc;

use datafusion::error::Result;
use datafusion::execution::memory_pool::{
    FairSpillPool, MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation, TrackConsumersPool,
};
use delegate::delegate;

/// Number of largest consumers that an error names.
const NAMED: NonZeroUsize = NonZeroUsize::new(3).unwrap();

/// A pool of `bytes` for all operators; those that can spill share it equally.
pub fn pool(bytes: usize) -> Arc<dyn MemoryPool> {
    Arc::new(TrackConsumersPool::new(RepartitionExemptPool(FairSpillPool::new(bytes)), NAMED))
}

/// Exempts the channels of `RepartitionExec` from the limit.
///
/// Without memory `RepartitionExec` spills to files and keeps two of them open once two threads
/// write concurrently. Its reader then waits for rows in one while the next rows are in the other:
/// a deadlock (apache/datafusion#24883). A channel holds only a few batches at a time, so the
/// exemption is small. Remove it with the release that has apache/datafusion#24891.
#[derive(Debug)]
struct RepartitionExemptPool(FairSpillPool);

fn is_repartition(consumer: &MemoryConsumer) -> bool {
    consumer.name().starts_with("RepartitionExec[")
}

impl fmt::Display for RepartitionExemptPool {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        self.0.fmt(out)
    }
}

impl MemoryPool for RepartitionExemptPool {
    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        let grown = self.0.try_grow(reservation, additional);
        if grown.is_err() && is_repartition(reservation.consumer()) {
            self.0.grow(reservation, additional);
            return Ok(());
        }
        grown
    }

    delegate! {
        to self.0 {
            fn name(&self) -> &str;
            fn register(&self, consumer: &MemoryConsumer);
            fn unregister(&self, consumer: &MemoryConsumer);
            fn grow(&self, reservation: &MemoryReservation, additional: usize);
            fn shrink(&self, reservation: &MemoryReservation, shrink: usize);
            fn reserved(&self) -> usize;
            fn memory_limit(&self) -> MemoryLimit;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_bounded_and_what_moves_is_not() {
        let pool = pool(1000);
        let reservation = |name: &str, can_spill| {
            MemoryConsumer::new(name).with_can_spill(can_spill).register(&pool)
        };
        let kept = reservation("HashJoinInput[0]", false);
        kept.try_grow(900).unwrap();
        assert!(kept.try_grow(200).is_err());
        let sorted = reservation("ExternalSorter[0]", true);
        assert!(sorted.try_grow(200).is_err());
        let moving = reservation("RepartitionExec[1]", true);
        moving.try_grow(200).unwrap();
        moving.shrink(200);
        assert_eq!(pool.reserved(), 900);
    }
}
