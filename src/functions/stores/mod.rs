//! Scalars that take a store's id and know its hours and its zone, which are read when first asked
//! for: `is_open`, `next_open`, `business_time`, `business_deadline` and the like.

mod answers;
mod schedules;

use std::fmt::{self, Debug};
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, TimeUnit};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};
use hashbrown::HashMap;

use self::schedules::Schedules;
use super::arguments::coerced;
use super::documented::{self, Documented};
use super::encoding::lists::instant_type;
use super::scalars::columns_of;
use crate::rules::{Options, WeeklyHours, Zone, ZoneRules};

/// The hours and the zone of one store; `None` of what the tables lack, which options stand in for.
#[derive(Clone, Debug)]
pub struct StoreHours {
    pub week: Option<WeeklyHours>,
    pub zone: Option<Zone>,
}

/// The hours of every store, and the rules by which default zones are read.
#[derive(Debug)]
pub struct KnownHours {
    pub stores: HashMap<String, StoreHours>,
    pub zones: ZoneRules,
}

/// Reads the hours of every store; blocks while it does.
type Read = dyn Fn() -> crate::Result<KnownHours> + Send + Sync;

/// Reads options like `default_hours=closed,snap_end_of_day=true`.
pub type ReadOptions = fn(&str) -> std::result::Result<Options, String>;

/// The hours of every store of a chain, read once and shared by all who ask.
pub struct ChainHours {
    read: Box<Read>,
    read_options: ReadOptions,
    known: Mutex<Option<Arc<KnownHours>>>,
}

impl ChainHours {
    pub fn new(
        read: impl Fn() -> crate::Result<KnownHours> + Send + Sync + 'static,
        read_options: ReadOptions,
    ) -> Self {
        Self { read: Box::new(read), read_options, known: Mutex::new(None) }
    }

    /// What could not be read is read again by who asks next.
    fn known(&self) -> Result<Arc<KnownHours>> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = &*known {
            return Ok(Arc::clone(known));
        }
        let read = (self.read)()
            .map_err(|error| DataFusionError::IoError(std::io::Error::other(error.sentence())))?;
        let read = Arc::new(read);
        *known = Some(Arc::clone(&read));
        Ok(read)
    }
}

impl Debug for ChainHours {
    fn fmt(&self, text: &mut fmt::Formatter) -> fmt::Result {
        text.write_str("ChainHours")
    }
}

/// One function: what it is, and what makes a column of it.
#[derive(Debug)]
pub struct StoreScalar {
    pub documented: &'static Documented,
    returns: fn() -> DataType,
    compute: fn(&mut Schedules, &[ArrayRef], usize) -> Result<ArrayRef>,
}

pub const STORE_SCALARS: [StoreScalar; 8] = [
    StoreScalar {
        documented: &documented::IS_OPEN,
        returns: || DataType::Boolean,
        compute: answers::is_open,
    },
    StoreScalar {
        documented: &documented::NEXT_OPEN,
        returns: instant_type,
        compute: answers::next_open,
    },
    StoreScalar {
        documented: &documented::NEXT_CLOSE,
        returns: instant_type,
        compute: answers::next_close,
    },
    StoreScalar {
        documented: &documented::PREVIOUS_OPEN,
        returns: instant_type,
        compute: answers::previous_open,
    },
    StoreScalar {
        documented: &documented::PREVIOUS_CLOSE,
        returns: instant_type,
        compute: answers::previous_close,
    },
    StoreScalar {
        documented: &documented::BUSINESS_TIME,
        returns: || DataType::Int64,
        compute: answers::business_time,
    },
    StoreScalar {
        documented: &documented::BUSINESS_DEADLINE,
        returns: instant_type,
        compute: answers::business_deadline,
    },
    StoreScalar {
        documented: &documented::TO_STORE_TIME,
        returns: || DataType::Timestamp(TimeUnit::Microsecond, None),
        compute: answers::to_store_time,
    },
];

/// A scalar over the stores of a chain, as DataFusion knows it.
#[derive(Debug)]
pub struct StoreFunction {
    scalar: StoreScalar,
    chain: Arc<ChainHours>,
    signature: Signature,
    documentation: Documentation,
}

impl StoreFunction {
    pub fn new(scalar: StoreScalar, chain: Arc<ChainHours>) -> Self {
        let documentation = scalar.documented.documentation();
        // The same within a query, not for ever: the next version may have other hours.
        let signature = Signature::user_defined(Volatility::Stable);
        Self { scalar, chain, signature, documentation }
    }
}

impl PartialEq for StoreFunction {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name() && Arc::ptr_eq(&self.chain, &other.chain)
    }
}

impl Eq for StoreFunction {}

impl Hash for StoreFunction {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name().hash(state);
        Arc::as_ptr(&self.chain).hash(state);
    }
}

impl ScalarUDFImpl for StoreFunction {
    fn name(&self) -> &str {
        self.scalar.documented.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        coerced(self.scalar.documented, given)
    }

    fn return_type(&self, _given: &[DataType]) -> Result<DataType> {
        Ok((self.scalar.returns)())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let (columns, rows) = columns_of(&args)?;
        let known = self.chain.known()?;
        let mut schedules = Schedules::new(&known, self.chain.read_options);
        let column = (self.scalar.compute)(&mut schedules, &columns, rows)?;
        Ok(ColumnarValue::Array(column))
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&self.documentation)
    }
}
