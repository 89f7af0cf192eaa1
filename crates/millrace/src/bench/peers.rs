//! Other engines over the same files, by a Python script, for comparison.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::console::spinner;

const SCRIPT: &str = include_str!("peers.py");
const NAMES: [&str; 2] = ["duckdb", "chdb"];
/// A peer that takes longer is stopped.
const TIME_MAX: Duration = Duration::from_secs(600);

/// What a peer took, or why it was not run.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Peer {
    #[serde(default)]
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_run: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rows: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cpu_seconds: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    wall_seconds: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    peak_rss_bytes: Option<u64>,
}

impl Peer {
    pub fn rows_per_cpu_second(&self) -> Option<f64> {
        Some(self.rows? as f64 / self.cpu_seconds?)
    }
}

/// Runs each peer once, one after the other. One that cannot be run is reported, not an error.
pub fn run(python: &Path, files: &[PathBuf], folder: &Path) -> Vec<Peer> {
    let one = |name: &str| {
        let bar = spinner(name);
        let found = try_run(name, python, files, folder);
        bar.finish_and_clear();
        let peer = found.unwrap_or_else(|reason| Peer { not_run: Some(reason), ..Peer::default() });
        Peer { name: name.to_owned(), ..peer }
    };
    NAMES.into_iter().map(one).collect()
}

fn try_run(name: &str, python: &Path, files: &[PathBuf], folder: &Path) -> Result<Peer, String> {
    // In the format of the files.
    let ending = files.first().and_then(|file| file.extension()).unwrap_or_default();
    let output = folder.join(format!("{name}-out")).with_extension(ending);
    let cannot = |e: std::io::Error| format!("{}: {e}", python.display());
    let mut child = Command::new(python)
        .args(["-c", SCRIPT, name])
        .arg(&output)
        .args(files)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(cannot)?;
    let begun = Instant::now();
    while child.try_wait().map_err(cannot)?.is_none() {
        if begun.elapsed() > TIME_MAX {
            // It is waited for below, so a failure to end it would show there.
            let _ = child.kill();
            let _ = child.wait();
            return Err(format!("it did not finish in {} s", TIME_MAX.as_secs()));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let done = child.wait_with_output().map_err(cannot)?;
    // A file that is not there need not be removed.
    let _ = std::fs::remove_file(&output);
    if !done.status.success() {
        let text = String::from_utf8_lossy(&done.stderr);
        let last = text.trim().lines().last().unwrap_or("it said nothing").to_owned();
        return Err(format!("it ended with {}: {last}", done.status));
    }
    serde_json::from_slice(&done.stdout).map_err(|e| format!("its figures cannot be read: {e}"))
}
