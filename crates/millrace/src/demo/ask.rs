//! Questions to the live engine, asked and answered on this thread.

use std::sync::mpsc::channel;

use millrace_connector::value_to_json;
use millrace_event::{Batch, EventTime, Key, Value};
use millrace_stream::Answer;
use millrace_stream::live::{Busy, LiveError, ReadRequest, Reply, Status, ViewReply};

use super::feed::{Feed, missing};
use crate::exit::Failure;

/// Sends a question and waits for its answer.
fn wait<T: Send + 'static>(ask: impl FnOnce(Reply<T>) -> Result<(), Busy>) -> Result<T, Failure> {
    let (done, answer) = channel();
    ask(Box::new(move |result| drop(done.send(result)))).map_err(Failure::environment)?;
    Ok(answer.recv().map_err(|_| LiveError::Stopped)??)
}

impl Feed<'_> {
    pub fn status(&self) -> Result<Status, Failure> {
        wait(|reply| self.live.status(reply))
    }

    pub fn checkpoint(&self) -> Result<(), Failure> {
        wait(|reply| self.live.checkpoint(reply))
    }

    pub fn view(&self, view: usize, events: Batch, at: EventTime) -> Result<ViewReply, Failure> {
        wait(|reply| self.live.view(view, events, at, reply))
    }

    /// All features of a group for a key at a time.
    pub fn read(&self, group: usize, key: &str, at: EventTime) -> Result<Vec<Answer>, Failure> {
        let key = Key::of(&[Value::text(key)]).ok_or_else(|| missing("key"))?;
        let requests = vec![ReadRequest { group, key, at }];
        let mut reply = wait(|reply| self.live.read(requests, reply))?;
        Ok(reply.answers.pop().unwrap_or_default())
    }

    /// One feature as text, `-` for null; `feature` is `group.name`.
    pub fn feature(&self, feature: &str, key: &str, at: EventTime) -> Result<String, Failure> {
        let (group, name) = feature.split_once('.').ok_or_else(|| missing(feature))?;
        let index = self.plan.group(group).ok_or_else(|| missing(group))?;
        let features = &self.plan.groups[index].features;
        let place = features.iter().position(|f| &*f.name == name).ok_or_else(|| missing(name))?;
        let answers = self.read(index, key, at)?;
        Ok(match answers.get(place).map(|a| &a.value) {
            None | Some(Value::Null) => "-".to_owned(),
            Some(Value::Float(x)) => format!("{x:.1}"),
            Some(value) => value_to_json(value, &features[place].ty).get().to_owned(),
        })
    }
}
