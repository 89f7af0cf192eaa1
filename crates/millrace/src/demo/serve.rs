//! The server of the demo, on the engine that the payments go into.

use std::net::SocketAddr;
use std::sync::Arc;

use millrace_api::Server;
use millrace_event::EventTime;
use millrace_serving::Models;
use serde_json::Value;
use tokio::runtime::Runtime;

use super::burst::Burst;
use super::verdicts::DECISION;
use crate::console::{note, say};
use crate::exit::Failure;
use crate::project::Project;
use crate::remote::Remote;
use crate::run::{Opened, runtime};

pub struct Serving {
    server: Server,
    runtime: Runtime,
    /// Asks it as anybody else does.
    remote: Remote,
    url: String,
}

impl Serving {
    pub fn start(
        (project, models): (&Project, &Models),
        opened: &Opened,
        listen: SocketAddr,
    ) -> Result<Serving, Failure> {
        let runtime = runtime()?;
        let data = project.folder.join(&project.config.storage.dir);
        let mut settings = project.config.server(data, listen);
        settings.models = models.clone();
        let server = runtime.block_on(Server::start(Arc::clone(&project.plan), settings))?;
        server.log_decisions(opened.ledger.clone());
        server.ready(opened.live.clone(), &opened.recovery)?;
        let url = format!("http://{}", server.address());
        let remote = Remote::without_key(&url)?;
        Ok(Serving { server, runtime, remote, url })
    }

    /// What becomes of an event, which is a line of JSON.
    pub fn decide(&self, decision: &str, event: String) -> Result<Value, Failure> {
        self.remote.post(&format!("/v1/decisions/{decision}"), event)
    }

    /// Prints lines to paste into another shell.
    pub fn tell(&self, burst: &Burst) -> Result<(), Failure> {
        let url = &self.url;
        say!()?;
        let (at, reached_in) = (burst.moment(), burst.reached_in().as_secs() + 1);
        say!("until Ctrl-C, ask in another shell. These lines ask as of {at}, within the")?;
        say!(
            "burst, which the payments reach in {reached_in} seconds; without `at` they ask as of"
        )?;
        say!("now, where the payments have caught up with the clock in a minute:")?;
        say!("  curl -s '{url}/v1/features/merchant_traffic/{}?at={at}'", burst.merchant())?;
        if let Some(event) = burst.attempt()?.and_then(|line| at_time(&line, at)) {
            let json = "-H 'Content-Type: application/json'";
            say!("  curl -s {url}/v1/views/checkout {json} -d '{event}'")?;
            say!("  curl -s {url}/v1/decisions/{DECISION} {json} -d '{event}'")?;
        }
        say!("  curl -s {url}/metrics")
    }

    pub fn stop(self) {
        if !self.runtime.block_on(self.server.stop()) {
            note!("some requests did not end in time and were cut off");
        }
    }
}

/// The attempt as if another one like it were made at that time.
fn at_time(line: &str, at: EventTime) -> Option<String> {
    let mut event: serde_json::Map<String, serde_json::Value> = serde_json::from_str(line).ok()?;
    event.remove("payment_id");
    event.insert("at".to_owned(), at.to_string().into());
    serde_json::to_string(&event).ok()
}
