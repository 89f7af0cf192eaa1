//! A server of the payments example, as a child process that ends with this value.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use millrace_payments::PROJECT;
use serde::Deserialize;

use super::usage::{Memory, memory_of};
use crate::exit::Failure;

/// What each server of a benchmark is run with: a checkpoint every second.
const CONFIGURATION: &str = "[project]\nname = \"bench\"\n\n[storage]\ncheckpoint_every = \"1s\"\n";

/// The server under load: one that was started for it, or one that runs anyway.
#[derive(Debug)]
pub struct Server {
    pub address: SocketAddr,
    /// `None` for a server of somebody else.
    own: Option<Own>,
}

#[derive(Debug)]
struct Own {
    child: Child,
    folder: PathBuf,
}

/// The line that `millrace run --json` prints when it answers.
#[derive(Deserialize)]
struct Ready {
    address: SocketAddr,
}

impl Server {
    /// The one at this URL, or a new one with a new data directory.
    pub fn at(url: Option<&str>, folder: &Path) -> Result<Server, Failure> {
        match url {
            Some(url) => {
                let address = url.trim_start_matches("http://").trim_end_matches('/');
                let address = address.parse().map_err(|_| {
                    Failure::usage(format!(
                        "--url is `{url}`; use one such as http://127.0.0.1:7878"
                    ))
                })?;
                Ok(Server { address, own: None })
            }
            None => Server::with(folder, &[]),
        }
    }

    /// A new one, whose project has these files as well.
    pub fn with(folder: &Path, files: &[(&str, &str)]) -> Result<Server, Failure> {
        let folder = folder.join(format!("server-{}", std::process::id()));
        let project = folder.join("project");
        std::fs::create_dir_all(&project).map_err(Failure::io(&project))?;
        let files = files.iter().copied().chain([("millrace.toml", CONFIGURATION)]);
        for (name, text) in PROJECT.into_iter().chain(files) {
            let path = project.join(name);
            let of_file = path.parent().unwrap_or(&project);
            std::fs::create_dir_all(of_file).map_err(Failure::io(of_file))?;
            std::fs::write(&path, text).map_err(Failure::io(&path))?;
        }
        let program = std::env::current_exe().map_err(Failure::environment)?;
        let mut child = Command::new(&program)
            .args(["run", "--listen", "127.0.0.1:0", "--json", "--project"])
            .arg(&project)
            .arg("--data")
            .arg(folder.join("data"))
            .env("MILLRACE_LOG", "warn")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(Failure::io(&program))?;
        let mut line = String::new();
        if let Some(out) = child.stdout.take() {
            BufReader::new(out).read_line(&mut line).map_err(Failure::environment)?;
        }
        let own = Own { child, folder };
        let ready: Ready = serde_json::from_str(&line).map_err(|_| {
            let project = project.display();
            Failure::environment(format!(
                "the server did not start; try `millrace run --project {project}` to see why"
            ))
        })?;
        Ok(Server { address: ready.address, own: Some(own) })
    }

    /// Of the server's process; nothing for a server of somebody else.
    pub fn memory(&self) -> Option<Memory> {
        self.own.as_ref().and_then(|own| memory_of(own.child.id()).ok())
    }

    /// Ends it as `kill -9` does, and keeps its data; one of somebody else goes on.
    pub fn kill(&mut self) {
        if let Some(own) = &mut self.own {
            let _ = own.child.kill();
            let _ = own.child.wait();
        }
    }

    /// What a command prints that works on the data of the server's project.
    pub fn on_its_data(&self, arguments: &[&str]) -> Result<Vec<u8>, Failure> {
        let Some(own) = &self.own else { return Ok(Vec::new()) };
        let program = std::env::current_exe().map_err(Failure::environment)?;
        let output = Command::new(&program)
            .args(arguments)
            .arg("--project")
            .arg(own.folder.join("project"))
            .arg("--data")
            .arg(own.folder.join("data"))
            .stderr(Stdio::inherit())
            .output()
            .map_err(Failure::io(&program))?;
        Ok(output.stdout)
    }

    /// A folder on the disk that the server's data is on.
    pub fn folder<'a>(&'a self, other: &'a Path) -> &'a Path {
        self.own.as_ref().map_or(other, |own| &own.folder)
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        // Its data goes as well, so it need not end cleanly.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
