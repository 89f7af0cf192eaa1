//! Training sets that are killed, and go on.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use millrace_event::Span;
use tempfile::TempDir;

use crate::from_log::{self, Arrival, Dice, Event, PAYMENT, Server, arrivals, deliver};
use crate::payments::{project, world};
use crate::program::{command, fail, run, succeed, write};

const JOB: [&str; 7] = ["training-set", "checkout", "--label", "fraud", "--json", "-o", "out.csv"];
/// A payment that cannot be read: what could not be used must not be lost either.
const BROKEN: &[u8] = b"{\"attempt\": 7}\n";

fn prepared() -> TempDir {
    let events: Vec<_> = world(12, 900).events().collect();
    let folder = project(&events);
    let attempts = folder.path().join("payment_attempts.ndjson");
    OpenOptions::new().append(true).open(attempts).unwrap().write_all(BROKEN).unwrap();
    folder
}

fn kept<'a>(rest: &[&'a str]) -> Vec<&'a str> {
    [&JOB[..], &["--resume", "kept"], rest].concat()
}

/// The bytes of the output and of the dead letters, which are removed.
fn output(folder: &Path) -> (Vec<u8>, Vec<u8>) {
    let take = |name: &str| {
        let path = folder.join(name);
        let bytes = std::fs::read(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        bytes
    };
    (take("out.csv"), take("out.csv.dead.ndjson"))
}

fn start(folder: &Path, job: &[&str]) -> Child {
    let mut command = command(job);
    command.current_dir(folder).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// Runs until so many manifests were seen, and then kills. Returns how many were there; less if it
/// was done before.
fn kill_after(folder: &Path, job: &[&str], manifests: usize) -> usize {
    let manifest = folder.join("kept/training-set.manifest");
    let file_of = |path: &Path| std::fs::metadata(path).ok().map(|file| file.ino());
    // The work of an earlier run is none of this one.
    let (mut last, mut seen) = (file_of(&manifest), 0);
    let mut child = start(folder, job);
    let since = Instant::now();
    while child.try_wait().unwrap().is_none() && since.elapsed() < Duration::from_secs(120) {
        let now = file_of(&manifest);
        if now.is_some() && now != last {
            (last, seen) = (now, seen + 1);
        }
        let is_begun = folder.join("kept/training-set.scratch").exists();
        if is_begun && seen >= manifests {
            break;
        }
        std::thread::sleep(Duration::from_micros(200));
    }
    let _ = child.kill();
    child.wait().unwrap();
    seen
}

/// As [`kill_after`], but asks it to end; what it said if it did.
fn interrupt(folder: &Path, job: &[&str]) -> Option<String> {
    let mut command = command(job);
    let command = command.current_dir(folder).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    while child.try_wait().unwrap().is_none() && !folder.join("kept/training-set.manifest").exists()
    {
        std::thread::sleep(Duration::from_micros(200));
    }
    let pid = rustix::process::Pid::from_child(&child);
    let _ = rustix::process::kill_process(pid, rustix::process::Signal::INT);
    let ended = child.wait_with_output().unwrap();
    (ended.status.code() == Some(130)).then(|| String::from_utf8(ended.stderr).unwrap())
}

/// A folder in which a run was killed that had kept something.
fn killed(folder: &Path, job: &[&str]) {
    for _ in 0..20 {
        kill_after(folder, job, 3);
        if folder.join("kept/training-set.manifest").exists() {
            return;
        }
    }
    panic!("it was always done before it was killed");
}

fn is_empty(folder: &Path) -> bool {
    folder.join("kept").read_dir().unwrap().next().is_none()
}

#[test]
fn a_killed_training_set_goes_on_and_its_bytes_are_the_same() {
    let folder = prepared();
    let folder = folder.path();
    let told = succeed(folder, &JOB);
    assert!(told.contains("\"resumed\":false"), "{told}");
    let whole = output(folder);
    assert!(whole.0.len() > 100_000 && !whole.1.is_empty());
    // Kept, but not killed.
    succeed(folder, &kept(&[]));
    assert!(output(folder) == whole && is_empty(folder));

    let mut gone_on = 0;
    // Before anything is kept, when everything is read, and among the partitions; then again and
    // again, each time a little later.
    for kills in [&[0][..], &[1], &[2], &[5], &[9], &[1, 1, 1, 1], &[3, 2, 2]] {
        for manifests in kills {
            kill_after(folder, &kept(&["--threads", "2"]), *manifests);
            // It appears when it is whole, wherever the kill came.
            let out = std::fs::read(folder.join("out.csv"));
            assert!(out.is_err() || out.unwrap() == whole.0);
        }
        let has_kept = folder.join("kept/training-set.manifest").exists();
        let ended = run(folder, &kept(&["--threads", "1"]));
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert!(ended.out.contains(&format!("\"resumed\":{has_kept}")), "{ended:?}");
        assert_eq!(ended.err.contains("going on after"), has_kept, "{ended:?}");
        gone_on += usize::from(has_kept);
        assert!(output(folder) == whole && is_empty(folder), "killed after {kills:?}");
    }
    assert!(gone_on >= 3, "only {gone_on} were killed in time");
}

#[test]
fn what_was_done_when_it_was_told_to_stop_is_kept() {
    let folder = prepared();
    let folder = folder.path();
    succeed(folder, &JOB);
    let whole = output(folder);
    let said = (0..20).find_map(|_| interrupt(folder, &kept(&[])));
    let said = said.expect("one of these runs is told in time");
    assert!(said.contains("the same command goes on from what is kept in kept"), "{said}");
    assert!(succeed(folder, &kept(&[])).contains("\"resumed\":true"));
    assert!(output(folder) == whole && is_empty(folder));
}

#[test]
fn only_the_same_training_set_goes_on() {
    let folder = prepared();
    let folder = folder.path();
    killed(folder, &kept(&[]));
    let refused = |rest: &[&str], what: &str| {
        let err = fail(folder, &kept(rest), 1);
        assert!(err.contains(what) && err.contains("remove kept to"), "{what}: {err}");
    };
    refused(&["--from", "2026-01-15"], "--from: it was not given, and is 2026-01-15");
    refused(&["--asof", "daily"], "--asof");
    refused(&["--with", "amount"], "--with");
    refused(&["--label-at", "2026-01-20"], "--label-at");
    refused(&["--events", "fraud_reports="], "file 1 of stream fraud_reports");
    refused(&["--no-header"], "--no-header");
    let settings = folder.join("millrace.toml");
    let config = std::fs::read_to_string(&settings).unwrap();
    std::fs::write(&settings, format!("[engine]\nfuture_max = \"2h\"\n{config}")).unwrap();
    refused(&[], "engine.future_max");
    std::fs::write(&settings, config).unwrap();
    // A file that was written again.
    let attempts = folder.join("payment_attempts.ndjson");
    let changed = std::fs::metadata(&attempts).unwrap().modified().unwrap();
    let touched = File::options().append(true).open(&attempts).unwrap();
    touched.set_modified(changed + Duration::from_secs(1)).unwrap();
    refused(&[], "file 1 of stream payment_attempts");
    touched.set_modified(changed).unwrap();
    let definitions = folder.join("payments.mill");
    let text = std::fs::read_to_string(&definitions).unwrap();
    std::fs::write(&definitions, text.replacen("late 10m", "late 11m", 1)).unwrap();
    refused(&[], "the definition of");
    std::fs::write(&definitions, text).unwrap();
    // The place of the output, its format, the memory and the threads may be others.
    let mut job = kept(&["--threads", "3", "--memory", "100MiB"]);
    job[JOB.len() - 1] = "o.ndjson";
    let told = succeed(folder, &job);
    assert!(told.contains("\"resumed\":true"), "{told}");
    assert!(folder.join("o.ndjson.dead.ndjson").exists() && is_empty(folder));
}

#[test]
fn damage_is_told_and_a_folder_that_is_in_use_is_refused() {
    let folder = prepared();
    let folder = folder.path();
    killed(folder, &kept(&[]));
    let path = |name: &str| folder.join("kept").join(name);
    let refused = |what: &str| {
        let err = fail(folder, &kept(&[]), 3);
        assert!(err.contains(what) && err.contains("remove the folder"), "{what}: {err}");
    };
    let manifest = std::fs::read(path("training-set.manifest")).unwrap();
    let with_manifest = |bytes: &[u8], what: &str| {
        std::fs::write(path("training-set.manifest"), bytes).unwrap();
        refused(what);
    };
    with_manifest(&manifest[..manifest.len() / 2], "checksum");
    with_manifest(&[], "ends too early");
    with_manifest(b"this is the file of somebody else", "no manifest");
    let mut other = manifest.clone();
    other[manifest.len() - 9] ^= 1;
    with_manifest(&other, "checksum");
    std::fs::write(path("training-set.manifest"), &manifest).unwrap();

    let letters = std::fs::read(path("training-set.dead.ndjson")).unwrap();
    std::fs::write(path("training-set.dead.ndjson"), b"{}").unwrap();
    refused("dead letters");
    std::fs::write(path("training-set.dead.ndjson"), letters).unwrap();

    let scratch = File::options().read(true).write(true).open(path("training-set.scratch"));
    let scratch = scratch.unwrap();
    scratch.try_lock().unwrap();
    let err = fail(folder, &kept(&[]), 3);
    assert!(err.contains("another run works in this folder"), "{err}");
    scratch.unlock().unwrap();
    // The frame, of which there is a whole block, is read in any case.
    let bytes = scratch.metadata().unwrap().len();
    let mut byte = [0];
    for at in (0..bytes).step_by(4_096) {
        scratch.read_exact_at(&mut byte, at).unwrap();
        scratch.write_all_at(&[byte[0] ^ 1], at).unwrap();
    }
    refused("is damaged");
    scratch.set_len(100).unwrap();
    refused("has 100 bytes");
    let err = fail(folder, &[&JOB[..], &["--resume", "millrace.toml"]].concat(), 2);
    assert!(err.contains("millrace.toml is a file; name a folder"), "{err}");
    // What is said helps.
    std::fs::remove_dir_all(folder.join("kept")).unwrap();
    succeed(folder, &kept(&[]));
    assert!(is_empty(folder));
}

/// Rows that are asked for of a log that goes on being written.
#[test]
fn a_log_may_grow_meanwhile_but_not_be_another() {
    let folder = from_log::folder();
    let folder = folder.path();
    let server = Server::patient(folder, Span::minutes(1));
    let arrivals = arrivals(&mut Dice(3));
    deliver(&server, &arrivals, |_| {});
    let Arrival { received, event, .. } = arrivals.last().unwrap();
    let cases = (0..50).map(|n| format!("2026-03-0{}T12:00:00Z,c{}\n", 1 + n % 4, n % 7));
    let cases = format!("at,card\n{}yesterday,c1\n", cases.collect::<String>());
    write(folder, &[("cases.csv", &cases)]);
    let job = ["training-set", "checkout", "--from-log", "--as-known", "-o", "out.csv", "--rows"];
    let job = [&job[..], &["cases.csv"]].concat();
    let told = succeed(folder, &job);
    let counts = "51 in = 50 asked for + 1 dead-lettered";
    assert!(told.contains(counts), "{told}");
    let whole = output(folder);
    let kept = [&job[..], &["--resume", "kept"]].concat();
    killed(folder, &kept);
    let id = "later".to_owned();
    let later = Event { stream: PAYMENT, id, at: received.plus(Span::minutes(1)), ..event.clone() };
    assert_eq!(server.take(&later, "east", later.at).applied, 1);
    let told = succeed(folder, &kept);
    assert!(told.contains(counts) && told.contains("which an earlier run has read"), "{told}");
    assert!(output(folder) == whole && is_empty(folder));

    killed(folder, &kept);
    server.live.close().unwrap();
    std::fs::remove_dir_all(folder.join(".millrace")).unwrap();
    let server = Server::patient(folder, Span::minutes(1));
    let err = fail(folder, &kept, 1);
    assert!(err.contains("no longer has record"), "{err}");
    server.live.close().unwrap();
}
