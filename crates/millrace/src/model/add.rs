//! `millrace model add`: a model file becomes a part of a project.

use std::path::{Path, PathBuf};

use millrace_feature::{SourceFile, compile};
use millrace_serving::model::{Format, Model};

use crate::console::{note, say};
use crate::exit::Failure;
use crate::project::{self, Place, shown};
use crate::whole_file;

/// Where declarations of models go that are added by the command.
const DECLARATIONS: &str = "models.mill";
const FOLDER: &str = "models";

/// Copies the file into the project and declares it there; a model of this name that is declared
/// already gets the new file.
pub fn add(file: &Path, name: &str, view: &str, place: &Place) -> Result<(), Failure> {
    let model = super::read(file)?;
    let declaration = Declaration::new(&model, name, view, place)?;
    // A decision may be there before the model that it scores.
    let is_right = compile(&project::sources(&[], &place.project)?).plan.is_some();
    let project =
        if is_right { place.open()? } else { place.open_sources(&declaration.sources(place)?)? };
    let mismatches = super::mismatches_of(&model, &project, view)?;
    if !mismatches.is_empty() {
        for mismatch in &mismatches {
            note!("{}: {mismatch}", shown(file));
        }
        return Err(Failure::user(format!(
            "view `{view}` does not serve what the model asks for; nothing was added"
        )));
    }
    match project.plan.model(name).filter(|_| is_right).map(|m| &project.plan.models[m]) {
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
        None => {
            check(&declaration.sources(place)?)?;
            let to = project.folder.join(&declaration.file);
            std::fs::create_dir_all(project.folder.join(FOLDER)).map_err(Failure::io(&to))?;
            put(file, &to)?;
            whole_file::write(&declaration.path, declaration.text.as_bytes())?;
            say!("{}: {}", shown(&to), model.hash())?;
            say!("{}:\n{}", shown(&declaration.path), declaration.own.trim_end())
        }
    }
}

/// What is to be written about a model.
struct Declaration {
    /// Of the model, in the project's folder.
    file: String,
    /// Where it is declared, and the whole text of that file with the declaration.
    path: PathBuf,
    text: String,
    own: String,
}

impl Declaration {
    fn new(model: &Model, name: &str, view: &str, place: &Place) -> Result<Declaration, Failure> {
        let ending = match model.format() {
            Format::LightGbm => "txt",
            Format::XgBoost => "json",
            Format::Onnx => "onnx",
        };
        let file = format!("{FOLDER}/{name}.{ending}");
        let own = format!("model {name} {{\n  file \"{file}\"\n  inputs {view}\n}}\n");
        let path = place.project.join(DECLARATIONS);
        let before = if path.is_file() { project::text(&path)? } else { String::new() };
        let gap = if before.is_empty() { "" } else { "\n" };
        let text = format!("{before}{gap}{own}");
        Ok(Declaration { file, path, text, own })
    }

    /// The project's texts, with the declaration.
    fn sources(&self, place: &Place) -> Result<Vec<SourceFile>, Failure> {
        let is_other = |file: &&PathBuf| **file != self.path;
        let files = project::files(&[], &place.project)?;
        let mut sources = Vec::new();
        for file in files.iter().filter(is_other) {
            sources.push(SourceFile::new(shown(file), project::text(file)?));
        }
        sources.push(SourceFile::new(shown(&self.path), self.text.clone()));
        Ok(sources)
    }
}

/// Whether the project is right with the declaration; tells what is not.
fn check(sources: &[SourceFile]) -> Result<(), Failure> {
    let wrong = "the project would not be right with this model; nothing was added";
    project::plan(sources).map(drop).map_err(|_| Failure::user(wrong))
}

fn put(from: &Path, to: &Path) -> Result<(), Failure> {
    let bytes = std::fs::read(from).map_err(Failure::io(from))?;
    whole_file::write(to, &bytes)
}
