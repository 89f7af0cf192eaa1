//! The server as a process: what it prints, what it follows, how it ends, and what it keeps.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use millrace_api::Client;
use serde_json::Value;
use tempfile::{TempDir, tempdir};

use crate::program::{command, fail, run, succeed};

/// A server that is killed if the test leaves it behind.
struct Server {
    child: Child,
    url: String,
    ready: Value,
}

impl Server {
    fn start(folder: &Path, arguments: &[&str]) -> Server {
        let all = [&["run", "--json", "--listen", "127.0.0.1:0"], arguments].concat();
        let mut child = command(&all)
            .current_dir(folder)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let ready: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(ready["event"], "ready");
        Server { url: ready["url"].as_str().unwrap().to_owned(), child, ready }
    }

    fn signal(&self, name: &str) {
        let told =
            Command::new("kill").args([name, &self.child.id().to_string()]).status().unwrap();
        assert!(told.success());
    }

    /// Asks it to stop; its code and what it said.
    fn stop(mut self) -> (Option<i32>, String) {
        self.signal("-TERM");
        let code = self.child.wait().unwrap().code();
        let mut said = String::new();
        std::io::Read::read_to_string(&mut self.child.stderr.take().unwrap(), &mut said).unwrap();
        (code, said)
    }

    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn get(&self, path: &str) -> Value {
        self.ask(None, async |client| client.get(path).await)
    }

    fn lines(&self, body: &str) -> Value {
        let path = "/v1/streams/payments/events";
        let body = body.as_bytes().to_vec();
        self.ask(None, async |client| client.post(path, "application/x-ndjson", body).await)
    }

    fn ask(
        &self,
        key: Option<String>,
        ask: impl AsyncFnOnce(&Client) -> Result<millrace_api::Reply, millrace_api::ClientError>,
    ) -> Value {
        let client = Client::new(&self.url, key, Duration::from_secs(60)).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let reply = runtime.block_on(ask(&client)).unwrap();
        serde_json::from_slice(&reply.body).unwrap()
    }

    /// Payments that this became of, as `/metrics` has it.
    fn count(&self, outcome: &str) -> u64 {
        let client = Client::new(&self.url, None, Duration::from_secs(60)).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let metrics = runtime.block_on(client.get("/metrics")).unwrap().body;
        let metrics = String::from_utf8(metrics).unwrap();
        let name = format!("millrace_events_total{{stream=\"payments\",outcome=\"{outcome}\"}} ");
        let line = metrics.lines().find_map(|line| line.strip_prefix(&name)).unwrap();
        line.parse().unwrap()
    }

