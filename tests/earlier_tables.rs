//! Tables written by earlier versions, without columns that were added later.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::RecordBatch;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;

/// Entries of a folder with the extension.
pub fn files_in(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.to_str().unwrap().ends_with(ending)).collect()
}

/// Takes the columns from every file of the table in the folder, and from its log.
pub fn drop_columns(table: &Path, columns: &[&str]) {
    std::fs::remove_dir_all(table.join("_files")).unwrap();
    let sizes: Vec<_> =
        files_in(table, ".parquet").iter().map(|path| drop_from_file(path, columns)).collect();
    for path in files_in(&table.join("_delta_log"), ".json") {
        let text = std::fs::read_to_string(&path).unwrap();
        let lines = text.lines().map(|line| drop_from_log(line, columns, &sizes) + "\n");
        std::fs::write(&path, lines.collect::<String>()).unwrap();
    }
}

/// Writes the file anew; its name and its size.
fn drop_from_file(path: &Path, columns: &[&str]) -> (String, u64) {
    let reader =
        ParquetRecordBatchReaderBuilder::try_new(std::fs::File::open(path).unwrap()).unwrap();
    let batches: Vec<RecordBatch> = reader.build().unwrap().map(Result::unwrap).collect();
    let schema = batches[0].schema();
    let kept = (0..schema.fields().len())
        .filter(|at| !columns.contains(&schema.field(*at).name().as_str()))
        .collect::<Vec<_>>();
    let projected = Arc::new(schema.project(&kept).unwrap());
    let file = std::fs::File::create(path).unwrap();
    let mut writer = ArrowWriter::try_new(file, projected, None).unwrap();
    batches.iter().for_each(|batch| writer.write(&batch.project(&kept).unwrap()).unwrap());
    writer.close().unwrap();
    let name = path.file_name().unwrap().to_str().unwrap().to_owned();
    (name, std::fs::metadata(path).unwrap().len())
}

/// A line of a log without the columns, and with the sizes of the files.
fn drop_from_log(line: &str, columns: &[&str], sizes: &[(String, u64)]) -> String {
    let mut action: Value = serde_json::from_str(line).unwrap();
    if let Some(add) = action.get_mut("add") {
        let size = sizes.iter().find(|(name, _)| add["path"] == **name).unwrap().1;
        add["size"] = size.into();
    }
    if let Some(metadata) = action.get_mut("metaData") {
        let mut schema: Value =
            serde_json::from_str(metadata["schemaString"].as_str().unwrap()).unwrap();
        let fields = schema["fields"].as_array_mut().unwrap();
        fields.retain(|field| !columns.contains(&field["name"].as_str().unwrap()));
        metadata["schemaString"] = schema.to_string().into();
    }
    action.to_string()
}
