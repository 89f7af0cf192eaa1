//! Decisions of the real server: logged through a kill, and decided again to the bit.

pub mod project;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use millrace_ledger::Entries;
use millrace_store::{Access, FileDisk};
use serde_json::{Value, json};

use crate::program::{fail, run, succeed};
use project::{Caller, Server, model, project};

/// A number that depends on this one and looks as if it did not.
fn mixed(n: u64) -> u64 {
    let mut x = n.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ x >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ x >> 31
}

fn payment(n: u64) -> Value {
    let pick = mixed(n);
    let country = ["DE", "FR", "PL"][(pick >> 8) as usize % 3];
    let mut payment = json!({
        "card": format!("c{}", pick % 97),
        "amount": (pick >> 16) % 50_000,
        "country": country,
        "approved": !pick.is_multiple_of(5),
    });
    if !pick.is_multiple_of(7) {
        payment["device"] = json!(format!("d{}", (pick >> 32) % 211));
    }
    payment
}

/// Decides and hands events over from several threads, until so many decisions were answered or
/// the server has gone; the ids of those that were answered.
fn load(
    address: SocketAddr,
    decisions: u64,
    seed: u64,
    stop: &Arc<AtomicBool>,
) -> BTreeSet<String> {
    let asked = Arc::new(AtomicU64::new(0));
    let events = {
        let stop = Arc::clone(stop);
        std::thread::spawn(move || {
            let mut caller = Caller::new(address);
            let mut n = seed;
            while !stop.load(Ordering::Relaxed) {
                let mut lines = String::new();
                for _ in 0..20 {
                    let mut payment = payment(n);
                    payment["payment_id"] = json!(format!("p{n}"));
                    let ago = Duration::from_millis(mixed(n) % 400);
                    payment["at"] = json!(time_ago(ago));
                    lines.push_str(&format!("{payment}\n"));
                    n += 1;
                }
                if caller.ingest(&lines).is_none() {
                    return;
                }
            }
        })
    };
    let deciding: Vec<_> = (0..3)
        .map(|thread| {
            let asked = Arc::clone(&asked);
            std::thread::spawn(move || {
                let mut caller = Caller::new(address);
                let mut ids = BTreeSet::new();
                loop {
                    let n = asked.fetch_add(1, Ordering::Relaxed);
                    if n >= decisions {
                        return ids;
                    }
                    let payment = payment(seed + 1_000_000 + n * 3 + thread).to_string();
                    let Some(decided) = caller.decide(&payment) else { return ids };
                    assert!(ids.insert(decided["id"].as_str().unwrap().to_owned()));
                }
            })
        })
        .collect();
    let ids = deciding.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
    stop.store(true, Ordering::Relaxed);
    events.join().unwrap();
    ids
}

fn time_ago(ago: Duration) -> String {
    let now = millrace_stream::live::now();
    now.minus(millrace_event::Span::micros(ago.as_micros() as i64)).to_string()
}

fn logged(folder: &Path) -> BTreeSet<String> {
    let disk = FileDisk::open(&folder.join(".millrace"), Access::Read).unwrap();
    let mut entries = Entries::open(Arc::new(disk)).unwrap();
    let mut ids = BTreeSet::new();
    while let Some(entry) = entries.next_entry().unwrap() {
        assert!(ids.insert(entry.record.id.to_string()));
    }
    ids
}

fn audit(folder: &Path, code: i32) -> Value {
    let ended = run(folder, &["audit", "--json"]);
    assert_eq!(ended.code, Some(code), "{ended:?}");
    serde_json::from_str(&ended.out).unwrap()
}

