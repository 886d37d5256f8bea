//! Tests of whole statements, beside those of each module.

mod function_examples;
mod limits;
