//! Lists of `Int64`, the encoding of partial aggregate states.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, ListArray};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, FieldRef, Int64Type};
use datafusion::scalar::ScalarValue;

fn item() -> FieldRef {
    Arc::new(Field::new("item", DataType::Int64, false))
}

pub fn integer_list_type() -> DataType {
    DataType::List(item())
}

pub fn integer_list_value(numbers: Vec<i64>) -> ScalarValue {
    let offsets = OffsetBuffer::from_lengths([numbers.len()]);
    let values = Arc::new(Int64Array::from(numbers));
    ScalarValue::List(Arc::new(ListArray::new(item(), offsets, values, None)))
}

/// Column of integer lists.
pub struct IntegerLists<'a> {
    lists: &'a ListArray,
    values: &'a [i64],
}

impl<'a> IntegerLists<'a> {
    pub fn new(column: &'a ArrayRef) -> Self {
        let lists = column.as_list::<i32>();
        Self { lists, values: lists.values().as_primitive::<Int64Type>().values() }
    }

    /// Integers of a row; empty for null.
    pub fn row(&self, row: usize) -> &'a [i64] {
        if self.lists.is_null(row) {
            return &[];
        }
        let offsets = self.lists.value_offsets();
        &self.values[offsets[row] as usize..offsets[row + 1] as usize]
    }
}