#[test]
fn no_answered_decision_is_lost_and_all_are_decided_again_alike() {
    let folder = project();
    let folder = folder.path();
    // Killed in the middle of what it does.
    let server = Server::start(folder);
    let address = server.address;
    let stop = Arc::new(AtomicBool::new(false));
    let loading = {
        let stop = Arc::clone(&stop);
        std::thread::spawn(move || load(address, 1_000_000, 1, &stop))
    };
    let begun = Instant::now();
    while logged(folder).len() < 1_200 {
        assert!(begun.elapsed() < Duration::from_secs(120), "too slow");
        std::thread::sleep(Duration::from_millis(50));
    }
    server.kill();
    let mut answered = loading.join().unwrap();
    assert!(answered.is_subset(&logged(folder)), "a decision that was answered is lost");
    // Killed once it is quiet, and stopped in order.
    for (seed, is_killed) in [(10_000_000, true), (20_000_000, false)] {
        let server = Server::start(folder);
        let ids = load(server.address, 600, seed, &Arc::new(AtomicBool::new(false)));
        assert_eq!(ids.len(), 600);
        answered.extend(ids);
        if is_killed { server.kill() } else { server.stop() }
    }
    let logged = logged(folder);
    assert!(answered.is_subset(&logged), "a decision that was answered is lost");
    assert!(answered.len() >= 2_000, "{}", answered.len());
    let found = audit(folder, 0);
    assert_eq!(found["decisions"], logged.len());
    assert_eq!(found["differed"], 0, "{found}");
    let lost = "it counted events that were lost in a crash before they were acknowledged";
    let not_there = found["obstacles"].as_array().unwrap();
    assert!(not_there.iter().all(|o| o["reason"] == lost), "{found}");
    assert!(found["not_recomputed"].as_u64().unwrap() <= 60, "{found}");
    // All three outcomes, and the default, have been met.
    let report = succeed(folder, &["decision", "report", "--amount", "amount", "--json"]);
    let report: Value = serde_json::from_str(&report).unwrap();
    let outcomes = &report[0]["days"].as_array().unwrap()[0];
    for outcome in ["allow", "review", "block"] {
        assert!(outcomes[outcome]["count"].as_u64().unwrap() > 0, "{report}");
    }
    let challenge = &report[0]["challenges"][0];
    assert_eq!((&challenge["shadow"], &challenge["score"]), (&json!("risk_next"), &json!("risk")));
    assert!(challenge["same_outcome"].as_u64() < challenge["decisions"].as_u64(), "{report}");
}

/// A server that takes a few decisions and is stopped.
fn decided(folder: &Path) -> Vec<String> {
    let server = Server::start(folder);
    let ids = load(server.address, 40, 5, &Arc::new(AtomicBool::new(false)));
    server.stop();
    ids.into_iter().collect()
}

#[test]
fn a_decision_is_shown_beside_the_same_one_decided_again() {
    let folder = project();
    let folder = folder.path();
    let ids = decided(folder);
    let told = succeed(folder, &["decision", "replay", &ids[0]]);
    for part in ["amount", "score risk ", "shadow risk_next", "outcome", "agree, bit for bit"] {
        assert!(told.contains(part), "{part}: {told}");
    }
    let told = fail(folder, &["decision", "replay", "019a0b1c-2d3e-7000-8f00-0123456789ab"], 1);
    assert!(told.contains("no decision 019a0b1c"), "{told}");
    fail(folder, &["decision", "replay", "x"], 2);
    // Beside a server that runs.
    let server = Server::start(folder);
    assert_eq!(audit(folder, 0)["agreed"], 40);
    server.stop();
}

#[test]
fn a_value_that_was_served_wrong_is_found_and_named() {
    let folder = project();
    let folder = folder.path();
    decided(folder);
    assert_eq!(audit(folder, 0)["agreed"], 40);
    let id = tamper(folder);
    let found = audit(folder, 1);
    assert_eq!((&found["differed"], &found["agreed"]), (&json!(1), &json!(39)), "{found}");
    let difference = &found["differences"][0];
    assert_eq!(difference["part"], "feature countries", "{found}");
    assert_eq!(difference["examples"][0]["id"], id, "{found}");
    let told = fail(folder, &["decision", "replay", &id], 1);
    assert!(told.contains("feature countries differs first: logged "), "{told}");
    let told = run(folder, &["audit"]).out;
    assert!(told.contains("differs: feature countries, 1 time\n"), "{told}");
}

#[test]
fn a_record_that_cannot_be_read_leaves_the_others() {
    let folder = project();
    let folder = folder.path();
    decided(folder);
    // A version that no program writes yet.
    let id = change_first(folder, |payload| payload[0] = 9);
    let found = audit(folder, 1);
    assert_eq!((&found["agreed"], &found["unreadable"]["records"]), (&json!(39), &json!(1)));
    let told = run(folder, &["audit"]);
    let why = "1 record of the decision log could not be read, the first because: record 0 of the";
    assert!(told.err.contains(why), "{told:?}");
    let report: Value =
        serde_json::from_str(&succeed(folder, &["decision", "report", "--json"])).unwrap();
    assert_eq!(report[0]["decisions"], 39);
    assert_eq!(report[0]["unreadable"]["records"], 1);
    let told = fail(folder, &["decision", "replay", &id], 1);
    assert!(told.contains("no decision ") && told.contains(why), "{told}");
}

