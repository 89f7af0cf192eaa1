//! `millrace model`: looks at model files, and scores and explains rows with them.

mod add;
mod rows;
mod write;

use std::path::{Path, PathBuf};

use millrace_serving::inputs;
use millrace_serving::model::{
    Attribution, FeatureKind, Mismatch, Model, ModelFeature, Size, limits,
};
use serde_json::json;

use crate::compute::find_view;
use crate::console::{counted, note, say};
use crate::exit::Failure;
use crate::project::{Place, Project, shown};
use rows::{Row, Rows};
use write::Output;

/// Looks at model files, and scores and explains rows with them
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  millrace model check fraud.txt
  millrace model check fraud.txt --view checkout
  millrace model score fraud.txt --rows train.csv -o scores.csv
  millrace model explain fraud.txt --rows flagged.ndjson --exact

Models are LightGBM's text files (`booster.save_model(\"model.txt\")`) and XGBoost's JSON files
(`booster.save_model(\"model.json\")`). Scores are the library's own, to the last bit. A build with
`--features onnx` reads ONNX files as well, in 32 bits and without explanations.")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand, Debug)]
enum Command {
    /// Reads a model file, and says what it asks for
    #[command(after_help = "Examples:
  millrace model check fraud.txt
  millrace model check fraud.json --json
  millrace model check fraud.txt --view checkout --project risk

With --view, every feature of the model that the view does not serve as it needs is told.")]
    Check {
        /// The model file
        file: PathBuf,
        /// A view of the project, whose columns are to be the model's features
        #[arg(long, value_name = "NAME")]
        view: Option<String>,
        #[command(flatten)]
        place: Place,
        /// Print the result as JSON
        #[arg(long)]
        json: bool,
    },
    /// Takes a model file into the project: copies it, and declares it
    #[command(after_help = "Examples:
  millrace model add fraud.txt --name risk --view checkout
  millrace model add fraud-2.txt --name risk --view checkout     a new file for the same model

The file is copied to models/NAME.txt, .json or .onnx, and its declaration is written to models.mill, where
the model is not declared yet. A server takes it up when it starts.")]
    Add {
        /// The model file
        file: PathBuf,
        /// What it is called in decisions
        #[arg(long, value_name = "NAME")]
        name: String,
        /// The view whose columns are its features
        #[arg(long, value_name = "NAME")]
        view: String,
        #[command(flatten)]
        place: Place,
    },
    /// Scores each row of a file
    #[command(after_help = "Examples:
  millrace model score fraud.txt --rows train.csv
  millrace model score fraud.txt --rows train.ndjson -o scores.ndjson

The raw score is the sum of the leaves, and the score what the model predicts, such as a probability.")]
    Score {
        #[command(flatten)]
        scored: Scored,
    },
    /// Says for each row of a file what each feature adds to its raw score
    #[command(after_help = "Examples:
  millrace model explain fraud.txt --rows flagged.ndjson
  millrace model explain fraud.txt --rows flagged.ndjson --exact --json

By the path that the row took through the trees, which costs no more than the score; with --exact as
Shapley values (TreeSHAP), which are fair between features and take milliseconds for a row. Bias and
contributions add up to the raw score.")]
    Explain {
        #[command(flatten)]
        scored: Scored,
        /// Shapley values, instead of the path
        #[arg(long)]
        exact: bool,
        /// The most features that are told of a row; 0 for all
        #[arg(long, value_name = "N", default_value_t = 5)]
        top: usize,
    },
}

/// What is to be scored, and where that goes.
#[derive(clap::Args, Debug)]
struct Scored {
    /// The model file
    file: PathBuf,
    /// Rows with a value for each feature, by its name: .csv with a header, .ndjson or .jsonl. What
    /// is empty, null or not there is missing; what is no feature is not read
    #[arg(long, value_name = "FILE")]
    rows: PathBuf,
    /// Where the result goes; standard output, if not given
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Write a line of JSON for each row; also if the output ends in .ndjson or .jsonl
    #[arg(long)]
    json: bool,
}

pub fn model(args: &Args) -> Result<(), Failure> {
    match &args.command {
        Command::Check { file, view, place, json } => check(file, view.as_deref(), place, *json),
        Command::Add { file, name, view, place } => add::add(file, name, view, place),
        Command::Score { scored } => score(scored),
        Command::Explain { scored, exact, top } => explain(scored, *exact, *top),
    }
}

/// Reads and checks a model file.
pub fn read(path: &Path) -> Result<Model, Failure> {
    let size = std::fs::metadata(path).map_err(Failure::io(path))?.len();
    if size > limits::FILE_BYTES_MAX as u64 {
        return Err(Failure::user(format!(
            "{}: a file of {size} bytes; at most {} are read: train a smaller model",
            shown(path),
            limits::FILE_BYTES_MAX
        )));
    }
    let bytes = std::fs::read(path).map_err(Failure::io(path))?;
    Model::read(&bytes).map_err(|error| Failure::user(format!("{}: {error}", shown(path))))
}

