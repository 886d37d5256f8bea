//! A prepared statement as the client keeps it: its text, and the values bound to it so far.
//!
//! So the server keeps nothing, and there is nothing to run out of, to expire, or to lose. A handle
//! is signed by the server that made it; of any other no byte is decoded. Its values are checked all
//! the same as they are decoded: who knows all keys of a server's clients could sign handles.

use arrow::array::RecordBatch;
use arrow_flight::FlightData;
use arrow_flight::utils::batches_to_flight_data;
use bytes::Bytes;

use super::super::questions::Question;
use super::bound_values::ValuesReader;
use super::mac::MacKeys;
use crate::error::{Error, Result};
use crate::sql::Limits;

#[derive(Clone, Debug, PartialEq)]
pub struct PreparedStatement {
    pub sql: String,
    /// At most one row.
    pub values: Option<RecordBatch>,
}

impl PreparedStatement {
    /// # Errors
    /// Where the values cannot be written, as no batch of a client's is.
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

    /// # Errors
    /// Where the server did not make the handle, so that it is not decoded.
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

    /// The question over a version of the data, within the limits.
    ///
    /// # Errors
    /// Where the values cannot be written, as no batch of a client's is.
    pub fn question(&self, version: u64, limits: Limits) -> Result<Question> {
        let question = Question::new(version, self.sql.as_str(), limits);
        match &self.values {
            Some(values) => question.with_row(values),
            // One that has parameters fails as it runs, and names the first.
            None => Ok(question),
        }
    }
}

/// Adds a part of a handle: its length, then its bytes.
fn push(handle: &mut Vec<u8>, part: &[u8]) {
    handle.extend_from_slice(&(part.len() as u64).to_le_bytes());
    handle.extend_from_slice(part);
}

/// The first part, and what is behind it; `None` where there are fewer bytes than it claims.
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
    fn a_handle_is_the_statement_with_its_values() {
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
        // As whoever has the key could sign them: none panics, or allocates what it claims.
        for place in 0..honest.len() {
            for claimed in [0, 0x7f, 0xff] {
                let mut forged = honest.to_vec();
                forged[place] = claimed;
                drop(PreparedStatement::from_handle(&keys.sign(forged), &keys));
            }
            let cut = keys.sign(honest[..place].to_vec());
            // All of the statement, and nothing of the values, is a handle as well.
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
    fn a_handle_that_was_made_up_is_refused() {
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