    fn attempts(&self, card: &str) -> Value {
        let path = format!("/v1/features/card_velocity/{card}?at=2026-01-05T12:10:00Z");
        self.get(&path)["values"]["attempts_1h"]["value"].clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn project() -> TempDir {
    let folder = tempdir().unwrap();
    succeed(folder.path(), &["init"]);
    folder
}

fn payment(id: u32, card: &str) -> String {
    format!(
        "{{\"payment_id\":\"x{id}\",\"at\":\"2026-01-05T12:06:00Z\",\"card\":\"{card}\",\
         \"amount\":1.00,\"approved\":true}}\n"
    )
}

fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < Duration::from_secs(30), "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn it_says_where_it_listens_and_ends_cleanly() {
    let folder = project();
    let server = Server::start(folder.path(), &["--ready-file", "address"]);
    let address = std::fs::read_to_string(folder.path().join("address")).unwrap();
    assert_eq!(server.ready["address"], address.trim());
    assert_eq!(server.ready["process"], server.child.id());
    assert_eq!(server.lines(&payment(1, "A"))["accepted"], 1);
    assert_eq!(server.get("/readyz")["status"], "ready");
    let (code, said) = server.stop();
    assert_eq!(code, Some(0), "{said}");
    assert!(said.ends_with("stopped\n"), "{said}");
    let server = Server::start(folder.path(), &[]);
    assert_eq!(server.ready["recovered"]["records"], 0);
    assert_eq!(server.attempts("A"), 1);
    assert!(server.stop().1.contains("recovered 1 key from checkpoint"));
}

#[test]
fn a_kill_loses_nothing_that_was_acknowledged() {
    let folder = project();
    for round in 0..3 {
        let server = Server::start(folder.path(), &[]);
        assert_eq!(server.attempts("A"), 20 * round);
        for id in 0..20 {
            assert_eq!(server.lines(&payment(100 * round + id, "A"))["accepted"], 1);
        }
        server.kill();
    }
    let server = Server::start(folder.path(), &[]);
    assert_eq!(server.attempts("A"), 60);
    assert_eq!(server.lines(&payment(0, "A"))["duplicate"], 1);
    server.stop();
}

#[test]
fn files_are_followed_while_they_grow_and_go_on_after_a_kill() {
    let folder = project();
    let config = "[streams.payments]\nfiles = [\"payments.ndjson\", \"later.ndjson\"]\n";
    std::fs::write(folder.path().join("millrace.toml"), config).unwrap();
    let later = folder.path().join("later.ndjson");
    let append = |text: &str| {
        let mut file = std::fs::OpenOptions::new().create(true).append(true).open(&later).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    };
    let server = Server::start(folder.path(), &[]);
    until("the first file is read", || server.attempts("A") == 3);
    append(&payment(1, "Z"));
    until("the new file is found", || server.attempts("Z") == 1);
    append(&payment(2, "Z"));
    append("{bad\n");
    until("the file is followed", || server.attempts("Z") == 2);
    until("a bad line is kept", || {
        let letters = server.get("/v1/dead-letters");
        letters["dead_letters"][0]["origin"] == "later.ndjson"
    });
    server.kill();
    append(&payment(3, "Z"));
    let server = Server::start(folder.path(), &[]);
    until("it goes on where it was", || server.attempts("Z") == 3);
    std::thread::sleep(Duration::from_millis(100));
    let letters = server.get("/v1/dead-letters");
    assert_eq!(letters["dead_letters"].as_array().unwrap().len(), 1, "{letters}");
    // The example's file has one payment twice.
    assert_eq!(server.count("duplicate"), 1);
    server.stop();
}

#[test]
fn what_a_followed_file_holds_against_the_rules_keeps_its_bytes_and_place() {
    let folder = project();
    let config = "[streams.payments]\nfiles = [\"a.ndjson\", \"b.csv\"]\n";
    std::fs::write(folder.path().join("millrace.toml"), config).unwrap();
    let far = payment(2, "A").replace("2026", "2999");
    let long = payment(3, &"k".repeat(70_000));
    let lines = [payment(1, "A"), far.clone(), long.clone()].concat();
    std::fs::write(folder.path().join("a.ndjson"), lines).unwrap();
    let row = "4,2999-01-05T12:06:00Z,A,1.00,true";
    let rows = format!("payment_id,at,card,amount,approved\n{row}\n");
    std::fs::write(folder.path().join("b.csv"), rows).unwrap();
    let server = Server::start(folder.path(), &[]);
    let listed = || server.get("/v1/dead-letters")["dead_letters"].as_array().unwrap().clone();
    until("both files are read", || listed().len() == 3);
    let expected = [
        ("a.ndjson", "line 2 (byte", "future", far.trim_end()),
        ("a.ndjson", "line 3 (byte", "long-key", long.trim_end()),
        ("b.csv", "line 2 (byte", "future", row),
    ];
    for (origin, place, reason, record) in expected {
        let is_it = |l: &Value| l["origin"] == origin && l["reason"] == reason;
        let letter = listed().into_iter().find(is_it).unwrap();
        assert!(letter["position"].as_str().unwrap().starts_with(place), "{}", letter["position"]);
        assert_eq!(letter["record"], record);
    }
    server.stop();
}

#[test]
fn a_file_that_was_rotated_while_the_server_was_down_loses_no_line() {
    let folder = project();
    let config = "[streams.payments]\nfiles = [\"later.ndjson\"]\n";
    std::fs::write(folder.path().join("millrace.toml"), config).unwrap();
    let file = |name: &str| folder.path().join(name);
    let payments =
        |ids: std::ops::Range<u32>, card| -> String { ids.map(|id| payment(id, card)).collect() };
    std::fs::write(file("later.ndjson"), payments(0..3, "Y")).unwrap();
    let server = Server::start(folder.path(), &[]);
    until("the file is read", || server.attempts("Y") == 3);
    // What is acknowledged behind it is durable behind it.
    assert_eq!(server.lines(&payment(99, "Q"))["accepted"], 1);
    server.kill();

    std::fs::write(file("later.ndjson"), payments(0..5, "Y")).unwrap();
    std::fs::rename(file("later.ndjson"), file("later.ndjson.1")).unwrap();
    std::fs::write(file("later.ndjson"), payments(10..19, "Z")).unwrap();
    let server = Server::start(folder.path(), &[]);
    until("the old file is finished", || server.attempts("Y") == 5);
    until("the new file is read from its start", || server.attempts("Z") == 9);
    let (_, said) = server.stop();
    assert!(said.contains("later.ndjson.1 now; it is finished first"), "{said}");

    std::fs::write(file("later.ndjson"), payments(20..30, "W")).unwrap();
    let server = Server::start(folder.path(), &[]);
    until("the file written anew is read from its start", || server.attempts("W") == 10);
    assert_eq!((server.attempts("Y"), server.attempts("Z")), (5.into(), 9.into()));
    let (_, said) = server.stop();
    assert!(said.contains("read from its start"), "{said}");
}

/// Each of two files is in order; which of them is read first decides nothing.
#[test]
fn files_of_one_stream_are_late_by_their_own_order_only() {
    let folder = project();
    let lines = |first: u32| -> String {
        let at = |n: u32| format!("2026-01-{:02}T12:{:02}:00Z", 1 + n / 60, n % 60);
        let line = |n: u32| {
            let id = 2 * n + first;
            let time = at(n);
            format!(
                "{{\"payment_id\":\"x{id}\",\"at\":\"{time}\",\"card\":\"c\",\
                 \"amount\":1.00,\"approved\":true}}\n"
            )
        };
        (0..1_500).map(line).collect()
    };
    std::fs::write(folder.path().join("a.ndjson"), lines(0)).unwrap();
    std::fs::write(folder.path().join("b.ndjson"), lines(1)).unwrap();
    let config = "[streams.payments]\nfiles = [\"a.ndjson\", \"b.ndjson\"]\n";
    std::fs::write(folder.path().join("millrace.toml"), config).unwrap();
    let server = Server::start(folder.path(), &[]);
    until("all lines are in", || server.count("applied") + server.count("late") == 3_000);
    assert_eq!(server.count("late"), 0);
    server.stop();
}

#[test]
fn letters_are_mended_and_late_events_replayed_on_a_running_server() {
    let folder = project();
    let server = Server::start(folder.path(), &[]);
    let url = server.url.clone();
    let bad = payment(1, "A").replace("1.00", "\"1.001\"");
    assert_eq!(server.lines(&(bad + &payment(2, "A")))["dead_lettered"], 1);
    let late = payment(3, "A").replace("12:06", "11:30");
    assert_eq!(server.lines(&late)["late"], 1);

    let still = run(folder.path(), &["dead-letters", "resubmit", "--url", &url]);
    assert_eq!(still.code, Some(1), "{still:?}");
    assert!(still.out.contains("1 letter still dead"), "{still:?}");
    let export = ["dead-letters", "export", "--numbered", "-o", "mend.ndjson"];
    succeed(folder.path(), &export);
    let file = folder.path().join("mend.ndjson");
    let mended = std::fs::read_to_string(&file).unwrap().replace("\"1.001\"", "1.10");
    std::fs::write(&file, &mended).unwrap();
    let resubmit = ["dead-letters", "resubmit", "--url", &url, "--file", "mend.ndjson"];
    let sent = succeed(folder.path(), &resubmit);
    assert!(sent.starts_with("1 letter handed over: 1 accepted"), "{sent}");
    let again = succeed(folder.path(), &resubmit);
    assert!(again.contains("1 letter handed over before"), "{again}");
    let listed = succeed(folder.path(), &["dead-letters", "list", "--url", &url]);
    assert!(listed.contains("handed over again") && listed.lines().count() == 1, "{listed}");
    let gone = mended.replace("\"number\":0", "\"number\":9");
    std::fs::write(&file, gone.clone() + &mended).unwrap();
    let gone_too = run(folder.path(), &resubmit);
    assert_eq!(gone_too.code, Some(1), "{gone_too:?}");
    assert!(gone_too.out.contains("1 letter not there"), "{gone_too:?}");
    std::fs::write(&file, gone.clone() + &gone).unwrap();
    assert!(fail(folder.path(), &resubmit, 1).contains("mend.ndjson:2: letter 9"));
    let spend = server.get("/v1/features/card_velocity/A?at=2026-01-05T12:10:00Z");
    assert_eq!(spend["values"]["spend_24h"]["value"], 2.1);

    assert_eq!(succeed(folder.path(), &["replay", "--url", &url]), "1 late event applied\n");
    assert_eq!(succeed(folder.path(), &["replay", "--url", &url]), "0 late events applied\n");
    server.stop();
    assert!(fail(folder.path(), &["replay", "--url", &url], 3).contains("no answer"));
    assert!(fail(folder.path(), &["replay", "--url", "ftp://x"], 2).contains("http://"));
}

#[test]
fn keys_made_while_it_runs_are_asked_for_and_other_addresses_need_one() {
    let folder = project();
    let refused = run(folder.path(), &["run", "--listen", "0.0.0.0:0"]);
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(refused.err.contains("millrace key create"), "{refused:?}");
    let server = Server::start(folder.path(), &[]);
    let key = succeed(folder.path(), &["key", "create", "laptop"]).trim().to_owned();
    until("a key is asked for", || {
        server.get("/v1/definitions")["error"]["code"] == "unauthorized"
    });
    let definitions = server.ask(Some(key.clone()), async |c| c.get("/v1/definitions").await);
    assert!(definitions["hash"].is_string());
    let url = server.url.clone();
    assert!(fail(folder.path(), &["replay", "--url", &url], 1).contains("401"));
    let replayed = command(&["replay", "--url", &url]).env("MILLRACE_KEY", &key).output().unwrap();
    assert!(replayed.status.success(), "{replayed:?}");
    server.stop();
}

#[test]
fn a_damaged_segment_of_all_checkpoints_is_told_with_a_way_out_that_works() {
    let folder = project();
    for id in 0..4 {
        let server = Server::start(folder.path(), &[]);
        assert_eq!(server.lines(&payment(id, "A"))["accepted"], 1);
        server.stop();
    }
    let checkpoints = folder.path().join(".millrace/checkpoints");
    let files = || std::fs::read_dir(&checkpoints).unwrap().map(|entry| entry.unwrap().path());
    let oldest = files().filter(|path| path.extension().is_some_and(|e| e == "segment")).min();
    let oldest = oldest.unwrap();
    let mut bytes = std::fs::read(&oldest).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&oldest, bytes).unwrap();
    let said = fail(folder.path(), &["run", "--listen", "127.0.0.1:0"], 3);
    assert!(said.contains("none of 3 checkpoints") && said.contains(".segment"), "{said}");
    let way_out = "move it away to rebuild from the log, which holds every event";
    assert!(said.contains("checkpoints/") && said.contains(way_out), "{said}");
    std::fs::rename(&checkpoints, folder.path().join("away")).unwrap();
    let server = Server::start(folder.path(), &[]);
    assert_eq!(server.attempts("A"), 4);
    server.stop();
}

#[test]
fn two_servers_do_not_share_data() {
    let folder = project();
    let server = Server::start(folder.path(), &[]);
    let second = fail(folder.path(), &["run", "--listen", "127.0.0.1:0"], 3);
    assert!(second.contains("in use"), "{second}");
    server.stop();
    let elsewhere = Server::start(folder.path(), &["--data", "elsewhere"]);
    assert!(folder.path().join("elsewhere/LOCK").exists());
    elsewhere.stop();
}

#[test]
fn an_address_that_cannot_be_had_is_told_with_what_to_do() {
    let folder = project();
    let server = Server::start(folder.path(), &[]);
    let taken = server.url.strip_prefix("http://").unwrap().to_owned();
    let other = project();
    let told = fail(other.path(), &["run", "--listen", &taken], 3);
    assert!(told.contains(&taken) && told.contains("port 0 takes a free one"), "{told}");
    let told = fail(other.path(), &["run", "--listen", ":8080"], 2);
    assert!(told.contains("127.0.0.1:8080 for this machine alone"), "{told}");
    server.stop();
}
