//! Fixtures shared by the tests of the rules.

pub mod drawing;
