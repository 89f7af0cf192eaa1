//! The disk is full: what was acknowledged stays, the server says why it takes nothing more, and a
//! start after space has come back goes on.

use std::path::{Path, PathBuf};
use std::process::Command;

use millrace_conformance::prng::Prng;

use crate::load::{Client, Posted, now};
use crate::model::{Event, Model};
use crate::project::Project;
use crate::server::Server;
use crate::{Options, Outcome};

/// A file system of its own, in memory, that is taken away in the end.
#[derive(Debug)]
struct Mount(PathBuf);

const MOUNT_BYTES: usize = 48 << 20;
/// What a file that fills the disk leaves.
const LEFT_BYTES: usize = 3 << 20;
/// Batches that fit into that for certain, twice over.
const BATCHES_MAX: usize = 20_000;

impl Mount {
    fn new(path: &Path) -> Result<Mount, String> {
        std::fs::create_dir_all(path).map_err(|e| e.to_string())?;
        let size = format!("size={MOUNT_BYTES},mode=0700");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &size, "millrace"]).arg(path);
        let output = mount.output().map_err(|e| format!("mount: {e}"))?;
        match output.status.success() {
            true => Ok(Mount(path.to_owned())),
            false => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
        }
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // The server's process may still be ending.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

pub fn run(options: &Options) -> Outcome {
    let project = Project::new();
    let data = project.data();
    let _mount = match Mount::new(&data) {
        Ok(mount) => mount,
        Err(reason) => return Outcome::NotRun(format!("a tmpfs cannot be mounted: {reason}")),
    };
    let mut model = Model::new(&project.plan);
    let mut client = Client::new(0, options.seed);
    let start = || Server::start(project.folder.path(), &data).unwrap_or_else(|e| panic!("{e}"));

    let server = start();
    let mut connection = server.connect();
    let event = Event::random(&mut Prng::new(options.seed), "first".to_owned(), now());
    let first = connection.post(crate::load::EVENTS, crate::load::NDJSON, event.line().as_bytes());
    assert_eq!(first.expect("the server answers").status, 200);
    model.count(&event);
    let ballast = data.join("ballast");
    std::fs::write(&ballast, vec![1; MOUNT_BYTES - LEFT_BYTES]).expect("it fits");
    let mut batches = 0;
    let refusal = loop {
        assert!(batches < BATCHES_MAX, "the disk does not fill");
        match client.post(&mut connection) {
            Posted::Taken => batches += 1,
            Posted::Refused(answer) if answer.text().contains("overloaded") => {
                client.unanswered = None;
            }
            Posted::Refused(answer) => break answer,
            Posted::Broken => panic!("the server is gone"),
        }
    };
    assert_eq!(refusal.status, 503);
    let said = refusal.text();
    assert!(said.contains("no storage space") || said.contains("No space"), "{said}");
    let ready = connection.get("/readyz").expect("the server answers");
    assert_eq!(ready.status, 503, "{}", ready.text());
    let read = connection.get("/v1/features/by_card/card-1").expect("the server answers");
    assert_eq!(read.status, 200, "reads go on: {}", read.text());
    server.kill();

    // Still full: it starts or says why not, and breaks nothing.
    let while_full = match Server::start(project.folder.path(), &data) {
        Ok(server) => {
            server.kill();
            "starts".to_owned()
        }
        Err(error) => error.lines().last().unwrap_or_default().to_owned(),
    };
    std::fs::remove_file(&ballast).expect("it is there");
    let server = start();
    let mut connection = server.connect();
    client.resend(&mut connection);
    client.acknowledged.drain(..).for_each(|event| model.count(&event));
    let before = model.compare(&mut server.connect(), now());
    let mut connection = server.connect();
    for _ in 0..50 {
        assert!(matches!(client.post(&mut connection), Posted::Taken));
    }
    client.acknowledged.drain(..).for_each(|event| model.count(&event));
    let after = model.compare(&mut server.connect(), now());
    assert!(server.stop(), "the server stops in order when asked to");
    Outcome::Passed(format!(
        "  {batches} batches, then 503: {said}\n  a start while it is full: {while_full}\n  \
         {before} values compared after space came back, {after} after 50 more batches"
    ))
}
