//! Names, columns and order of each table.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};

/// Every table of a dataset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Table {
    /// One row a store and instant, in one file a UTC day, sorted by store, then instant.
    Polls,
    /// For each day of `polls`, every store's last poll before that day: what a report of that
    /// day on has to know of all the history before it.
    Carried,
    /// One row for every store that was ever polled, or has hours or a zone.
    Stores,
    /// The latest business hours, whole.
    BusinessHours,
    /// The latest time zones, whole.
    TimeZones,
    /// Rows that were not loaded, and why.
    Rejects,
    /// Polls that contradict another of the same store and instant, up to a limit a load.
    Conflicts,
    /// The rules of every time zone of one edition, as TZif; none in versions of earlier programs.
    ZoneRules,
    /// Every file loaded, and the version of each table that its load left behind.
    Loads,
}

impl Table {
    /// Those whose versions a commit to `loads` names.
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

    /// Name in SQL, and of its folder.
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

    /// The UTC date by which files are divided; a column of the table, but not of its files.
    pub fn partition_column(self) -> Option<&'static str> {
        match self {
            Table::Polls => Some("polled_on"),
            Table::Carried => Some("carried_into"),
            _ => None,
        }
    }

    /// Columns by which each file is sorted, ascending; text by its bytes.
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
    /// `store_no` is a store's number within the dataset, given once and kept: shorter to group and
    /// join by than its id.
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
                // Earlier programs did not write it.
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
                // Those that earlier programs did not write are nullable, and last.
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

    /// Columns as SQL sees them: those of the files, then the partition column.
    pub fn schema(self) -> SchemaRef {
        let mut fields = self.file_schema().fields().to_vec();
        let partition = self.partition_column();
        fields.extend(partition.map(|name| Arc::new(Field::new(name, DataType::Date32, false))));
        Arc::new(Schema::new(fields))
    }

    /// Column of `loads` that names this table's version.
    pub fn version_column(self) -> String {
        format!("{}_version", self.name())
    }
}
