//! Scalars that take a store id and know the store's hours and zone: `is_open`, `next_open`,
//! `business_time`, `business_deadline` and similar functions.
//!
//! The hours of all stores are read on first use.

mod answers;
mod schedules;

use std::fmt::{self, Debug};
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};
use hashbrown::HashMap;

use self::answers::Call;
use self::schedules::Schedules;
use super::coercion::coerced;
use super::documented::{self, Documented};
use super::scalars::columns_of;
use crate::rules::{Options, WeeklyHours, Zone, ZoneRules};

/// Hours and zone of a store; `None` if the tables lack them and the options' default applies.
#[derive(Clone, Debug)]
pub struct StoreHours {
    pub week: Option<WeeklyHours>,
    pub zone: Option<Zone>,
}

/// Hours of all stores, and the rules for default zones.
#[derive(Debug)]
pub struct KnownHours {
    pub stores: HashMap<String, StoreHours>,
    pub zones: ZoneRules,
}

/// Reads the hours of all stores; blocks.
type Read = dyn Fn() -> crate::Result<KnownHours> + Send + Sync;

/// Parses options such as `default_hours=closed,snap_end_of_day=true`.
pub type ReadOptions = fn(&str) -> std::result::Result<Options, String>;

/// Hours of all stores, read once and shared by all queries of a version.
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

    /// Hours of all stores. A failed read is repeated on the next call.
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

/// Description and implementation of a store scalar.
#[derive(Debug)]
pub struct StoreScalar {
    pub documented: &'static Documented,
    compute: fn(Call) -> Result<ArrayRef>,
}

pub const STORE_SCALARS: [StoreScalar; 8] = [
    StoreScalar { documented: &documented::IS_OPEN, compute: answers::is_open },
    StoreScalar { documented: &documented::NEXT_OPEN, compute: answers::next_open },
    StoreScalar { documented: &documented::NEXT_CLOSE, compute: answers::next_close },
    StoreScalar { documented: &documented::PREVIOUS_OPEN, compute: answers::previous_open },
    StoreScalar { documented: &documented::PREVIOUS_CLOSE, compute: answers::previous_close },
    StoreScalar { documented: &documented::BUSINESS_TIME, compute: answers::business_time },
    StoreScalar { documented: &documented::BUSINESS_DEADLINE, compute: answers::business_deadline },
    StoreScalar { documented: &documented::TO_STORE_TIME, compute: answers::to_store_time },
];

/// `ScalarUDFImpl` of a store scalar.
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
        // Constant within a query only: the next version may have other hours.
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
        self.scalar.documented.gives.data_type()
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let (columns, rows) = columns_of(&args)?;
        let known = self.chain.known()?;
        let mut schedules = Schedules::new(&known, self.chain.read_options);
        let call = Call { schedules: &mut schedules, columns: &columns, rows };
        Ok(ColumnarValue::Array((self.scalar.compute)(call)?))
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&self.documentation)
    }
}
