//! Validation of schema fields before `arrow-ipc` converts them.

use arrow::ipc;

use super::{VALUES_BYTES_MAX, refused};
use crate::error::Result;

/// Limit on fields of a schema, nested ones included.
pub const FIELDS_MAX: usize = 4096;
/// Limit on nesting; a list of a struct of a number has depth 3.
const TYPE_DEPTH_MAX: usize = 4;

/// Position of a field in its schema.
#[derive(Clone, Copy)]
struct Place {
    depth: usize,
    is_in_list: bool,
}

/// Checks a field and its children, and subtracts their number from `left`.
///
/// # Errors
/// When a type is not supported or nested too deep, or `left` is exceeded.
pub fn check_field(field: ipc::Field<'_>, left: &mut usize) -> Result<()> {
    check_field_at(Place { depth: 1, is_in_list: false }, field, left)
}

fn check_field_at(place: Place, field: ipc::Field<'_>, left: &mut usize) -> Result<()> {
    *left = left.checked_sub(1).ok_or_else(|| {
        refused(&format!("their schema has more than {FIELDS_MAX} fields, nested ones included"))
    })?;
    if place.depth > TYPE_DEPTH_MAX {
        return Err(refused(&format!("their types are nested deeper than {TYPE_DEPTH_MAX}")));
    }
    let is_view = [ipc::Type::Utf8View, ipc::Type::BinaryView].contains(&field.type_type());
    if field.dictionary().is_some() || is_view && place.is_in_list || !has_known_type(field) {
        return Err(refused(&format!(
            "column {:?} has an unsupported type; send numbers, texts, bytes, booleans, times, \
             or lists and structs of them",
            field.name().unwrap_or_default()
        )));
    }
    let is_list = [ipc::Type::List, ipc::Type::LargeList, ipc::Type::FixedSizeList];
    let within = Place {
        depth: place.depth + 1,
        is_in_list: place.is_in_list || is_list.contains(&field.type_type()),
    };
    field.children().into_iter().flatten().try_for_each(|child| check_field_at(within, child, left))
}

/// Returns true if `arrow-ipc` can convert the field's type without panicking.
fn has_known_type(field: ipc::Field<'_>) -> bool {
    use ipc::{DateUnit, IntervalUnit, Precision, TimeUnit, Type};
    let units =
        [TimeUnit::SECOND, TimeUnit::MILLISECOND, TimeUnit::MICROSECOND, TimeUnit::NANOSECOND];
    let has_one_child = || field.children().is_some_and(|children| children.len() == 1);
    let is_width = |width: i32| {
        usize::try_from(width).is_ok_and(|width| 0 < width && width <= VALUES_BYTES_MAX)
    };
    match field.type_type() {
        Type::Null | Type::Bool | Type::Struct_ => true,
        Type::Utf8 | Type::LargeUtf8 | Type::Utf8View => true,
        Type::Binary | Type::LargeBinary | Type::BinaryView => true,
        Type::Int => {
            field.type_as_int().is_some_and(|int| [8, 16, 32, 64].contains(&int.bitWidth()))
        }
        Type::FloatingPoint => field.type_as_floating_point().is_some_and(|float| {
            [Precision::HALF, Precision::SINGLE, Precision::DOUBLE].contains(&float.precision())
        }),
        Type::Decimal => field.type_as_decimal().is_some_and(is_decimal),
        Type::Date => field
            .type_as_date()
            .is_some_and(|date| [DateUnit::DAY, DateUnit::MILLISECOND].contains(&date.unit())),
        Type::Time => field.type_as_time().is_some_and(|time| match time.bitWidth() {
            32 => units[..2].contains(&time.unit()),
            64 => units[2..].contains(&time.unit()),
            _ => false,
        }),
        Type::Timestamp => {
            field.type_as_timestamp().is_some_and(|time| units.contains(&time.unit()))
        }
        Type::Duration => field.type_as_duration().is_some_and(|time| units.contains(&time.unit())),
        Type::Interval => field.type_as_interval().is_some_and(|interval| {
            [IntervalUnit::YEAR_MONTH, IntervalUnit::DAY_TIME, IntervalUnit::MONTH_DAY_NANO]
                .contains(&interval.unit())
        }),
        Type::FixedSizeBinary => {
            field.type_as_fixed_size_binary().is_some_and(|binary| is_width(binary.byteWidth()))
        }
        Type::FixedSizeList => {
            has_one_child()
                && field.type_as_fixed_size_list().is_some_and(|list| is_width(list.listSize()))
        }
        Type::List | Type::LargeList => has_one_child(),
        _ => false,
    }
}

fn is_decimal(decimal: ipc::Decimal<'_>) -> bool {
    let digits_max = match decimal.bitWidth() {
        32 => 9,
        64 => 18,
        128 => 38,
        256 => 76,
        _ => return false,
    };
    let digits = decimal.precision();
    (1..=digits_max).contains(&digits) && (-digits_max..=digits).contains(&decimal.scale())
}