/// What was synced is not taken for an unfinished write, also where nothing came behind it.
#[test]
fn damage_before_a_kill_is_noticed_after_it() {
    let folder = project();
    let folder = folder.path();
    let server = Server::start(folder);
    load(server.address, 40, 5, &Arc::new(AtomicBool::new(false)));
    let log = |name: &str| folder.join(format!(".millrace/{name}/00000000000000000000.log"));
    let end = |name: &str| std::fs::read(log(name)).unwrap();
    // 16 bytes that say so: behind a sync, which comes within a second for decisions.
    let is_marked = |bytes: &[u8]| bytes[bytes.len() - 12..][..4] == [0xff; 4];
    let begun = Instant::now();
    while !is_marked(&end("decisions")) || !is_marked(&end("events")) {
        assert!(begun.elapsed() < Duration::from_secs(60), "what is durable is not marked");
        std::thread::sleep(Duration::from_millis(20));
    }
    server.kill();
    let flip = |name: &str, at: usize| {
        let mut bytes = end(name);
        bytes[at] ^= 1;
        std::fs::write(log(name), bytes).unwrap();
    };
    flip("decisions", 600);
    let found = audit(folder, 1);
    assert_eq!(found["unreadable"]["open_ends"], 1, "{found}");
    flip("decisions", 600);
    assert_eq!(audit(folder, 0)["agreed"], 40);
    flip("events", end("events").len() - 40);
    let told = fail(folder, &["training-set", "checkout", "--from-log", "-o", "rows.csv"], 3);
    assert!(told.contains("is corrupt at byte "), "{told}");
}

/// Whoever only reads must not take a log that was cut for one that is still being written.
#[test]
fn an_event_log_that_lost_its_end_is_an_error() {
    let folder = project();
    let folder = folder.path();
    decided(folder);
    let log = folder.join(".millrace/events/00000000000000000000.log");
    let length = log.metadata().unwrap().len();
    let file = std::fs::OpenOptions::new().write(true).open(&log).unwrap();
    for (left, why) in [(length / 2, "is corrupt at byte "), (32, "log events ends at offset 0")] {
        file.set_len(left).unwrap();
        let told = fail(folder, &["training-set", "checkout", "--from-log", "-o", "rows.csv"], 3);
        assert!(told.contains(why) && told.contains("from a copy"), "{told}");
        assert!(!folder.join("rows.csv").exists());
        let found = audit(folder, 1);
        let reason = found["obstacles"][0]["reason"].as_str().unwrap();
        assert!(reason.starts_with("the event log cannot be applied: ") && reason.contains(why));
        assert_eq!(found["differed"], 0, "{found}");
    }
}

#[test]
fn an_amount_that_older_decisions_lack_is_no_mistake() {
    let folder = project();
    let folder = folder.path();
    decided(folder);
    let mill = folder.join("payments.mill");
    let text = std::fs::read_to_string(&mill).unwrap();
    let with_fee = text.replace("  country    : string", "  fee : decimal(2)?\n  country : string");
    std::fs::write(&mill, with_fee).unwrap();
    let report = ["decision", "report", "--json", "--amount", "fee"];
    assert!(fail(folder, &report, 2).contains("has no field `fee`"));
    let server = Server::start(folder);
    load(server.address, 40, 9_000, &Arc::new(AtomicBool::new(false)));
    server.stop();
    let told: Value = serde_json::from_str(&succeed(folder, &report)).unwrap();
    // And nobody said what the fee was.
    assert_eq!((&told[0]["decisions"], &told[0]["without_money"]), (&json!(80), &json!(80)));
}

/// Adds one to the last value of the first logged vector, under a right checksum; its id.
fn tamper(folder: &Path) -> String {
    change_first(folder, |payload| {
        let last = payload.len() - 8;
        payload[last] += 1;
    })
}

