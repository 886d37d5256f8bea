//! Progress of a running query in files read.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::datasource::physical_plan::FileScanConfig;
use datafusion::datasource::source::DataSourceExec;
use datafusion::physical_plan::ExecutionPlan;

/// Reads progress from the metrics of a running plan. Operators above the scans, such as a sort,
/// are not counted.
#[derive(Clone, Debug, Default)]
pub struct Progress(Arc<Mutex<Watched>>);

#[derive(Clone, Debug, Default)]
enum Watched {
    #[default]
    Nothing,
    Plan(Arc<dyn ExecutionPlan>),
    /// Final progress; the plan is dropped, as it retains the memory of its operators.
    Ended(FilesRead),
}

/// Number of files read and in total. A file counts once per partition that reads a part of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FilesRead {
    pub read: usize,
    pub of: usize,
}

impl Progress {
    pub(super) fn watch(&self, plan: &Arc<dyn ExecutionPlan>) {
        let mut watched = self.watched();
        if matches!(*watched, Watched::Nothing) {
            *watched = Watched::Plan(Arc::clone(plan));
        }
    }

    /// Records the final progress and drops the plan.
    pub(super) fn end(&self) {
        let files = self.files();
        let plan = std::mem::replace(&mut *self.watched(), Watched::Ended(files));
        drop(plan);
    }

    /// Progress so far; zero of zero before the query is planned.
    pub fn files(&self) -> FilesRead {
        let watched = self.watched().clone();
        match watched {
            Watched::Nothing => FilesRead::default(),
            Watched::Plan(plan) => FilesRead::from_plan(&plan),
            Watched::Ended(files) => files,
        }
    }

    fn watched(&self) -> MutexGuard<'_, Watched> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl FilesRead {
    fn from_plan(plan: &Arc<dyn ExecutionPlan>) -> Self {
        let mut files = Self::default();
        let walked = plan.apply(|node| {
            files.add(node.as_ref());
            Ok(TreeNodeRecursion::Continue)
        });
        debug_assert!(walked.is_ok());
        files
    }

    fn add(&mut self, node: &dyn ExecutionPlan) {
        let Some(scan) = node.downcast_ref::<DataSourceExec>() else { return };
        let Some(config) = scan.data_source().downcast_ref::<FileScanConfig>() else { return };
        self.of += config.file_groups.iter().map(|group| group.len()).sum::<usize>();
        let metrics = scan.metrics().and_then(|metrics| metrics.sum_by_name("files_processed"));
        self.read += metrics.map_or(0, |metric| metric.as_usize());
    }
}
