//! Validation of a record batch's claimed lengths against its bytes.

use arrow::datatypes::{DataType, SchemaRef};
use arrow::ipc;

/// Limit on elements of all columns, nested ones included: null arrays have no bytes to bound.
pub const ELEMENTS_MAX: usize = 1 << 20;

/// Claimed length and null count of an array.
struct Node {
    length: usize,
    nulls: usize,
}

/// Claims of a record batch, in the depth-first order in which columns consume them.
pub struct Layout {
    nodes: std::vec::IntoIter<Node>,
    /// Lengths of the buffers in bytes.
    buffers: std::vec::IntoIter<usize>,
    /// Numbers of variadic buffers, per view column.
    variadic: std::vec::IntoIter<usize>,
}

impl Layout {
    /// Reads the claims; `None` if a number is negative, or buffers or elements exceed a limit.
    pub fn read(batch: ipc::RecordBatch<'_>, body_bytes: usize) -> Option<Self> {
        let number = |claimed: i64| usize::try_from(claimed).ok();
        let (mut elements_left, mut bytes_left) = (ELEMENTS_MAX, body_bytes);
        let nodes = batch.nodes()?.iter().map(|node| {
            let node = Node { length: number(node.length())?, nulls: number(node.null_count())? };
            elements_left = elements_left.checked_sub(node.length)?;
            (node.nulls <= node.length).then_some(node)
        });
        let nodes = nodes.collect::<Option<Vec<_>>>()?;
        let buffers = batch.buffers()?.iter().map(|buffer| {
            let (offset, length) = (number(buffer.offset())?, number(buffer.length())?);
            bytes_left = bytes_left.checked_sub(length)?;
            (offset.checked_add(length)? <= body_bytes).then_some(length)
        });
        let buffers = buffers.collect::<Option<Vec<_>>>()?;
        let variadic = batch.variadicBufferCounts().into_iter().flatten().map(number);
        let variadic = variadic.collect::<Option<Vec<_>>>()?;
        Some(Self {
            nodes: nodes.into_iter(),
            buffers: buffers.into_iter(),
            variadic: variadic.into_iter(),
        })
    }

    /// Number of rows; `None` if the claims do not match the columns' types.
    pub fn rows(mut self, batch: ipc::RecordBatch<'_>, schema: &SchemaRef) -> Option<usize> {
        let rows = usize::try_from(batch.length()).ok()?;
        for field in schema.fields() {
            (self.column(field.data_type())? == rows).then_some(())?;
        }
        self.variadic.next().is_none().then_some(rows)
    }

    /// Consumes the claims of a column and returns its number of elements.
    fn column(&mut self, data_type: &DataType) -> Option<usize> {
        let Node { length, nulls } = self.nodes.next()?;
        if data_type.is_null() {
            return Some(length);
        }
        let validity_bytes = self.buffers.next()?;
        (nulls == 0 || length.div_ceil(8) <= validity_bytes).then_some(())?;
        match data_type {
            DataType::Boolean => self.buffer(length.div_ceil(8))?,
            DataType::Utf8 | DataType::Binary => {
                self.offsets(length, 4).and_then(|()| self.buffer(0))?
            }
            DataType::LargeUtf8 | DataType::LargeBinary => {
                self.offsets(length, 8).and_then(|()| self.buffer(0))?;
            }
            DataType::Utf8View | DataType::BinaryView => {
                self.numbers(length, 16)?;
                for _ in 0..self.variadic.next()? {
                    self.buffer(0)?;
                }
            }
            DataType::List(item) => {
                self.offsets(length, 4)?;
                self.column(item.data_type())?;
            }
            DataType::LargeList(item) => {
                self.offsets(length, 8)?;
                self.column(item.data_type())?;
            }
            DataType::FixedSizeList(item, size) => {
                let needed = length.checked_mul(usize::try_from(*size).ok()?)?;
                (self.column(item.data_type())? >= needed).then_some(())?;
            }
            DataType::Struct(fields) => {
                for field in fields {
                    (self.column(field.data_type())? == length).then_some(())?;
                }
            }
            DataType::FixedSizeBinary(width) => {
                self.buffer(length.checked_mul(usize::try_from(*width).ok()?)?)?;
            }
            other => self.buffer(length.checked_mul(other.primitive_width()?)?)?,
        }
        Some(length)
    }

    /// Consumes a buffer of at least `bytes`.
    fn buffer(&mut self, bytes: usize) -> Option<()> {
        (self.buffers.next()? >= bytes).then_some(())
    }

    /// Consumes the offsets of an array: one more than its elements, or none if empty.
    fn offsets(&mut self, length: usize, width: usize) -> Option<()> {
        let offsets = if length == 0 { 0 } else { length + 1 };
        self.numbers(offsets, width)
    }

    /// Consumes a buffer of at least `count` numbers and no partial one, on which `arrow-data`
    /// would panic.
    fn numbers(&mut self, count: usize, width: usize) -> Option<()> {
        let bytes = self.buffers.next()?;
        (bytes >= count.checked_mul(width)? && bytes.is_multiple_of(width)).then_some(())
    }
}
