//! Validation of binary parameter values before the protocol crates decode them.
//!
//! Those crates can panic on a value, or allocate what it merely claims:
//!
//! | type | crate | here |
//! |---|---|---|
//! | arrays | postgres-types 0.2 allocates what the dimensions announce | 4 bytes per element |
//! | `interval` | pg_interval 0.6 reads 16 bytes, arrow-pg 0.16 multiplies them | 16, in range |
//! | `numeric` | rust_decimal 1 computes powers beyond its range | at most 28 zeros appended |

use datafusion_postgres::pgwire::api::Type;
use datafusion_postgres::pgwire::error::PgWireResult;

use super::failure::error;

/// Array header: dimensions, flags, element type.
const ARRAY_HEAD_BYTES: usize = 12;
/// Size and lower bound of a dimension.
const DIMENSION_BYTES: usize = 8;
/// Size of the shortest element, a null.
const ELEMENT_BYTES: usize = 4;
const INTERVAL_BYTES: usize = 16;
const NS_PER_US: i64 = 1000;
/// Groups of four digits that may be appended: rust_decimal holds at most 29 digits.
const GROUPS_ADDED_MAX: i32 = 7;

/// Checks the value of parameter `number`.
///
/// # Errors
/// When the bytes are not a valid value of the type (22P03).
pub fn check(number: usize, sent_as: &Type, bytes: &[u8]) -> PgWireResult<()> {
    let is_value = match *sent_as {
        Type::INTERVAL => is_interval(bytes),
        Type::NUMERIC => is_numeric(bytes).unwrap_or(false),
        _ if sent_as.name().starts_with('_') => is_array(bytes).unwrap_or(false),
        _ => true,
    };
    match is_value {
        true => Ok(()),
        false => {
            let name = sent_as.name();
            Err(error("22P03", format!("${number} is not a valid binary value of type {name}")))
        }
    }
}

/// Returns true if the bytes can hold the announced elements; `None` if the header is too short.
fn is_array(bytes: &[u8]) -> Option<bool> {
    let dimensions = usize::try_from(i32_at(bytes, 0)?).ok()?;
    let elements_at = dimensions.checked_mul(DIMENSION_BYTES)?.checked_add(ARRAY_HEAD_BYTES)?;
    let left = bytes.get(elements_at..)?.len();
    let sizes = bytes[ARRAY_HEAD_BYTES..elements_at].chunks(DIMENSION_BYTES);
    let elements = sizes.map(|size| usize::try_from(i32_at(size, 0)?).ok());
    let elements = elements.reduce(|all, size| all?.checked_mul(size?)).unwrap_or(Some(0))?;
    Some(elements.checked_mul(ELEMENT_BYTES)? <= left)
}

fn is_interval(bytes: &[u8]) -> bool {
    let microseconds = bytes.first_chunk().map(|bytes| i64::from_be_bytes(*bytes));
    bytes.len() == INTERVAL_BYTES
        && microseconds.is_some_and(|microseconds| microseconds.checked_mul(NS_PER_US).is_some())
}

/// Returns true if the value's range is supported. The header holds the number of digit groups and
/// the power of 10,000 of the first; `None` if it is too short.
fn is_numeric(bytes: &[u8]) -> Option<bool> {
    let (groups, rest) = bytes.split_first_chunk()?;
    let weight = i16::from_be_bytes(*rest.first_chunk()?);
    let added = i32::from(weight) + 1 - i32::from(u16::from_be_bytes(*groups));
    Some(added <= GROUPS_ADDED_MAX)
}

fn i32_at(bytes: &[u8], at: usize) -> Option<i32> {
    bytes.get(at..)?.first_chunk().map(|bytes| i32::from_be_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn binary_values_are_checked_by_type() {
        let array = |dimensions: &[i32], elements: &[u8]| {
            let mut bytes = Vec::new();
            for number in [i32::try_from(dimensions.len()).unwrap(), 0, 23] {
                bytes.extend(number.to_be_bytes());
            }
            for size in dimensions {
                bytes.extend([size.to_be_bytes(), 1i32.to_be_bytes()].concat());
            }
            [&bytes[..], elements].concat()
        };
        let interval = |us: i64| [&us.to_be_bytes()[..], &[0; 8]].concat();
        let numeric = |groups: u16, weight: i16| {
            let head = [groups.to_be_bytes(), weight.to_be_bytes(), [0; 2], [0; 2]].concat();
            [head, [0, 1].repeat(usize::from(groups))].concat()
        };
        for (sent_as, bytes, is_value) in [
            (Type::INT4_ARRAY, array(&[], &[]), true),
            (Type::INT4_ARRAY, array(&[1], &[0, 0, 0, 4, 0, 0, 0, 7]), true),
            (Type::INT4_ARRAY, array(&[2], &[0xff; 8]), true),
            (Type::INT4_ARRAY, array(&[i32::MAX], &[0xff; 8]), false),
            (Type::INT4_ARRAY, array(&[3], &[0xff; 8]), false),
            (Type::INT4_ARRAY, array(&[-1], &[]), false),
            (Type::INT4_ARRAY, array(&[i32::MAX; 3], &[]), false),
            (Type::TEXT_ARRAY, i32::MAX.to_be_bytes().to_vec(), false),
            (Type::TEXT_ARRAY, Vec::new(), false),
            (Type::INTERVAL, interval(-1), true),
            (Type::INTERVAL, interval(i64::MAX), false),
            (Type::INTERVAL, vec![0; 15], false),
            (Type::NUMERIC, numeric(1, 0), true),
            (Type::NUMERIC, numeric(1, 7), true),
            (Type::NUMERIC, numeric(1, 8), false),
            (Type::NUMERIC, numeric(0, 7), false),
            (Type::NUMERIC, numeric(1, i16::MIN), true),
            (Type::NUMERIC, vec![0; 3], false),
            (Type::TEXT, Vec::new(), true),
        ] {
            let checked = check(1, &sent_as, &bytes);
            assert_eq!(checked.is_ok(), is_value, "{sent_as} {bytes:?}");
        }
    }
}
