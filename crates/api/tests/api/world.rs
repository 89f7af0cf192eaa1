//! A server with an engine on a folder of its own, and ways to speak to it.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use millrace_api::{Server, Settings};
use millrace_event::{Batch, EventTime, Key};
use millrace_feature::plan::Plan;
use millrace_feature::{SourceFile, compile};
use millrace_ledger::Ledger;
use millrace_stream::Answer;
use millrace_stream::live::{Delivery, Live, LiveError, LiveSettings, ReadRequest, Recovery};
use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::Runtime;

pub const DEFINITIONS: &str = include_str!("shop.mill");
/// Within a minute of it everything in these tests happens.
pub const NOON: &str = "2026-01-05T12:00:00Z";

pub struct World {
    pub plan: Arc<Plan>,
    pub live: Live,
    pub address: SocketAddr,
    pub folder: TempDir,
    runtime: Runtime,
    server: Option<Server>,
}

/// An answer, taken apart.
#[derive(Debug)]
pub struct Answered {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Answered {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }

    /// The code of the refusal.
    pub fn code(&self) -> String {
        let json = self.json();
        for part in ["code", "message", "hint"] {
            assert!(json["error"][part].as_str().is_some_and(|s| !s.is_empty()), "{self:?}");
        }
        json["error"]["code"].as_str().unwrap().to_owned()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

pub fn plan() -> Arc<Plan> {
    let sources = [SourceFile::new("shop.mill", DEFINITIONS)];
    let compiled = compile(&sources);
    Arc::new(compiled.plan.unwrap_or_else(|| panic!("{:?}", compiled.diagnostics)))
}

impl World {
    pub fn new() -> World {
        World::with(|_, _| {})
    }

    pub fn with(change: impl FnOnce(&mut Settings, &mut LiveSettings)) -> World {
        World::on(tempfile::tempdir().unwrap(), change)
    }

    pub fn on(folder: TempDir, change: impl FnOnce(&mut Settings, &mut LiveSettings)) -> World {
        World::opened(folder, change, Live::open)
    }

    /// As [`World::on`], with an engine that is opened in another way.
    pub fn opened(
        folder: TempDir,
        change: impl FnOnce(&mut Settings, &mut LiveSettings),
        open: impl FnOnce(Arc<Plan>, LiveSettings) -> Result<(Live, Recovery), LiveError>,
    ) -> World {
        World::built(folder, change, |plan, settings| {
            open(plan, settings).map(|(live, recovery)| (live, recovery, None))
        })
    }

    /// As [`World::opened`], with a decision log.
    pub fn logging(
        folder: TempDir,
        change: impl FnOnce(&mut Settings, &mut LiveSettings),
        open: impl FnOnce(Arc<Plan>, LiveSettings) -> Result<(Live, Recovery, Ledger), LiveError>,
    ) -> World {
        World::built(folder, change, |plan, settings| {
            open(plan, settings).map(|(live, recovery, ledger)| (live, recovery, Some(ledger)))
        })
    }

    fn built(
        folder: TempDir,
        change: impl FnOnce(&mut Settings, &mut LiveSettings),
        open: impl FnOnce(
            Arc<Plan>,
            LiveSettings,
        ) -> Result<(Live, Recovery, Option<Ledger>), LiveError>,
    ) -> World {
        let dir: PathBuf = folder.path().join("data");
        let mut settings = Settings::local(dir.clone());
        let mut live_settings = LiveSettings { dir, ..LiveSettings::default() };
        change(&mut settings, &mut live_settings);
        let plan = plan();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let server = runtime.block_on(Server::start(Arc::clone(&plan), settings)).unwrap();
        let (live, recovery, ledger) = open(Arc::clone(&plan), live_settings).unwrap();
        if let Some(ledger) = ledger {
            server.log_decisions(ledger);
        }
        server.ready(live.clone(), &recovery).unwrap();
        let address = server.address();
        World { plan, live, address, folder, runtime, server: Some(server) }
    }

    pub fn get(&self, path: &str) -> Answered {
        self.exchange(&format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n"), b"")
    }

    pub fn post(&self, path: &str, content_type: &str, body: &[u8]) -> Answered {
        let length = body.len();
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: {content_type}\r\n\
             content-length: {length}\r\n\r\n"
        );
        self.exchange(&head, body)
    }

    pub fn lines(&self, body: &str) -> Answered {
        self.post("/v1/streams/orders/events", "application/x-ndjson", body.as_bytes())
    }

    pub fn json(&self, path: &str, body: &str) -> Answered {
        self.post(path, "application/json", body.as_bytes())
    }

    pub fn exchange(&self, head: &str, body: &[u8]) -> Answered {
        let mut stream = self.connect();
        stream.write_all(head.as_bytes()).unwrap();
        // A refused body may meet a closed connection.
        let _ = stream.write_all(body);
        read_answer(&mut stream)
    }

    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        stream
    }

    /// What the engine itself answers.
    pub fn engine(&self, group: &str, key: &str, at: &str) -> Vec<Answer> {
        let mut bytes = Key::default();
        bytes.push_text(key);
        let group = self.plan.group(group).unwrap();
        let at: EventTime = at.parse().unwrap();
        let (done, answer) = channel();
        let requests = vec![ReadRequest { group, key: bytes, at }];
        self.live.read(requests, Box::new(move |r| done.send(r).unwrap())).unwrap();
        answer.recv().unwrap().unwrap().answers.pop().unwrap()
    }

    /// Hands over a delivery without events.
    pub fn deliver_nothing(&self) {
        let delivery = Delivery {
            stream: 0,
            partition: "nothing".to_owned(),
            batch: Batch::new(Arc::clone(&self.plan.streams[0].schema)),
            dead: Vec::new(),
            received: EventTime(0),
            position: None,
        };
        self.live.ingest_waiting(delivery, Box::new(|_| {})).unwrap();
    }

    /// Keeps the engine thread from doing anything until the sender is dropped.
    pub fn hold_engine(&self) -> Sender<()> {
        let (release, held) = channel::<()>();
        let (begun, begin) = channel();
        let reply = Box::new(move |_| {
            begun.send(()).unwrap();
            // It ends when the sender is dropped.
            let _ = held.recv();
        });
        self.live.read(Vec::new(), reply).unwrap();
        begin.recv().unwrap();
        release
    }

    /// Stops the server and then the engine, and gives the folder back.
    pub fn close(mut self) -> (bool, TempDir) {
        let is_drained = self.stop_server();
        self.live.close().unwrap();
        (is_drained, self.folder)
    }

    pub fn stop_server(&mut self) -> bool {
        self.runtime.block_on(self.server.take().unwrap().stop())
    }
}

/// One answer with a length, from a connection that may stay open.
pub fn read_answer(stream: &mut TcpStream) -> Answered {
    let mut bytes = Vec::new();
    let mut buffer = [0; 16 << 10];
    loop {
        if let Some(end) = bytes.windows(4).position(|w| w == b"\r\n\r\n") {
            let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
            let status = head.split(' ').nth(1).unwrap().parse().unwrap();
            let mut answered = Answered { status, head, body: String::new() };
            let length: usize = answered.header("content-length").unwrap().parse().unwrap();
            if bytes.len() >= end + 4 + length {
                answered.body = String::from_utf8(bytes[end + 4..][..length].to_vec()).unwrap();
                return answered;
            }
        }
        let got = stream.read(&mut buffer).unwrap();
        assert!(got > 0, "the connection ended early: {}", String::from_utf8_lossy(&bytes));
        bytes.extend_from_slice(&buffer[..got]);
    }
}

/// A line of the stream `orders`.
pub fn order(id: u32, second: u32, customer: &str, amount: &str) -> String {
    format!(
        "{{\"id\":\"o{id}\",\"at\":\"2026-01-05T12:00:{second:02}Z\",\
         \"customer\":\"{customer}\",\"amount\":{amount},\"paid\":true}}\n"
    )
}
