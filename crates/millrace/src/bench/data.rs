//! The data sets of `bench card-features`, as files that are kept from run to run.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use millrace_connector::{RowWriter, WriteOptions};
use millrace_event::Type;
use millrace_payments::card_features::{
    DEFINITIONS, Preset, Row, Rows, Workload, in_time_order, rows_to_batch, write_csv,
};

use crate::exit::Failure;
use crate::project::Place;

/// Rows that are written together.
const BLOCK_ROWS: usize = 1 << 16;

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

    /// As [`DataSet::files`], in Parquet.
    pub fn parquet_files(&self, folder: &Path) -> Result<Vec<PathBuf>, Failure> {
        let project = self.project(folder)?;
        let parts = [0, 1].map(|part| folder.join(format!("{}-{part}.parquet", self.name())));
        if parts.iter().all(|part| part.exists()) {
            return Ok(parts.to_vec());
        }
        let plan = Place { project }.open()?.plan;
        let schema = &plan.streams[0].schema;
        let fields: Vec<(&str, Type)> =
            schema.fields.iter().map(|field| (&*field.name, field.ty.clone())).collect();
        let create = |part: &PathBuf| RowWriter::create(part, &fields, WriteOptions::default());
        let mut writers = parts.iter().map(create).collect::<Result<Vec<_>, _>>()?;
        let mut rows = Rows::new(self.workload);
        loop {
            let some: Vec<Row> = rows.by_ref().take(BLOCK_ROWS).collect();
            if some.is_empty() {
                break;
            }
            for (part, writer) in writers.iter_mut().enumerate() {
                let own = some.iter().filter(|row| row.id as usize % 2 == part).copied();
                let batch = rows_to_batch(Arc::clone(schema), &own.collect::<Vec<_>>());
                let batch = batch.map_err(Failure::bug)?;
                writer.write(&batch.columns.iter().collect::<Vec<_>>(), 0..batch.len())?;
            }
        }
        writers.into_iter().try_for_each(RowWriter::finish)?;
        Ok(parts.to_vec())
    }

    /// The folder with the definitions.
    fn project(&self, folder: &Path) -> Result<PathBuf, Failure> {
        let project = folder.join("project");
        std::fs::create_dir_all(&project).map_err(Failure::io(&project))?;
        let definitions = project.join("card_features.mill");
        std::fs::write(&definitions, DEFINITIONS).map_err(Failure::io(&definitions))?;
        Ok(project)
    }

    /// Its CSV files, written unless they are there already; and the definitions beside them.
    pub fn files(&self, folder: &Path) -> Result<Vec<PathBuf>, Failure> {
        self.project(folder)?;
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
