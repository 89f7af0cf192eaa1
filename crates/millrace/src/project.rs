//! A project: a folder with definitions (`*.mill`) and perhaps a configuration (`millrace.toml`).

use std::path::{Path, PathBuf};
use std::sync::Arc;

use millrace_feature::plan::Plan;
use millrace_feature::{Compiled, Severity, SourceFile, compile, render};

use crate::config::{Config, did_you_mean};
use crate::console::note;
use crate::exit::Failure;

/// The most `.mill` files of one project.
const FILES_MAX: usize = 1_000;

/// Says which project a command is about.
#[derive(clap::Args, Clone, Debug)]
pub struct Place {
    /// The project's folder: its *.mill files and millrace.toml
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub project: PathBuf,
}

/// Says whose data a command is about.
#[derive(clap::Args, Clone, Debug)]
pub struct DataPlace {
    #[command(flatten)]
    pub project: Place,
    /// The data directory; the one that millrace.toml names, if not given
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

impl DataPlace {
    /// The data that was named, of this project.
    pub fn of(project: &Place, data: Option<&Path>) -> DataPlace {
        DataPlace { project: project.clone(), data: data.map(Path::to_path_buf) }
    }

    /// Whether or not the definitions are right.
    pub fn data_dir(&self) -> Result<PathBuf, Failure> {
        match &self.data {
            Some(data) => Ok(data.clone()),
            None => {
                let Place { project } = &self.project;
                Ok(project.join(Config::of_project(project)?.storage.dir))
            }
        }
    }

    /// As [`DataPlace::data_dir`], of data that there must be.
    pub fn existing(&self) -> Result<PathBuf, Failure> {
        let dir = self.data_dir()?;
        if dir.is_dir() {
            return Ok(dir);
        }
        Err(Failure::environment(format!(
            "{}: there is no data here yet; name the project with --project DIR, or its data \
             directory with --data DIR",
            dir.display()
        )))
    }
}

/// A project whose definitions are right.
#[derive(Clone, Debug)]
pub struct Project {
    pub folder: PathBuf,
    pub config: Config,
    pub plan: Arc<Plan>,
}

impl Place {
    /// Reads and compiles the project; prints warnings.
    pub fn open(&self) -> Result<Project, Failure> {
        self.open_sources(&sources(&[], &self.project)?)
    }

    /// As [`Place::open`], of these texts.
    pub fn open_sources(&self, sources: &[SourceFile]) -> Result<Project, Failure> {
        let config = Config::of_project(&self.project)?;
        let plan = plan(sources)?;
        check_streams(&config, &plan)?;
        Ok(Project { folder: self.project.clone(), config, plan: Arc::new(plan) })
    }
}

impl Project {
    pub fn name(&self) -> String {
        if !self.config.project.name.is_empty() {
            return self.config.project.name.clone();
        }
        let folder = self.folder.canonicalize().ok();
        let name = folder.as_deref().and_then(Path::file_name);
        name.map_or_else(|| "project".to_owned(), |name| name.to_string_lossy().into_owned())
    }
}

/// What the streams of a project are called; `None` where its definitions are not right.
pub fn stream_names(place: &Place) -> Option<Vec<String>> {
    let plan = compile(&sources(&[], &place.project).ok()?).plan?;
    Some(plan.streams.iter().map(|stream| stream.schema.stream.to_string()).collect())
}

/// The plan of these texts; prints warnings.
pub fn plan(sources: &[SourceFile]) -> Result<Plan, Failure> {
    let Compiled { plan, diagnostics } = compile(sources);
    let told = render(&diagnostics, sources);
    let is_warning = diagnostics.iter().all(|d| d.severity == Severity::Warning);
    match plan {
        Some(plan) => {
            if !diagnostics.is_empty() && is_warning {
                note!("{}", told.trim_end());
            }
            Ok(plan)
        }
        None => {
            note!("{}", told.trim_end());
            Err(Failure::reported())
        }
    }
}

/// The texts of these files and folders; without any, of the project.
pub fn sources(paths: &[PathBuf], project: &Path) -> Result<Vec<SourceFile>, Failure> {
    let files = files(paths, project)?;
    files.iter().map(|path| Ok(SourceFile::new(shown(path), text(path)?))).collect()
}

/// These files and those in these folders; without any, the project's.
pub fn files(paths: &[PathBuf], project: &Path) -> Result<Vec<PathBuf>, Failure> {
    let mut files = Vec::new();
    let given: &[PathBuf] = if paths.is_empty() { &[project.to_owned()] } else { paths };
    for path in given {
        if path.is_dir() { files.extend(in_folder(path)?) } else { files.push(path.clone()) }
    }
    Ok(files)
}

fn in_folder(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(Failure::io(folder))? {
        let path = entry.map_err(Failure::io(folder))?.path();
        if path.extension().is_some_and(|e| e == "mill") && path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    let folder = folder.display();
    if files.is_empty() {
        return Err(Failure::usage(format!(
            "{folder}: no .mill files here; name a project with --project DIR, or make one with \
             `millrace init DIR`"
        )));
    }
    if files.len() > FILES_MAX {
        let given = files.len();
        let message = format!("{folder}: {given} .mill files; a project has at most {FILES_MAX}");
        return Err(Failure::user(message));
    }
    Ok(files)
}

pub fn text(path: &Path) -> Result<String, Failure> {
    let bytes = std::fs::read(path).map_err(Failure::io(path))?;
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        Failure::user(format!("{}: byte {at} is not UTF-8; save it as UTF-8", path.display()))
    })
}

/// Without the `./` that the default folder puts in front.
pub fn shown(path: &Path) -> String {
    path.strip_prefix(".").unwrap_or(path).display().to_string()
}

/// Every stream that the configuration names is defined.
pub fn check_streams(config: &Config, plan: &Plan) -> Result<(), Failure> {
    let names = || plan.streams.iter().map(|s| &*s.schema.stream);
    for name in config.streams.keys() {
        if plan.stream(name).is_none() {
            return Err(Failure::usage(format!(
                "{}: [streams.{name}]: no stream of this name is defined; {}",
                crate::config::FILE,
                did_you_mean(name, names().collect::<Vec<_>>()),
            )));
        }
    }
    Ok(())
}
