//! The server as a process: found, started, killed.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use crate::http::Connection;

/// How long a start may take, recovery included, before it counts as hanging.
const PATIENCE: Duration = Duration::from_secs(60);

/// The program: what `MILLRACE_BIN` names, or else built now, beside this test's own.
fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        if let Some(path) = std::env::var_os("MILLRACE_BIN") {
            return path.into();
        }
        // …/target/PROFILE/deps/crash-HASH
        let own = std::env::current_exe().expect("a process knows its program");
        let folder = own.ancestors().nth(2).expect("it lies in a target folder");
        let mut build = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
        build.args(["build", "--quiet", "-p", "millrace", "--bin", "millrace"]);
        if folder.ends_with("release") {
            build.arg("--release");
        }
        build.current_dir("../..");
        build.env("CARGO_TARGET_DIR", folder.parent().expect("a profile lies in a target folder"));
        let status = build.status().expect("cargo runs");
        assert!(status.success(), "`cargo build -p millrace` failed");
        folder.join("millrace")
    })
}

/// Whether the program has a server.
pub fn is_there() -> Result<(), String> {
    let output = Command::new(program()).args(["run", "--help"]).output();
    match output {
        Ok(output) if output.status.success() => Ok(()),
        Ok(_) => Err(format!("{} has no command `run`", program().display())),
        Err(error) => Err(format!("{}: {error}", program().display())),
    }
}

/// Runs one of the program's other commands and returns what it printed.
pub fn command(arguments: &[&str]) -> Result<Vec<u8>, String> {
    let output = Command::new(program()).args(arguments).output().map_err(|e| e.to_string())?;
    match output.status.success() {
        true => Ok(output.stdout),
        false => Err(format!("{arguments:?}: {}", String::from_utf8_lossy(&output.stderr))),
    }
}

#[derive(Debug)]
pub struct Server {
    process: Child,
    pub address: SocketAddr,
}

impl Server {
    /// Starts the server on a free port.
    ///
    /// # Errors
    /// What it wrote to its standard error, when it ended instead.
    pub fn start(project: &Path, data: &Path) -> Result<Server, String> {
        let begun = Instant::now();
        let errors = tempfile::NamedTempFile::new().map_err(|e| e.to_string())?;
        let mut process = Command::new(program())
            .args(["run", "--listen", "127.0.0.1:0", "--json", "--project"])
            .arg(project)
            .arg("--data")
            .arg(data)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(errors.reopen().map_err(|e| e.to_string())?)
            .spawn()
            .map_err(|e| e.to_string())?;
        let output = process.stdout.take().expect("it is piped");
        let mut line = String::new();
        let read = BufReader::new(output).read_line(&mut line);
        let ready: Option<serde_json::Value> = serde_json::from_str(&line).ok();
        let address = ready.as_ref().and_then(|r| r["address"].as_str()?.parse().ok());
        match address {
            Some(address) if begun.elapsed() < PATIENCE => Ok(Server { process, address }),
            _ => {
                // It has ended already, or must not be left behind.
                let _ = process.kill();
                let _ = process.wait();
                let said = std::fs::read_to_string(errors.path()).unwrap_or_default();
                Err(format!("no server: {read:?} {line} {said}"))
            }
        }
    }

    pub fn connect(&self) -> Connection {
        Connection::open(self.address).expect("the server takes connections")
    }

    /// `kill -9`.
    pub fn kill(mut self) {
        self.process.kill().expect("it is our child");
        self.process.wait().expect("it is our child");
    }

    /// Asks it to stop, and waits until it has.
    pub fn stop(mut self) -> bool {
        let id = self.process.id().to_string();
        let asked = Command::new("kill").args(["-TERM", &id]).status();
        assert!(asked.expect("there is a kill command").success());
        self.process.wait().expect("it is our child").success()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A failed test leaves no process behind; one that has ended cannot be killed again.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
