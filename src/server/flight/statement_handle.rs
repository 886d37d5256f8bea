//! Prepared statement as a signed handle that the client holds: SQL text and bound values.
//!
//! The server keeps no statements, so there is nothing to limit, expire or lose. Handles without a
//! valid signature are rejected undecoded. Signed values are validated nevertheless, because anyone
//! who knows all client keys of a server can sign handles.

use arrow::array::RecordBatch;
use arrow_flight::FlightData;
use arrow_flight::utils::batches_to_flight_data;
use bytes::Bytes;

use super::super::queries::SqlQuery;
use super::bound_values::ValuesReader;
use super::mac::MacKeys;
use crate::error::{Error, Result};
use crate::limits::Limits;

#[derive(Clone, Debug, PartialEq)]
pub struct PreparedStatement {
    pub sql: String,
    /// At most one row.
    pub values: Option<RecordBatch>,
}

impl PreparedStatement {
    /// Encodes and signs the statement.
    ///
    /// # Errors
    /// When the values cannot be encoded, which validated values can.
    pub fn to_handle(&self, keys: &MacKeys) -> Result<Bytes> {
        let mut handle = Vec::new();
        push(&mut handle, self.sql.as_bytes());
        if let Some(values) = &self.values {
            for message in batches_to_flight_data(&values.schema(), vec![values.clone()])? {
                push(&mut handle, &message.data_header);
                push(&mut handle, &message.data_body);
            }
        }
        Ok(keys.sign(handle))
    }

    /// Verifies and decodes a handle.
    ///
    /// # Errors
    /// When no key of this process signed it.
    pub fn from_handle(handle: &[u8], keys: &MacKeys) -> Result<Self> {
        let statement = keys.verify(handle).ok_or_else(|| {
            Error::Argument(
                "the handle is not of a statement prepared since the server started; \
                 prepare the statement again"
                    .into(),
            )
        })?;
        Self::decode(statement)
    }

    fn decode(bytes: &[u8]) -> Result<Self> {
        let broken = || Error::bug("a signed handle cannot be decoded");
        let (sql, mut rest) = first(bytes).ok_or_else(broken)?;
        let sql = std::str::from_utf8(sql).map_err(|_| broken())?.to_owned();
        if rest.is_empty() {
            return Ok(Self { sql, values: None });
        }
        let mut values = ValuesReader::default();
        while !rest.is_empty() {
            let (header, behind) = first(rest).ok_or_else(broken)?;
            let (body, behind) = first(behind).ok_or_else(broken)?;
            let message = FlightData::new().with_data_header(header.to_vec());
            values.take(&message.with_data_body(body.to_vec()))?;
            rest = behind;
        }
        Ok(Self { sql, values: Some(values.finish()?) })
    }

    /// Builds the request to run the statement over a version of the data, within the limits.
    ///
    /// # Errors
    /// When the values cannot be encoded, which validated values can.
    pub fn question(&self, version: u64, limits: Limits) -> Result<SqlQuery> {
        let question = SqlQuery::new(version, self.sql.as_str(), limits);
        match &self.values {
            Some(values) => question.with_row(values),
            // If it has parameters, execution fails and names the first.
            None => Ok(question),
        }
    }
}

/// True if the signed part of a handle, decoded, signed and decoded again, is the same statement
/// with the same values, and is refused without a signature; `None` if it cannot be decoded.
#[cfg(any(test, feature = "fuzzing"))]
pub fn is_same_again(signed: &[u8]) -> Option<bool> {
    let keys = MacKeys::new(&super::super::Settings::default()).ok()?;
    let statement = PreparedStatement::decode(signed).ok()?;
    let handle = statement.to_handle(&keys);
    let again = handle.and_then(|handle| PreparedStatement::from_handle(&handle, &keys));
    let is_refused = PreparedStatement::from_handle(signed, &keys).is_err();
    Some(is_refused && again.is_ok_and(|again| again == statement))
}

/// Appends a part: its length, then its bytes.
fn push(handle: &mut Vec<u8>, part: &[u8]) {
    handle.extend_from_slice(&(part.len() as u64).to_le_bytes());
    handle.extend_from_slice(part);
}

/// Splits off the first part; `None` if there are fewer bytes than its length.
fn first(parts: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = parts.split_first_chunk()?;
    rest.split_at_checked(u64::from_le_bytes(*length).try_into().ok()?)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Int64Array, StringArray};

    use super::super::super::Settings;
    use super::*;

    fn keys() -> MacKeys {
        MacKeys::new(&Settings::default()).unwrap()
    }

    fn values() -> RecordBatch {
        RecordBatch::try_from_iter([
            ("$1", Arc::new(Int64Array::from(vec![7])) as _),
            ("$2", Arc::new(StringArray::from(vec!["ü"])) as _),
        ])
        .unwrap()
    }

    #[test]
    fn a_handle_holds_the_statement_and_its_values() {
        let keys = keys();
        for values in [None, Some(values())] {
            let statement = PreparedStatement { sql: "SELECT $1, 'é', $2".into(), values };
            let handle = statement.to_handle(&keys).unwrap();
            assert_eq!(PreparedStatement::from_handle(&handle, &keys).unwrap(), statement);
        }
    }

    #[test]
    fn a_signed_handle_is_checked_as_it_is_decoded() {
        let keys = keys();
        let statement = PreparedStatement { sql: "SELECT 1".into(), values: Some(values()) };
        let handle = statement.to_handle(&keys).unwrap();
        let honest = keys.verify(&handle).unwrap();
        // Malicious but signed: decoding must not panic or allocate what a length claims.
        for place in 0..honest.len() {
            for claimed in [0, 0x7f, 0xff] {
                let mut forged = honest.to_vec();
                forged[place] = claimed;
                drop(PreparedStatement::from_handle(&keys.sign(forged), &keys));
            }
            let cut = keys.sign(honest[..place].to_vec());
            // The statement without its values is a valid handle.
            let is_whole = place == size_of::<u64>() + statement.sql.len();
            assert_eq!(PreparedStatement::from_handle(&cut, &keys).is_ok(), is_whole, "{place}");
        }
    }

    #[track_caller]
    fn check_refused(handle: &[u8], keys: &MacKeys) {
        let error = PreparedStatement::from_handle(handle, keys).unwrap_err();
        assert!(
            matches!(&error, Error::Argument(sentence) if sentence.contains("prepare")),
            "{error}"
        );
    }

    #[test]
    fn a_handle_of_another_process_is_refused() {
        let statement = PreparedStatement { sql: "SELECT 1".into(), values: None };
        check_refused(&statement.to_handle(&keys()).unwrap(), &keys());
    }

    #[test]
    fn a_forged_handle_is_rejected() {
        let keys = keys();
        for handle in [&b""[..], b"1234567", &[0xff; 8], &[9; 40], &vec![0; 4 << 20][..]] {
            check_refused(handle, &keys);
        }
        let handle =
            PreparedStatement { sql: "SELECT 1".into(), values: None }.to_handle(&keys).unwrap();
        for place in 0..handle.len() {
            let mut forged = handle.to_vec();
            forged[place] ^= 0x80;
            check_refused(&forged, &keys);
        }
    }
}
