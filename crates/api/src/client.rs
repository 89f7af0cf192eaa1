//! A client for our own server: what the commands that talk to one use.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{Request, Uri};
use hyper_util::rt::TokioIo;
use thiserror::Error;
use tokio::net::TcpStream;

/// The largest answer that is read.
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// Why a server gave no answer.
#[derive(Debug, Error)]
pub enum ClientError {
    #[error("`{given}` is no address of a server; write it as http://127.0.0.1:7878")]
    Url { given: String },
    #[error("no answer from {url}: {cause}; is a server running there? `millrace run` starts one")]
    NoAnswer { url: String, cause: String },
}

/// Sends requests to one server, each on a connection of its own.
#[derive(Debug)]
pub struct Client {
    url: String,
    authority: String,
    key: Option<String>,
    timeout: Duration,
}

/// A status and the body that came with it.
#[derive(Clone, Debug)]
pub struct Reply {
    pub status: u16,
    pub body: Vec<u8>,
}

impl Client {
    /// `key` is sent as a bearer token.
    ///
    /// # Errors
    /// [`ClientError::Url`] for anything but `http://HOST:PORT`.
    pub fn new(url: &str, key: Option<String>, timeout: Duration) -> Result<Client, ClientError> {
        let wrong = || ClientError::Url { given: url.to_owned() };
        let uri: Uri = url.parse().map_err(|_| wrong())?;
        let authority = uri.authority().ok_or_else(wrong)?.to_string();
        if uri.scheme_str() != Some("http") || uri.path() != "/" || authority.contains('@') {
            return Err(wrong());
        }
        let url = format!("http://{authority}");
        Ok(Client { url, authority, key, timeout })
    }

    /// # Errors
    /// [`ClientError::NoAnswer`]; a refusal is an answer.
    pub async fn get(&self, path: &str) -> Result<Reply, ClientError> {
        self.send(Request::get(path), Vec::new()).await
    }

    /// # Errors
    /// As [`Client::get`].
    pub async fn post(
        &self,
        path: &str,
        content_type: &str,
        body: Vec<u8>,
    ) -> Result<Reply, ClientError> {
        self.send(Request::post(path).header(CONTENT_TYPE, content_type), body).await
    }

    async fn send(
        &self,
        head: hyper::http::request::Builder,
        body: Vec<u8>,
    ) -> Result<Reply, ClientError> {
        let mut head = head.header(HOST, &self.authority);
        if let Some(key) = &self.key {
            head = head.header(AUTHORIZATION, format!("Bearer {key}"));
        }
        let failed = |cause: String| ClientError::NoAnswer { url: self.url.clone(), cause };
        let request = head.body(Full::new(Bytes::from(body))).map_err(|e| failed(e.to_string()))?;
        match tokio::time::timeout(self.timeout, self.exchange(request)).await {
            Ok(exchanged) => exchanged.map_err(|e| failed(e.to_string())),
            Err(_) => Err(failed(format!("nothing within {} s", self.timeout.as_secs()))),
        }
    }

    async fn exchange(
        &self,
        request: Request<Full<Bytes>>,
    ) -> Result<Reply, Box<dyn std::error::Error + Send + Sync>> {
        let address = if self.authority.contains(':') {
            self.authority.clone()
        } else {
            format!("{}:80", self.authority)
        };
        let stream = TcpStream::connect(address).await?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let driving = tokio::spawn(connection);
        let response = sender.send_request(request).await?;
        let status = response.status().as_u16();
        let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await?;
        driving.abort();
        Ok(Reply { status, body: body.to_bytes().to_vec() })
    }
}
