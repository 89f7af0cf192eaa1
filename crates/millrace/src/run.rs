//! `millrace run`: the server of a project.
//!
//! ```text
//!   files ─▶ followed, line by line ─┐
//!   HTTP  ─▶ events ─────────────────┴▶ live engine ─▶ log, checkpoints
//!            features, views, metrics ◀──────┘
//! ```

mod follow;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use millrace_api::{ServeError, Server};
use millrace_event::{KeyKind, Type};
use millrace_feature::plan::Plan;
use millrace_ledger::Ledger;
use millrace_serving::Models;
use millrace_store::{Access, Disk, FileDisk};
use millrace_stream::live::{Live, Recovery};
use serde_json::json;
use tokio::runtime::Runtime;

use crate::config::address;
use crate::console::{counted, duration, note, say};
use crate::exit::Failure;
use crate::project::{DataPlace, Project};
use crate::stop::Stop;
use crate::{decision, models, whole_file};

/// Threads that answer requests; the engine has its own.
const HTTP_THREADS: usize = 2;

/// Runs a project: takes events over HTTP and from files, and answers what its features are
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  millrace run                               the project in this folder, on 127.0.0.1:7878
  millrace run --project risk --listen 127.0.0.1:0 --ready-file address
  millrace run --json | head -1              where it listens, for a program

It stops at Ctrl-C or SIGTERM: what is in flight ends, a last checkpoint is taken, and the code is 0.
A second signal ends it at once; nothing that was acknowledged is lost then, either.")]
pub struct Args {
    #[command(flatten)]
    place: DataPlace,
    /// Where to listen, such as 127.0.0.1:0 for a free port; as millrace.toml says, if not given
    #[arg(long, value_name = "ADDRESS", value_parser = address::parse)]
    listen: Option<SocketAddr>,
    /// Write the address to this file once requests are answered
    #[arg(long, value_name = "FILE")]
    ready_file: Option<PathBuf>,
    /// Print a line of JSON when requests are answered, instead of text
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args) -> Result<(), Failure> {
    let stop = Stop::on_signals()?;
    log_to_stderr();
    let project = args.place.project.open()?;
    let dir = args.place.data_dir()?;
    let listen = args.listen.unwrap_or(project.config.server.listen);
    let runtime = runtime()?;
    let models = models::load(&project.folder, &project.plan)?;
    let mut settings = project.config.server(dir.clone(), listen);
    settings.models = models.clone();
    let server = runtime.block_on(Server::start(Arc::clone(&project.plan), settings))?;
    let Opened { live, recovery, ledger } = open(&project, dir, &models)?;
    tell_recovery(&recovery);
    server.log_decisions(ledger.clone());
    server.ready(live.clone(), &recovery)?;
    let following = follow::start(&project, &live, &recovery, &stop)?;
    let address = server.address();
    if let Some(path) = &args.ready_file {
        whole_file::write(path, format!("{address}\n").as_bytes())?;
    }
    tell_ready(args.json, &project, address, &recovery)?;
    stop.wait();
    note!("stopping: what is in flight ends, then a last checkpoint");
    if !runtime.block_on(server.stop()) {
        note!("some requests did not end in time and were cut off");
    }
    ledger.close();
    // It also ends the wait of those who follow files for an engine that takes nothing.
    let closed = live.close();
    following.join();
    closed?;
    note!("stopped");
    Ok(())
}

/// What a server answers from.
pub struct Opened {
    pub live: Live,
    pub recovery: Recovery,
    pub ledger: Ledger,
}

/// Opens the engine and the decision log of a project in this data directory.
pub fn open(project: &Project, dir: PathBuf, models: &Models) -> Result<Opened, Failure> {
    // One lock for both.
    let disk: Arc<dyn Disk> = Arc::new(FileDisk::open(&dir, Access::Owner)?);
    let settings = project.config.live(dir.clone());
    let (live, recovery) = Live::open_on(Arc::clone(&disk), Arc::clone(&project.plan), settings)?;
    let ledger = decision::ledger(project, disk, dir, models, &recovery)?;
    Ok(Opened { live, recovery, ledger })
}

/// What answers requests.
pub fn runtime() -> Result<Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(HTTP_THREADS)
        .thread_name("http")
        .enable_all()
        .build()
        .map_err(|e| Failure::environment(format!("threads cannot be started: {e}")))
}

