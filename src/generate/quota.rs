//! Number of stores with a peculiarity.

/// Number of stores from which every peculiarity occurs.
const EVERY_KIND_FROM: u32 = 20;

/// Number of stores with a peculiarity.
#[derive(Debug, Clone, Copy)]
pub struct Quota {
    /// 1 if the chain is large enough to show every peculiarity, otherwise 0.
    pub least: u32,
}

impl Quota {
    pub fn new(chain_stores: u32) -> Quota {
        Quota { least: u32::from(chain_stores >= EVERY_KIND_FROM) }
    }

    /// Proportion of the stores, rounded, but not less than the minimum.
    pub fn share(self, stores: u32, per_mille: u32) -> u32 {
        let share = (u64::from(stores) * u64::from(per_mille) + 500) / 1000;
        (share as u32).max(self.least)
    }
}
