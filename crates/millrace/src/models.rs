//! The models of a project: read, and checked against the views that are their inputs.

use std::path::Path;
use std::sync::Arc;

use millrace_feature::plan::Plan;
use millrace_serving::Models;

use crate::exit::Failure;
use crate::model;
use crate::project::shown;

/// Reads the file of every model that the project in this folder declares.
pub fn load(folder: &Path, plan: &Plan) -> Result<Models, Failure> {
    let mut given = Vec::new();
    for declared in &plan.models {
        let path = folder.join(&*declared.file);
        if !path.is_file() {
            let (name, view) = (&declared.name, &plan.views[declared.view].name);
            return Err(Failure::user(format!(
                "model `{name}`: there is no file {}; put it there, or use \
                 `millrace model add FILE --name {name} --view {view}`",
                shown(&path)
            )));
        }
        let read = model::read(&path).map_err(|failure| Failure {
            message: format!("model `{}`: {}", declared.name, failure.message),
            ..failure
        })?;
        given.push(Some(Arc::new(read)));
    }
    Models::new(plan, given).map_err(Failure::user)
}