fn check(file: &Path, view: Option<&str>, place: &Place, json: bool) -> Result<(), Failure> {
    let model = read(file)?;
    let mismatches = view.map_or(Ok(Vec::new()), |view| mismatches(&model, view, place))?;
    if json {
        say!("{}", as_json(&model, &mismatches))?;
    } else {
        describe(&model, file)?;
        for mismatch in &mismatches {
            note!("{}: {mismatch}", shown(file));
        }
    }
    match (view, mismatches.is_empty()) {
        (_, false) => Err(Failure::reported()),
        (Some(view), true) if !json => say!("view `{view}` serves all of them"),
        (_, true) => Ok(()),
    }
}

fn mismatches(model: &Model, view: &str, place: &Place) -> Result<Vec<Mismatch>, Failure> {
    mismatches_of(model, &place.open()?, view)
}

fn mismatches_of(model: &Model, project: &Project, view: &str) -> Result<Vec<Mismatch>, Failure> {
    let view = &project.plan.views[find_view(project, view)?];
    Ok(model.check_inputs(&inputs(view)))
}

fn describe(model: &Model, file: &Path) -> Result<(), Failure> {
    let objective = &model.objective().name;
    let objective = if objective.is_empty() { "no objective" } else { objective };
    say!("{}: {}, {objective}, {}", shown(file), model.format(), size(model))?;
    say!("hash      {:#}", model.hash())?;
    say!("features  {}", model.features().len())?;
    for feature in model.features() {
        let unused = if feature.is_used { "" } else { ", never read" };
        let needed = if feature.takes_missing { "" } else { ", never missing" };
        say!("  {}  {}{unused}{needed}", feature.name, kind(feature))?;
    }
    for remark in model.remarks() {
        note!("{}: {remark}", shown(file));
    }
    Ok(())
}

fn size(model: &Model) -> String {
    let grouped = |count: usize| crate::console::grouped(count as u64);
    match model.size() {
        Size::Trees { trees, leaves: 1 } => format!("{}, 1 leaf", counted(trees, "tree")),
        Size::Trees { trees, leaves } => {
            format!("{}, {} leaves", counted(trees, "tree"), grouped(leaves))
        }
        Size::Graph { nodes, parameters } => {
            format!("{}, {} parameters", counted(nodes, "node"), grouped(parameters))
        }
    }
}

fn kind(feature: &ModelFeature) -> String {
    match &feature.kind {
        FeatureKind::Number => "number".to_owned(),
        FeatureKind::Category { names: None } => "category, by code".to_owned(),
        FeatureKind::Category { names: Some(names) } => {
            format!("category, {}", counted(names.len(), "name"))
        }
    }
}

fn as_json(model: &Model, mismatches: &[Mismatch]) -> serde_json::Value {
    let features = model.features().iter().map(|feature| {
        let is_category = feature.kind != FeatureKind::Number;
        let kind = if is_category { "category" } else { "number" };
        json!({
            "name": feature.name,
            "kind": kind,
            "used": feature.is_used,
            "takes_missing": feature.takes_missing,
        })
    });
    let mismatches = mismatches.iter().map(ToString::to_string);
    let mut told = json!({
        "format": model.format().to_string(),
        "objective": model.objective().name,
        "hash": format!("{:#}", model.hash()),
        "features": features.collect::<Vec<_>>(),
        "remarks": model.remarks(),
        "mismatches": mismatches.collect::<Vec<_>>(),
    });
    let counts = match model.size() {
        Size::Trees { trees, leaves } => [("trees", trees), ("leaves", leaves)],
        Size::Graph { nodes, parameters } => [("nodes", nodes), ("parameters", parameters)],
    };
    for (name, count) in counts {
        told[name] = json!(count);
    }
    told
}

fn score(scored: &Scored) -> Result<(), Failure> {
    let model = read(&scored.file)?;
    let mut rows = Rows::open(&scored.rows, &model)?;
    let mut output = Output::create(scored.output.as_deref(), scored.json)?;
    let mut scratch = model.scratch();
    output.header("row,raw,score")?;
    while let Some(Row { number, values }) = rows.next_row()? {
        output.score(number, model.score_row(values, &mut scratch))?;
    }
    output.finish()
}

fn explain(scored: &Scored, exact: bool, top: usize) -> Result<(), Failure> {
    let model = read(&scored.file)?;
    if !model.is_explained() {
        return Err(Failure::user(format!(
            "{}: what a feature adds to the score of an {} graph is not known; save a LightGBM or \
             XGBoost model in its library's own format, and it is explained",
            shown(&scored.file),
            model.format()
        )));
    }
    let mut rows = Rows::open(&scored.rows, &model)?;
    let mut output = Output::create(scored.output.as_deref(), scored.json)?;
    let mut scratch = model.scratch();
    let mut attribution = Attribution::default();
    let most = if top == 0 { usize::MAX } else { top };
    output.header("row,raw,score,feature,value,contribution")?;
    while let Some(Row { number, values }) = rows.next_row()? {
        let score = model.attribute_row(values, &mut scratch, &mut attribution);
        if exact {
            attribution = model.shap(values);
        }
        output.explanation(number, score, &attribution, most, model.features(), values)?;
    }
    output.finish()
}
