//! How a server is run: where it listens, whom it answers, and how much it takes on at once.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use millrace_connector::Limits as RecordLimits;
use millrace_serving::Models;

#[derive(Clone, Debug)]
pub struct Settings {
    /// Port 0 takes a free one.
    pub listen: SocketAddr,
    /// Names of this server beside its address and, on loopback, `localhost`.
    pub hosts: Vec<String>,
    /// Web pages that may call it, such as `https://console.example`.
    pub origins: Vec<String>,
    /// Where the keys and the logs of dead letters are.
    pub data_dir: PathBuf,
    /// What one event may cost.
    pub records: RecordLimits,
    pub limits: Limits,
    /// What decisions score with.
    pub models: Models,
}

impl Settings {
    /// A server on a free port of this machine alone.
    pub fn local(data_dir: PathBuf) -> Settings {
        Settings {
            listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0),
            hosts: Vec::new(),
            origins: Vec::new(),
            data_dir,
            records: RecordLimits::default(),
            limits: Limits::default(),
            models: Models::default(),
        }
    }
}

/// What the server takes on at once. Beyond it requests are refused, early and cheaply, so that
/// what was taken on is finished in time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Connections; one more is closed at once.
    pub connections_max: usize,
    /// Requests that hand events over, in flight.
    pub ingest_requests_max: usize,
    /// Bytes of bodies of events, in flight.
    pub ingest_bytes_max: usize,
    /// Requests that read features or views, in flight.
    pub read_requests_max: usize,
    /// Bytes of one body of events.
    pub events_body_max: usize,
    /// Bytes of the body of any other request.
    pub body_max: usize,
    /// Keys of groups in one request.
    pub reads_max: usize,
    /// Partition names that requests may bring.
    pub partitions_max: usize,
    /// How long a request's head may take, and how long a connection may be idle.
    pub header_timeout: Duration,
    /// How long the body may take.
    pub body_timeout: Duration,
    /// How long a client may take to read some of its answer.
    pub write_timeout: Duration,
    /// How long requests in flight may take to end when the server stops.
    pub drain_timeout: Duration,
}

impl Limits {
    /// [`Limits::connections_max`] of a server whose settings do not say otherwise.
    pub const CONNECTIONS: usize = 1_024;
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            connections_max: Limits::CONNECTIONS,
            ingest_requests_max: 128,
            ingest_bytes_max: 128 << 20,
            read_requests_max: 256,
            events_body_max: 16 << 20,
            body_max: 1 << 20,
            reads_max: 1_000,
            partitions_max: 1_024,
            header_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_secs(30),
            drain_timeout: Duration::from_secs(10),
        }
    }
}
