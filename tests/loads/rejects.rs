//! Contents of the table `rejects`.

use super::{HOURS, POLLS, asked, done, files};
use crate::earlier_tables::drop_columns;

const COLUMNS: &str = "SELECT version AS v, file, line, \"column\", store_id FROM";

#[test]
fn a_reject_names_its_store_where_the_id_can_be_read() {
    let folder = files(&[
        (
            "1.csv",
            &format!("{POLLS}a,active,2023-01-24 10:00:00 UTC\nb,asleep,2023-01-24\n,up,x\n"),
        ),
        (
            "2.csv",
            &format!(
                "{HOURS}\"c \"\"1\"\"\",0,\"09:00,17:00\n\"d,0,09:00,17:00\ne\na,0,09:00,17:00\n"
            ),
        ),
    ]);
    let folder = folder.path();
    done(folder, "ingest --max-reject-rate 1 1.csv");
    let first = "v,file,line,column,store_id\n1,1.csv,3,timestamp_utc,b\n1,1.csv,4,store_id,\n";
    assert_eq!(asked(folder, &format!("{COLUMNS} rejects ORDER BY 1, 2, 3")), first);

    // A program that knew no stores of rejects.
    drop_columns(&folder.join("data/rejects"), &["store_id"]);
    let first = first.replace(",b", ",");
    assert_eq!(asked(folder, &format!("{COLUMNS} rejects ORDER BY 1, 2, 3")), first);
    done(folder, "ingest --max-reject-rate 1 2.csv");
    let both = format!(
        "{first}2,2.csv,2,start_time_local,\"c \"\"1\"\"\"\n2,2.csv,3,store_id,\n2,2.csv,4,\"\",e\n"
    );
    assert_eq!(asked(folder, &format!("{COLUMNS} rejects ORDER BY 1, 2, 3")), both);
    let before = asked(folder, &format!("{COLUMNS} as_of('rejects', 1) ORDER BY 1, 2, 3"));
    assert_eq!(before, first);
}
