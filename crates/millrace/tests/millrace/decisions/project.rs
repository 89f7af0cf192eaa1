//! A project that decides, and those who ask it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;

use serde_json::Value;
use tempfile::{TempDir, tempdir};

use crate::program::{command, write};

const DEFINITIONS: &str = "entity card, device

stream payments {
  payment_id : string    id
  at         : timestamp time, late 10m
  card       : card
  device     : device?
  amount     : decimal(2)
  country    : string
  approved   : bool
}

features velocity by card from payments {
  fresh 1m, else refuse
  attempts  = count()            over 10s, 1h
  spent     = sum(amount)        over 1h
  mean      = mean(amount)       over 1h
  countries = distinct(country)  over 1h
  first_at  = first(at)
  last_at   = last(at)
}

features device_risk by device from payments {
  cards    = distinct(card)            over 1h
  declines = count() where not approved over 1h
}

view checkout on payments {
  amount   = amount
  ratio    = float(amount) / velocity.mean
  idle     = at - velocity.last_at
  age      = at - velocity.first_at
  country  = country
  spent    = velocity.spent
  attempts = velocity.attempts[10s]
  use device_risk
  countries = velocity.countries
}

model risk      { file \"models/risk.txt\"  inputs checkout }
model risk_next { file \"models/next.txt\"  inputs checkout }

decision authorise on checkout {
  score  risk
  shadow risk_next
  block  when risk >= 0.9
  block  \"many cards on one device\" when device_risk.cards >= 5
  review when risk >= 0.6
  else   allow
}
";

/// A score that is higher for many attempts, a high ratio, short gaps and the country FR.
pub fn model(leaf: &str) -> String {
    let tree =
        |index: usize, body: &str| format!("Tree={index}\n{body}\nis_linear=0\nshrinkage=1\n\n\n");
    let attempts = format!(
        "num_leaves=3\nnum_cat=0\nsplit_feature=0 1\nthreshold=2.5 1.2\ndecision_type=10 10\n\
         left_child=-1 -2\nright_child=1 -3\nleaf_value=-1 0.25 {leaf}\nleaf_count=60 30 10"
    );
    let idle = "num_leaves=2\nnum_cat=0\nsplit_feature=2\nthreshold=0.75\ndecision_type=8\n\
                left_child=-1\nright_child=-2\nleaf_value=0.7 -0.3\nleaf_count=40 60";
    let country = "num_leaves=2\nnum_cat=1\nsplit_feature=3\nthreshold=0\ndecision_type=1\n\
                   left_child=-1\nright_child=-2\nleaf_value=0.4 -0.1\nleaf_count=50 50\n\
                   cat_boundaries=0 1\ncat_threshold=2";
    format!(
        "tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\nmax_feature_idx=3\n\
         objective=binary sigmoid:1\nfeature_names=attempts ratio idle country\n\
         feature_infos=[0:90] [0:90] [0:90] 0:1\n\
         tree_sizes=1 1 1\n\n{}{}{}end of trees\n\npandas_categorical:[[\"DE\", \"FR\"]]\n",
        tree(0, &attempts),
        tree(1, idle),
        tree(2, country),
    )
}

pub fn project() -> TempDir {
    let folder = tempdir().unwrap();
    std::fs::create_dir(folder.path().join("models")).unwrap();
    write(
        folder.path(),
        &[
            ("payments.mill", DEFINITIONS),
            ("models/risk.txt", &model("2.5")),
            ("models/next.txt", &model("0.1")),
            ("millrace.toml", "[storage]\ncheckpoint_every = \"200ms\"\n"),
        ],
    );
    folder
}

/// A server that is killed if the test leaves it behind.
pub struct Server {
    child: Child,
    pub address: SocketAddr,
}

impl Server {
    pub fn start(folder: &Path) -> Server {
        let mut child = command(&["run", "--json", "--listen", "127.0.0.1:0"])
            .current_dir(folder)
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let ready: Value = serde_json::from_str(&line).unwrap();
        Server { child, address: ready["address"].as_str().unwrap().parse().unwrap() }
    }

    /// As `kill -9` does.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub fn stop(mut self) {
        let id = self.child.id().to_string();
        assert!(
            std::process::Command::new("kill").args(["-TERM", &id]).status().unwrap().success()
        );
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A connection that stays open.
pub struct Caller(TcpStream);

impl Caller {
    pub fn new(address: SocketAddr) -> Caller {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        Caller(stream)
    }

    /// The status and the body; `None` when the server has gone.
    pub fn post(&mut self, path: &str, content_type: &str, body: &str) -> Option<(u16, String)> {
        let length = body.len();
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: {content_type}\r\n\
             content-length: {length}\r\n\r\n{body}"
        );
        self.0.write_all(request.as_bytes()).ok()?;
        let mut bytes = Vec::new();
        let mut buffer = [0; 16 << 10];
        loop {
            if let Some(end) = bytes.windows(4).position(|w| w == b"\r\n\r\n") {
                let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
                let length = head.lines().find_map(|l| l.strip_prefix("content-length: ")).unwrap();
                let length: usize = length.parse().unwrap();
                if bytes.len() >= end + 4 + length {
                    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
                    let body = String::from_utf8(bytes[end + 4..][..length].to_vec()).unwrap();
                    return Some((status, body));
                }
            }
            match self.0.read(&mut buffer) {
                // A signal to this process ends a read that has a timeout.
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                Ok(0) | Err(_) => return None,
                Ok(got) => bytes.extend_from_slice(&buffer[..got]),
            }
        }
    }

    pub fn decide(&mut self, body: &str) -> Option<Value> {
        let (status, body) = self.post("/v1/decisions/authorise", "application/json", body)?;
        assert_eq!(status, 200, "{body}");
        Some(serde_json::from_str(&body).unwrap())
    }

    pub fn ingest(&mut self, lines: &str) -> Option<Value> {
        let (status, body) =
            self.post("/v1/streams/payments/events", "application/x-ndjson", lines)?;
        assert_eq!(status, 200, "{body}");
        Some(serde_json::from_str(&body).unwrap())
    }
}
