//! A prepared statement as the client keeps it: its text, and the values bound to it so far.
//!
//! So the server keeps nothing, and there is nothing to run out of, to expire, or to lose. A handle
//! is signed by the process that made it; of any other no byte is decoded.

use std::io::Cursor;

use arrow::array::RecordBatch;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;
use bytes::Bytes;

use super::super::questions::Question;
use super::mac::MacKey;
use crate::error::{Error, Result};
use crate::sql::Limits;

#[derive(Clone, Debug, PartialEq)]
pub struct Prepared {
    pub sql: String,
    /// At most one row.
    pub values: Option<RecordBatch>,
}

impl Prepared {
    /// # Errors
    /// Where the values cannot be written, as no batch of a client's is.
    pub fn to_handle(&self, key: &MacKey) -> Result<Bytes> {
        let mut handle = (self.sql.len() as u64).to_le_bytes().to_vec();
        handle.extend_from_slice(self.sql.as_bytes());
        if let Some(values) = &self.values {
            let mut writer = StreamWriter::try_new(&mut handle, &values.schema())?;
            writer.write(values)?;
            writer.finish()?;
        }
        Ok(key.sign(handle))
    }

    /// # Errors
    /// Where this process did not make the handle, so that it is not decoded.
    pub fn from_handle(handle: &[u8], key: &MacKey) -> Result<Self> {
        let prepared = key.verify(handle).ok_or_else(|| {
            Error::Argument(
                "the handle is not of a statement prepared since the server started; \
                 prepare the statement again"
                    .into(),
            )
        })?;
        Self::decode(prepared).ok_or_else(|| Error::bug("a signed handle cannot be decoded"))
    }

    fn decode(prepared: &[u8]) -> Option<Self> {
        let (length, rest) = prepared.split_first_chunk()?;
        let (sql, values) = rest.split_at_checked(u64::from_le_bytes(*length).try_into().ok()?)?;
        let values = match values {
            [] => None,
            values => Some(StreamReader::try_new(Cursor::new(values), None).ok()?.next()?.ok()?),
        };
        Some(Self { sql: std::str::from_utf8(sql).ok()?.to_owned(), values })
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Int64Array, StringArray};

    use super::*;

    #[test]
    fn a_handle_is_the_statement_with_its_values() {
        let values = RecordBatch::try_from_iter([
            ("$1", Arc::new(Int64Array::from(vec![7])) as _),
            ("$2", Arc::new(StringArray::from(vec!["ü"])) as _),
        ]);
        let key = MacKey::random().unwrap();
        for values in [None, Some(values.unwrap())] {
            let prepared = Prepared { sql: "SELECT $1, 'é', $2".into(), values };
            let handle = prepared.to_handle(&key).unwrap();
            assert_eq!(Prepared::from_handle(&handle, &key).unwrap(), prepared);
        }
    }

    #[track_caller]
    fn check_refused(handle: &[u8], key: &MacKey) {
        let error = Prepared::from_handle(handle, key).unwrap_err();
        assert!(
            matches!(&error, Error::Argument(sentence) if sentence.contains("prepare")),
            "{error}"
        );
    }

    #[test]
    fn a_handle_of_another_process_is_refused() {
        let prepared = Prepared { sql: "SELECT 1".into(), values: None };
        let (key, other) = (MacKey::random().unwrap(), MacKey::random().unwrap());
        check_refused(&prepared.to_handle(&other).unwrap(), &key);
    }

    #[test]
    fn a_handle_that_was_made_up_is_refused() {
        let key = MacKey::random().unwrap();
        for handle in [&b""[..], b"1234567", &[0xff; 8], &[9; 40], &vec![0; 4 << 20][..]] {
            check_refused(handle, &key);
        }
        let handle = Prepared { sql: "SELECT 1".into(), values: None }.to_handle(&key).unwrap();
        for place in 0..handle.len() {
            let mut forged = handle.to_vec();
            forged[place] ^= 0x80;
            check_refused(&forged, &key);
        }
    }
}