/// What the running parts have to say goes to standard error, without escapes.
fn log_to_stderr() {
    let filter = tracing_subscriber::EnvFilter::try_from_env("MILLRACE_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    let log = tracing_subscriber::fmt().with_writer(std::io::stderr).with_ansi(false);
    // A second one cannot be set: the first will do.
    let _ = log.with_env_filter(filter).try_init();
}

fn tell_recovery(recovery: &Recovery) {
    recovery.notes.iter().for_each(|text| note!("{text}"));
    if recovery.epoch > 0 || recovery.replayed_records > 0 {
        note!(
            "recovered {} from checkpoint {} and {} of the log in {}",
            counted(recovery.keys as usize, "key"),
            recovery.epoch,
            counted(recovery.replayed_records as usize, "record"),
            duration(recovery.took)
        );
    }
}

fn tell_ready(
    as_json: bool,
    project: &Project,
    address: SocketAddr,
    recovery: &Recovery,
) -> Result<(), Failure> {
    let url = format!("http://{address}");
    if as_json {
        return say!(
            "{}",
            json!({
                "event": "ready",
                "url": url,
                "address": address.to_string(),
                "process": std::process::id(),
                "definitions": project.plan.hash.to_string(),
                "recovered": { "epoch": recovery.epoch, "records": recovery.replayed_records },
            })
        );
    }
    say!("{} answers at {url}", project.name())?;
    for line in examples(&project.plan, &url) {
        say!("  {line}")?;
    }
    Ok(())
}

/// Lines to paste into a shell.
pub fn examples(plan: &Plan, url: &str) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(stream) = plan.streams.first() {
        let name = &stream.schema.stream;
        lines.push(format!(
            "curl -s {url}/v1/streams/{name}/events -H 'Content-Type: application/x-ndjson' \
             --data-binary @{name}.ndjson"
        ));
    }
    if let Some(group) = plan.groups.first() {
        let schema = &plan.streams[group.stream].schema;
        let part = |(key, kind): (&usize, &KeyKind)| match kind {
            KeyKind::Int => "1".to_owned(),
            KeyKind::Text => schema.fields[*key].name.to_uppercase(),
        };
        let parts: Vec<String> = group.keys.iter().zip(&group.key_kinds).map(part).collect();
        lines.push(format!("curl -s {url}/v1/features/{}/{}", group.name, parts.join("/")));
    }
    if let Some(view) = plan.views.first() {
        let (event, name) = (example_event(plan, view.stream), &view.name);
        lines.push(format!(
            "curl -s {url}/v1/views/{name} -H 'Content-Type: application/json' -d '{event}'"
        ));
    }
    if let Some(decision) = plan.decisions.first() {
        let event = example_event(plan, plan.views[decision.view].stream);
        let name = &decision.name;
        lines.push(format!(
            "curl -s {url}/v1/decisions/{name} -H 'Content-Type: application/json' -d '{event}'"
        ));
    }
    lines.push(format!("curl -s {url}/metrics"));
    lines
}

/// An event of made-up values, without those that may be left out.
fn example_event(plan: &Plan, stream: usize) -> serde_json::Value {
    let schema = &plan.streams[stream].schema;
    let mut event = serde_json::Map::new();
    for (index, field) in schema.fields.iter().enumerate() {
        if field.nullable || index == schema.id || index == schema.time {
            continue;
        }
        let value = match &field.ty {
            Type::Bool => json!(true),
            Type::Int => json!(1),
            Type::Float => json!(1.5),
            Type::Decimal(_) => json!(20),
            Type::String => json!(&*field.name),
            Type::Timestamp => json!("2026-01-05T12:00:00Z"),
            Type::Duration => json!("5m"),
            Type::Key(entity) => match entity.kind {
                KeyKind::Int => json!(1),
                KeyKind::Text => json!(field.name.to_uppercase()),
            },
            Type::List(_) => json!([]),
            Type::Map(_, _) => json!({}),
        };
        event.insert(field.name.to_string(), value);
    }
    serde_json::Value::Object(event)
}

impl From<ServeError> for Failure {
    fn from(error: ServeError) -> Failure {
        match error {
            ServeError::Listen { .. } | ServeError::Marks { .. } => Failure::environment(error),
            ServeError::Open { .. } => Failure::usage(error),
            ServeError::Keys(error) => error.into(),
        }
    }
}
