//! Names, columns and sort order of the tables.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};

/// Table of a dataset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Table {
    /// Polls, one row per store and instant; one file per UTC day, sorted by store, then instant.
    Polls,
    /// Carried polls: for each day of `polls`, the last poll of every store before that day. A
    /// report from that day on needs no earlier files.
    Carried,
    /// Stores, one row each if it was ever polled, or has hours or a zone.
    Stores,
    /// Latest business hours.
    BusinessHours,
    /// Latest time zones.
    TimeZones,
    /// Rows that were not loaded, and why.
    Rejects,
    /// Polls that contradict another of the same store and instant, up to a limit per load.
    Conflicts,
    /// TZif data of every zone of one edition; empty in versions written by earlier programs.
    ZoneRules,
    /// Files loaded, with the resulting version of each table.
    Loads,
}

impl Table {
    /// Tables whose versions are recorded in `loads`.
    pub const VERSIONED: [Table; 8] = [
        Table::Polls,
        Table::Carried,
        Table::Stores,
        Table::BusinessHours,
        Table::TimeZones,
        Table::Rejects,
        Table::Conflicts,
        Table::ZoneRules,
    ];

    /// Name in SQL and of the folder.
    pub fn name(self) -> &'static str {
        match self {
            Table::Polls => "polls",
            Table::Carried => "carried",
            Table::Stores => "stores",
            Table::BusinessHours => "business_hours",
            Table::TimeZones => "time_zones",
            Table::Rejects => "rejects",
            Table::Conflicts => "conflicts",
            Table::ZoneRules => "zone_rules",
            Table::Loads => "loads",
        }
    }

    /// UTC date by which files are partitioned; a column of the table, but not of its files.
    pub fn partition_column(self) -> Option<&'static str> {
        match self {
            Table::Polls => Some("polled_on"),
            Table::Carried => Some("carried_into"),
            _ => None,
        }
    }

    /// Columns by which each file is sorted, ascending; text by bytes.
    pub fn sorted_by(self) -> &'static [&'static str] {
        match self {
            Table::Polls => &["store_id", "polled_at"],
            Table::Carried | Table::Stores | Table::TimeZones => &["store_id"],
            Table::BusinessHours => &["store_id", "day_of_week", "start_local_s", "end_local_s"],
            Table::ZoneRules => &["zone"],
            Table::Rejects | Table::Conflicts | Table::Loads => &[],
        }
    }

    /// Columns of the files.
    ///
    /// `store_no` numbers the stores of the dataset. Assigned once and kept, it is shorter to group
    /// and join by than the id.
    pub fn file_schema(self) -> SchemaRef {
        let text = |name: &str| Field::new(name, DataType::Utf8, false);
        let number = |name: &str| Field::new(name, DataType::Int32, false);
        let count = |name: &str| Field::new(name, DataType::Int64, false);
        let instant = |name: &str, nullable| {
            Field::new(
                name,
                DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
                nullable,
            )
        };
        let fields = match self {
            Table::Polls | Table::Carried => vec![
                text("store_id"),
                number("store_no"),
                instant("polled_at", false),
                Field::new("active", DataType::Boolean, false),
            ],
            Table::Stores => vec![
                text("store_id"),
                number("store_no"),
                instant("first_polled_at", true),
                instant("last_polled_at", true),
                count("polls"),
                Field::new("has_business_hours", DataType::Boolean, false),
                Field::new("has_time_zone", DataType::Boolean, false),
            ],
            Table::BusinessHours => vec![
                text("store_id"),
                number("store_no"),
                Field::new("day_of_week", DataType::Int8, false),
                number("start_local_s"),
                number("end_local_s"),
            ],
            Table::TimeZones => {
                vec![text("store_id"), number("store_no"), text("time_zone")]
            }
            Table::Rejects => vec![
                count("version"),
                text("file"),
                count("line"),
                text("column"),
                text("reason"),
                text("text"),
                // Nullable: missing in files of earlier programs.
                Field::new("store_id", DataType::Utf8, true),
            ],
            Table::Conflicts => vec![
                count("version"),
                text("store_id"),
                instant("polled_at", false),
                text("status"),
                Field::new("file", DataType::Utf8, true),
                Field::new("line", DataType::Int64, true),
                text("other_status"),
                Field::new("other_file", DataType::Utf8, true),
                Field::new("other_line", DataType::Int64, true),
            ],
            Table::ZoneRules => {
                vec![text("zone"), text("edition"), Field::new("tzif", DataType::Binary, false)]
            }
            Table::Loads => {
                let mut fields = vec![
                    count("version"),
                    instant("loaded_at", false),
                    text("kind"),
                    text("file"),
                    text("content_hash"),
                    count("rows"),
                    count("rejected"),
                ];
                // Columns missing in files of earlier programs are nullable and come last.
                let version = |table: Table| {
                    let is_later = matches!(table, Table::Conflicts | Table::ZoneRules);
                    Field::new(table.version_column(), DataType::Int64, is_later)
                };
                fields.extend(Table::VERSIONED.map(version));
                fields.push(Field::new("zone_rules", DataType::Utf8, true));
                fields
            }
        };
        Arc::new(Schema::new(fields))
    }

    /// Columns in SQL: those of the files, then the partition column.
    pub fn schema(self) -> SchemaRef {
        let mut fields = self.file_schema().fields().to_vec();
        let partition = self.partition_column();
        fields.extend(partition.map(|name| Arc::new(Field::new(name, DataType::Date32, false))));
        Arc::new(Schema::new(fields))
    }

    /// Column of `loads` with the version of this table.
    pub fn version_column(self) -> String {
        format!("{}_version", self.name())
    }
}