/// Changes the first logged record, under a right checksum; its id.
fn change_first(folder: &Path, change: impl FnOnce(&mut [u8])) -> String {
    let log = folder.join(".millrace/decisions/00000000000000000000.log");
    let mut bytes = std::fs::read(&log).unwrap();
    let word = |bytes: &[u8], at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    let (salt, length) = (word(&bytes, 24), word(&bytes, 36) as usize);
    let (frame, payload) = (32, 48);
    change(&mut bytes[payload..payload + length]);
    let sum = crc32(salt, &bytes[frame + 4..payload + length]);
    bytes[frame..frame + 4].copy_from_slice(&sum.to_le_bytes());
    std::fs::write(&log, &bytes).unwrap();
    let id = &bytes[payload + 11..payload + 27];
    let hex: String = id.iter().map(|b| format!("{b:02x}")).collect();
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

fn crc32(seed: u32, bytes: &[u8]) -> u32 {
    let mut sum = !seed;
    for byte in bytes {
        sum ^= u32::from(*byte);
        for _ in 0..8 {
            sum = if sum & 1 == 1 { sum >> 1 ^ 0xedb8_8320 } else { sum >> 1 };
        }
    }
    !sum
}

#[test]
fn what_has_changed_since_is_named_and_not_compared() {
    let folder = project();
    let folder = folder.path();
    let ids = decided(folder);
    std::fs::write(folder.join("models/risk.txt"), model("9.5")).unwrap();
    let found = audit(folder, 0);
    assert_eq!((&found["in_part"], &found["agreed"]), (&json!(40), &json!(0)), "{found}");
    let reason = "the file of model `risk` was another one: its score is not compared";
    assert_eq!(found["obstacles"][0], json!({ "reason": reason, "count": 40 }));
    let told = fail(folder, &["decision", "replay", &ids[0]], 1);
    assert!(told.contains(reason), "{told}");
    let mill = folder.join("payments.mill");
    let text = std::fs::read_to_string(&mill).unwrap();
    std::fs::write(&mill, text.replace("risk >= 0.6", "risk >= 0.7")).unwrap();
    let found = audit(folder, 0);
    assert!(found.to_string().contains("decision `authorise` was defined otherwise"), "{found}");
    std::fs::write(&mill, text.replace("over 10s, 1h", "over 10s, 2h")).unwrap();
    // Nothing is left to compare: an audit that says nothing must not look like one that agrees.
    let found = audit(folder, 1);
    assert_eq!(found["not_recomputed"], 40, "{found}");
    assert!(found.to_string().contains("view `checkout` was defined otherwise"), "{found}");
}

#[test]
fn closed_parts_become_parquet() {
    let folder = project();
    let folder = folder.path();
    let files = folder.join(".millrace/decision-files/authorise");
    std::fs::write(folder.join("millrace.toml"), "[storage]\ndecisions_max = \"1MiB\"\n").unwrap();
    let server = Server::start(folder);
    load(server.address, 2_500, 5, &Arc::new(AtomicBool::new(false)));
    let begun = Instant::now();
    let found = || -> Vec<PathBuf> {
        let all = std::fs::read_dir(&files).into_iter().flatten();
        let paths = all.map(|file| file.unwrap().path());
        paths.filter(|path| path.extension().is_some_and(|e| e == "parquet")).collect()
    };
    while found().is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(60), "no files at {}", files.display());
        std::thread::sleep(Duration::from_millis(50));
    }
    server.stop();
    assert!(found()[0].metadata().unwrap().len() > 1_000);
    assert_eq!(audit(folder, 0)["differed"], 0);
}

#[test]
fn models_are_read_when_a_project_is_checked_and_served() {
    let folder = project();
    let folder = folder.path();
    succeed(folder, &["check"]);
    let (risk, other) = (folder.join("models/risk.txt"), folder.join("other.txt"));
    std::fs::rename(&risk, &other).unwrap();
    for command in [&["check"][..], &["check", "--json"], &["run", "--listen", "127.0.0.1:0"]] {
        let told = fail(folder, command, 1);
        assert!(told.contains("model `risk`: there is no file models/risk.txt"), "{told}");
        assert!(told.contains("millrace model add FILE --name risk --view checkout"), "{told}");
    }
    std::fs::write(&risk, model("1").replace("attempts", "attempt")).unwrap();
    let told = fail(folder, &["check"], 1);
    assert!(told.contains("feature `attempt`: no input has this name; did you mean"), "{told}");
    std::fs::write(&risk, "tree\nversion=v4\n").unwrap();
    assert!(fail(folder, &["check"], 1).contains("model `risk`: models/risk.txt: "));
    std::fs::remove_file(&risk).unwrap();
    succeed(folder, &["model", "add", "other.txt", "--name", "risk", "--view", "checkout"]);
    succeed(folder, &["check"]);
    let told =
        succeed(folder, &["model", "add", "other.txt", "--name", "third", "--view", "checkout"]);
    assert!(
        told.contains("model third {\n  file \"models/third.txt\"\n  inputs checkout\n}"),
        "{told}"
    );
    assert!(succeed(folder, &["check"]).contains("3 models"));
    let wrong = model("1").replace("attempts", "attempt");
    std::fs::write(folder.join("wrong.txt"), wrong).unwrap();
    let told =
        fail(folder, &["model", "add", "wrong.txt", "--name", "fourth", "--view", "checkout"], 1);
    assert!(told.contains("nothing was added"), "{told}");
}
