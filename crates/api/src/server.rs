//! The listener and its connections.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioTimer;
use millrace_feature::plan::Plan;
use millrace_ledger::Ledger;
use millrace_store::{Access, FileDisk, Keys, StoreError};
use millrace_stream::live::{Live, Recovery};
use thiserror::Error;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;

use crate::patience::Patience;
use crate::service::Service;
use crate::settings::Settings;

/// How often the keys are read again, so that a revoked one soon opens nothing.
const KEYS_EVERY: Duration = Duration::from_secs(2);
/// Bytes of a request's head.
const HEAD_BYTES_MAX: usize = 16 << 10;
/// What a connection gets that is one too many.
const TOO_MANY: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\nconnection: close\r\n\
      content-length: 0\r\n\r\n";

/// Why a server could not start.
#[derive(Debug, Error)]
pub enum ServeError {
    #[error("cannot listen on {address}: {source}; {}", listen_fix(source))]
    Listen { address: SocketAddr, source: std::io::Error },
    #[error(
        "{address} can be reached by others, and there is no key to ask them for; make one with \
         `millrace key create NAME`, or listen on 127.0.0.1"
    )]
    Open { address: SocketAddr },
    #[error(transparent)]
    Keys(#[from] StoreError),
    #[error(
        "the data of stream {stream} does not say which dead letters were handed over again \
         ({given:?}); restore the data directory from a copy"
    )]
    Marks { stream: String, given: String },
}

/// What to do about an address that cannot be had.
fn listen_fix(error: &std::io::Error) -> &'static str {
    use std::io::ErrorKind as Kind;
    match error.kind() {
        Kind::AddrInUse => {
            "another program has this port: stop it, or choose another one; port 0 takes a free one"
        }
        Kind::AddrNotAvailable => "this machine does not have the address; use 127.0.0.1",
        Kind::PermissionDenied => "ports below 1024 are not for everybody; choose a higher one",
        _ => "choose another address",
    }
}

/// A server that listens. It tells everybody to come back until it is given an engine.
#[derive(Debug)]
pub struct Server {
    service: Arc<Service>,
    address: SocketAddr,
    stop: watch::Sender<bool>,
    connections: Arc<Semaphore>,
    tasks: Vec<JoinHandle<()>>,
}

impl Server {
    /// Binds the address and begins to answer. Must be called in a tokio runtime.
    ///
    /// # Errors
    /// When the address cannot be had, when it is not loopback and there is no key, and when the
    /// keys cannot be read.
    pub async fn start(plan: Arc<Plan>, mut settings: Settings) -> Result<Server, ServeError> {
        let address = settings.listen;
        if !address.ip().is_loopback() && !has_keys(&settings)? {
            return Err(ServeError::Open { address });
        }
        let failed = |source| ServeError::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        settings.listen = address;
        let connections = Arc::new(Semaphore::new(settings.limits.connections_max));
        let service = Arc::new(Service::new(plan, settings)?);
        let (stop, stopped) = watch::channel(false);
        let accepting =
            accept(listener, Arc::clone(&service), Arc::clone(&connections), stopped.clone());
        let tasks = vec![
            tokio::spawn(accepting),
            tokio::spawn(look_after_keys(Arc::clone(&service), stopped)),
        ];
        Ok(Server { service, address, stop, connections, tasks })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on decisions are logged here; to be called before [`Server::ready`].
    pub fn log_decisions(&self, ledger: Ledger) {
        self.service.log_decisions(ledger);
    }

    /// There is an engine: from now on requests are answered.
    ///
    /// # Errors
    /// When it cannot be known which dead letters were handed over again.
    pub fn ready(&self, live: Live, recovery: &Recovery) -> Result<(), ServeError> {
        self.service.ready(live, recovery)
    }

    /// Takes no new connection or request, and waits for those in flight. Returns whether all of
    /// them ended in time.
    pub async fn stop(self) -> bool {
        self.service.stop();
        self.stop.send_replace(true);
        let limits = self.service.settings.limits;
        let all = u32::try_from(limits.connections_max).unwrap_or(u32::MAX);
        let drained = self.connections.acquire_many(all);
        let is_drained = tokio::time::timeout(limits.drain_timeout, drained).await.is_ok();
        self.tasks.iter().for_each(JoinHandle::abort);
        is_drained
    }
}

fn has_keys(settings: &Settings) -> Result<bool, StoreError> {
    let disk = FileDisk::open(&settings.data_dir, Access::Read)?;
    Ok(!Keys::open(Arc::new(disk))?.list().is_empty())
}

async fn look_after_keys(service: Arc<Service>, mut stopped: watch::Receiver<bool>) {
    while tokio::time::timeout(KEYS_EVERY, stopped.changed()).await.is_err() {
        let service = Arc::clone(&service);
        // Files are read where nobody waits for it.
        match tokio::task::spawn_blocking(move || service.guard.reload()).await {
            Ok(()) => {}
            // A key that is revoked later must still be taken notice of.
            Err(error) if error.is_panic() => {
                tracing::error!("reading the keys panicked, which is a bug; the old ones hold");
            }
            // The runtime ends.
            Err(_) => return,
        }
    }
}

async fn accept(
    listener: TcpListener,
    service: Arc<Service>,
    connections: Arc<Semaphore>,
    mut stopped: watch::Receiver<bool>,
) {
    loop {
        let accepted = tokio::select! {
            _ = stopped.changed() => return,
            accepted = listener.accept() => accepted,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Most likely no file descriptors are left; some will come back.
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let Ok(permit) = Arc::clone(&connections).try_acquire_owned() else {
            service.meters.connections_refused.fetch_add(1, Ordering::Relaxed);
            // Into an empty socket buffer: whether it got there is the client's concern.
            let _ = stream.try_write(TOO_MANY);
            continue;
        };
        let (service, stopped) = (Arc::clone(&service), stopped.clone());
        tokio::spawn(async move {
            service.meters.connections.fetch_add(1, Ordering::Relaxed);
            connection(stream, &service, stopped).await;
            service.meters.connections.fetch_sub(1, Ordering::Relaxed);
            drop(permit);
        });
    }
}

async fn connection(stream: TcpStream, service: &Arc<Service>, mut stopped: watch::Receiver<bool>) {
    // Answers are written whole: waiting for more of them would only delay.
    let _ = stream.set_nodelay(true);
    let answer = service_fn(|request| {
        let service = Arc::clone(service);
        async move { Ok::<_, std::convert::Infallible>(service.answer(request).await) }
    });
    let limits = service.settings.limits;
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_timeout)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(Patience::new(stream, limits.write_timeout), answer);
    let mut serving = pin!(serving);
    let mut is_asked = false;
    loop {
        tokio::select! {
            // How a client left is its own affair.
            _ = serving.as_mut() => return,
            _ = stopped.changed(), if !is_asked => {
                is_asked = true;
                serving.as_mut().graceful_shutdown();
            }
        }
    }
}
