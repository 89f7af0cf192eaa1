//! Commands that ask a running server.

use std::time::Duration;

use millrace_api::{Client, ClientError, Reply};
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::exit::Failure;

/// Where a key for the server is looked for.
const KEY: &str = "MILLRACE_KEY";
/// A replay of many events takes a while.
const TIMEOUT: Duration = Duration::from_secs(600);

/// A server, asked and waited for.
pub struct Remote {
    client: Client,
    runtime: Runtime,
}

impl Remote {
    pub fn new(url: &str) -> Result<Remote, Failure> {
        Remote::with_key(url, std::env::var(KEY).ok().filter(|key| !key.is_empty()))
    }

    /// A server that asks for no key: one that this process started itself.
    pub fn without_key(url: &str) -> Result<Remote, Failure> {
        Remote::with_key(url, None)
    }

    fn with_key(url: &str, key: Option<String>) -> Result<Remote, Failure> {
        let client = Client::new(url, key, TIMEOUT)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let failed = |e| Failure::environment(format!("the network cannot be used: {e}"));
        Ok(Remote { client, runtime: runtime.map_err(failed)? })
    }

    /// The answer to a body of JSON; a refusal is a failure in the server's words.
    pub fn post(&self, path: &str, body: String) -> Result<Value, Failure> {
        let posted = self.client.post(path, "application/json", body.into_bytes());
        answer(self.runtime.block_on(posted)?)
    }

    /// As [`Remote::post`], without a body.
    pub fn get(&self, path: &str) -> Result<Value, Failure> {
        answer(self.runtime.block_on(self.client.get(path))?)
    }
}

fn answer(reply: Reply) -> Result<Value, Failure> {
    let Reply { status, body } = reply;
    let answer: Value = serde_json::from_slice(&body).unwrap_or_default();
    if status == 200 {
        return Ok(answer);
    }
    let told = |name: &str| answer["error"][name].as_str().unwrap_or_default().to_owned();
    let message = format!("the server says {status}: {}; {}", told("message"), told("hint"));
    Err(match status {
        400..429 => Failure::user(message),
        _ => Failure::environment(message),
    })
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Failure {
        match error {
            ClientError::Url { .. } => Failure::usage(error),
            ClientError::NoAnswer { .. } => Failure::environment(error),
        }
    }
}
