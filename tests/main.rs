//! Integration tests in one binary, because DataFusion and Polars take long to link.

mod bad_input;
mod chain_2023;
mod commands;
mod data_rows;
mod documentation;
mod drawn;
mod earlier_tables;
mod files;
mod first_version;
mod folders;
mod generator;
mod golden;
mod harness;
mod imports;
mod judge;
mod layout;
mod loads;
mod prompt;
mod properties;
mod service;
mod sql;
mod transitions;
mod untidy_files;
mod versions;
mod wire;
mod zone_rules;
