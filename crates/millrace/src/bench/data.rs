//! The data sets of `bench card-features`, as files that are kept from run to run.

use std::path::{Path, PathBuf};

use millrace_payments::card_features::{
    DEFINITIONS, Preset, Row, Rows, Workload, in_time_order, write_csv,
};

use crate::exit::Failure;

/// A data set of a certain length.
#[derive(Clone, Copy, Debug)]
pub struct DataSet {
    pub preset: Preset,
    pub workload: Workload,
}

impl DataSet {
    pub fn new(preset: Preset, rows: Option<u32>) -> DataSet {
        let workload = preset.workload();
        let rows = rows.unwrap_or(workload.rows);
        DataSet { preset, workload: Workload { rows, ..workload } }
    }

    /// Names its files; another length has another name.
    pub fn name(&self) -> String {
        format!("{}-{}", self.preset, self.workload.rows)
    }

    /// The rows in memory, in the order of time, as the floor takes them.
    pub fn rows(&self) -> Vec<Row> {
        in_time_order(Rows::new(self.workload))
    }

    /// Its CSV files, written unless they are there already; and the definitions beside them.
    pub fn files(&self, folder: &Path) -> Result<Vec<PathBuf>, Failure> {
        let project = folder.join("project");
        std::fs::create_dir_all(&project).map_err(Failure::io(&project))?;
        let definitions = project.join("card_features.mill");
        std::fs::write(&definitions, DEFINITIONS).map_err(Failure::io(&definitions))?;
        let whole = folder.join(format!("{}.csv", self.name()));
        if !whole.exists() {
            // Under another name until they are whole, so that a run that was stopped leaves none.
            let partial = format!("{}.{}.partial", self.name(), std::process::id());
            let from = folder.join(format!("{partial}.csv"));
            write_csv(folder, &partial, Rows::new(self.workload)).map_err(Failure::io(&from))?;
            std::fs::rename(&from, &whole).map_err(Failure::io(&whole))?;
        }
        Ok(["part-0.csv", "part-1.csv"].map(|part| whole.join(part)).to_vec())
    }
}

/// Where the files go, unless the command says so.
pub fn default_folder() -> PathBuf {
    std::env::temp_dir().join("millrace-bench")
}
