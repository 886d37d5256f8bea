//! The memory of one query.

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Arc;

use datafusion::error::Result;
use datafusion::execution::memory_pool::{
    FairSpillPool, MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation, TrackConsumersPool,
};

/// How many of the hungriest operators an error names.
const NAMED: NonZeroUsize = NonZeroUsize::new(3).unwrap();

/// So much for all operators together, of which those that can spill have equal shares.
pub fn pool(bytes: usize) -> Arc<dyn MemoryPool> {
    Arc::new(TrackConsumersPool::new(RepartitionExemptPool(FairSpillPool::new(bytes)), NAMED))
}

/// Rows on their way from thread to thread always have room.
///
/// Without room `RepartitionExec` would write them to files, of which it keeps two open once two
/// threads write at a time; its reader then waits for more rows in the one while the next lie in the
/// other, and the query never ends. No more than a few batches a channel are ever on their way.
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
    fn name(&self) -> &str {
        self.0.name()
    }

    fn register(&self, consumer: &MemoryConsumer) {
        self.0.register(consumer);
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        self.0.unregister(consumer);
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        self.0.grow(reservation, additional);
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        self.0.shrink(reservation, shrink);
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        let grown = self.0.try_grow(reservation, additional);
        if grown.is_err() && is_repartition(reservation.consumer()) {
            self.0.grow(reservation, additional);
            return Ok(());
        }
        grown
    }

    fn reserved(&self) -> usize {
        self.0.reserved()
    }

    fn memory_limit(&self) -> MemoryLimit {
        self.0.memory_limit()
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
