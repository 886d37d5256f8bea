//! Division of files among the threads of a scan that is not partitioned by store.

use crate::tables::TableFile;

/// Divides the files, in their order, into at most `groups_max` groups of similar size; at least
/// one.
pub fn balanced_groups<'a>(files: &[&'a TableFile], groups_max: usize) -> Vec<Vec<&'a TableFile>> {
    let total: u64 = files.iter().map(|file| file.size_bytes).sum();
    let mut groups: Vec<Vec<&TableFile>> = Vec::new();
    let (mut passed, mut last_group) = (0, None);
    for file in files {
        // Group into which the middle of the file falls.
        let middle = passed + file.size_bytes / 2;
        let group = middle * groups_max as u64 / total.max(1);
        match groups.last_mut() {
            Some(run) if last_group == Some(group) => run.push(file),
            _ => groups.push(vec![file]),
        }
        (passed, last_group) = (passed + file.size_bytes, Some(group));
    }
    if groups.is_empty() { vec![Vec::new()] } else { groups }
}
