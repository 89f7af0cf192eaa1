//! What a lift leaves behind: tables, a page, JSON, models.

use std::path::Path;

use millrace_lift::experiment::{Cell, Trial};
use millrace_lift::render::{to_html, to_text};
use millrace_lift::report::Report;
use millrace_lift::to_lightgbm_text;

use super::{Args, note};
use crate::console::{bytes, say};
use crate::exit::Failure;
use crate::whole_file;

pub fn write(args: &Args, report: &Report) -> Result<(), Failure> {
    if args.json {
        say!("{}", serde_json::to_string(report).map_err(Failure::bug)?)?;
    } else {
        bytes(to_text(report).as_bytes())?;
    }
    if let Some(path) = &args.output {
        whole_file::write(path, to_html(report).as_bytes())?;
        note!("the page is {}", path.display());
    }
    match (&args.save_models, report.trials.first()) {
        (Some(folder), Some(trial)) => save(folder, trial),
        (Some(_), None) | (None, _) => Ok(()),
    }
}

/// Writes the models of a trial, and says from which score on each budget is full.
fn save(folder: &Path, trial: &Trial) -> Result<(), Failure> {
    std::fs::create_dir_all(folder).map_err(Failure::io(folder))?;
    for (model, cell) in trial.models.iter().zip(&trial.fresh) {
        let Cell { served, thresholds, .. } = cell;
        let path = folder.join(format!("{served}.txt"));
        whole_file::write(&path, to_lightgbm_text(model)?.as_bytes())?;
        note!(
            "{}: {} trees; one event in a hundred scores {:.6} or more, and one good event in a \
             thousand {:.6}",
            path.display(),
            model.trees.len(),
            thresholds.alerts,
            thresholds.fpr
        );
    }
    Ok(())
}
