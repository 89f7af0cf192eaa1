//! The server of the demo, on the engine that the payments go into.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use millrace_api::{Server, Settings};
use millrace_event::EventTime;
use millrace_feature::plan::Plan;
use millrace_stream::live::{Live, Recovery};
use tokio::runtime::Runtime;

use super::burst::Burst;
use crate::console::{note, say};
use crate::exit::Failure;
use crate::run::runtime;

/// Where it listens, and whose data it serves.
pub struct Place<'a> {
    pub dir: &'a Path,
    pub listen: SocketAddr,
    pub recovery: &'a Recovery,
}

pub struct Serving {
    server: Server,
    runtime: Runtime,
}

impl Serving {
    pub fn start(plan: &Arc<Plan>, live: &Live, place: &Place<'_>) -> Result<Serving, Failure> {
        let runtime = runtime()?;
        let settings = Settings { listen: place.listen, ..Settings::local(place.dir.to_owned()) };
        let server = runtime.block_on(Server::start(Arc::clone(plan), settings))?;
        server.ready(live.clone(), place.recovery)?;
        Ok(Serving { server, runtime })
    }

    /// Prints lines to paste into another shell.
    pub fn tell(&self, burst: &Burst) -> Result<(), Failure> {
        let url = format!("http://{}", self.server.address());
        say!()?;
        let (at, reached_in) = (burst.moment(), burst.reached_in().as_secs() + 1);
        say!("until Ctrl-C, ask in another shell. These lines ask as of {at}, within the")?;
        say!(
            "burst, which the payments reach in {reached_in} seconds; without `at` they ask as of"
        )?;
        say!("now, where the payments have caught up with the clock in a minute:")?;
        say!("  curl -s '{url}/v1/features/merchant_traffic/{}?at={at}'", burst.merchant())?;
        if let Some(event) = burst.attempt().and_then(|line| at_time(&line, at)) {
            say!(
                "  curl -s {url}/v1/views/checkout -H 'Content-Type: application/json' -d '{event}'"
            )?;
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
