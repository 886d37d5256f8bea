//! How far a query has read, for whoever waits for its rows.

use std::sync::{Arc, OnceLock};

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::datasource::physical_plan::FileScanConfig;
use datafusion::datasource::source::DataSourceExec;
use datafusion::physical_plan::ExecutionPlan;

/// Looks at the plan of a running query. What comes after the reading, a sort say, is not counted.
#[derive(Clone, Debug, Default)]
pub struct Progress(Arc<OnceLock<Arc<dyn ExecutionPlan>>>);

/// Files, each as often as a part of it is to be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FilesRead {
    pub read: usize,
    pub of: usize,
}

impl Progress {
    pub(super) fn watch(&self, plan: &Arc<dyn ExecutionPlan>) {
        drop(self.0.set(Arc::clone(plan)));
    }

    /// Nothing of nothing before the query is planned.
    pub fn files(&self) -> FilesRead {
        let mut files = FilesRead::default();
        if let Some(plan) = self.0.get() {
            let walked = plan.apply(|node| {
                files.add(node.as_ref());
                Ok(TreeNodeRecursion::Continue)
            });
            debug_assert!(walked.is_ok());
        }
        files
    }
}

impl FilesRead {
    fn add(&mut self, node: &dyn ExecutionPlan) {
        let Some(scan) = node.downcast_ref::<DataSourceExec>() else { return };
        let Some(config) = scan.data_source().downcast_ref::<FileScanConfig>() else { return };
        self.of += config.file_groups.iter().map(|group| group.len()).sum::<usize>();
        let metrics = scan.metrics().and_then(|metrics| metrics.sum_by_name("files_processed"));
        self.read += metrics.map_or(0, |metric| metric.as_usize());
    }
}
