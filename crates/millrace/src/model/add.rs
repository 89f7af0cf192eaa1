//! `millrace model add`: a model file becomes a part of a project.

use std::path::{Path, PathBuf};

use millrace_feature::{Compiled, SourceFile, compile};
use millrace_serving::model::{Format, Model};

use crate::console::{note, say};
use crate::exit::Failure;
use crate::project::{self, Place, Project, shown};
use crate::whole_file;

/// Where declarations of models go that are added by the command.
const DECLARATIONS: &str = "models.mill";
const FOLDER: &str = "models";

/// Copies the file into the project and declares it there; a model of this name that is declared
/// already gets the new file.
pub fn add(file: &Path, name: &str, view: &str, place: &Place) -> Result<(), Failure> {
    let model = super::read(file)?;
    let project = place.open()?;
    let mismatches = super::mismatches_of(&model, &project, view)?;
    if !mismatches.is_empty() {
        for mismatch in &mismatches {
            note!("{}: {mismatch}", shown(file));
        }
        return Err(Failure::user(format!(
            "view `{view}` does not serve what the model asks for; nothing was added"
        )));
    }
    match project.plan.model(name).map(|m| &project.plan.models[m]) {
        Some(declared) if &*project.plan.views[declared.view].name != view => {
            Err(Failure::user(format!(
                "model `{name}` is declared with another view; change its declaration, or choose \
                 another name"
            )))
        }
        Some(declared) => {
            let to = project.folder.join(&*declared.file);
            let before = super::read(&to).ok();
            put(file, &to)?;
            if let Some(before) = before {
                say!("{}: was {}", shown(&to), before.hash())?;
            }
            say!("{}: {}, of model `{name}`", shown(&to), model.hash())
        }
        None => declare(&project, file, &model, name, view),
    }
}

fn declare(
    project: &Project,
    file: &Path,
    model: &Model,
    name: &str,
    view: &str,
) -> Result<(), Failure> {
    let ending = match model.format() {
        Format::LightGbm => "txt",
        Format::XgBoost => "json",
        Format::Onnx => "onnx",
    };
    let relative = format!("{FOLDER}/{name}.{ending}");
    let declaration = format!("model {name} {{\n  file \"{relative}\"\n  inputs {view}\n}}\n");
    let path = project.folder.join(DECLARATIONS);
    let before = if path.is_file() { project::text(&path)? } else { String::new() };
    let gap = if before.is_empty() { "" } else { "\n" };
    let text = format!("{before}{gap}{declaration}");
    check(project, &path, &text)?;
    let to = project.folder.join(&relative);
    std::fs::create_dir_all(project.folder.join(FOLDER)).map_err(Failure::io(&to))?;
    put(file, &to)?;
    whole_file::write(&path, text.as_bytes())?;
    say!("{}: {}", shown(&to), model.hash())?;
    say!("{}:\n{}", shown(&path), declaration.trim_end())
}

/// Whether the project is still right with this text in this file.
fn check(project: &Project, path: &Path, text: &str) -> Result<(), Failure> {
    let is_other = |file: &PathBuf| file != path;
    let files = project::files(&[], &project.folder)?;
    let mut sources = Vec::new();
    for file in files.iter().filter(|file| is_other(file)) {
        sources.push(SourceFile::new(shown(file), project::text(file)?));
    }
    sources.push(SourceFile::new(shown(path), text.to_owned()));
    let Compiled { plan, diagnostics } = compile(&sources);
    if plan.is_some() {
        return Ok(());
    }
    note!("{}", millrace_feature::render(&diagnostics, &sources).trim_end());
    Err(Failure::user("the project would not be right with this model; nothing was added"))
}

fn put(from: &Path, to: &Path) -> Result<(), Failure> {
    let bytes = std::fs::read(from).map_err(Failure::io(from))?;
    whole_file::write(to, &bytes)
}
