//! Every backlog has a limit, reads go on behind it, and the end of a thread is heard of.

use std::sync::mpsc::Receiver;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Instant;

use millrace_event::{Key, Value};
use millrace_store::{Appender, Disk, DiskError, Folder, MemoryDisk, Name, Readable};
use millrace_stream::live::{Live, LiveError, ReadRequest, Receipt};

use super::story::Story;
use super::world::{Rows, START, hear, ingest, open, plan_of, reply, settings, status};

/// A disk on which syncs wait while the gate is shut.
#[derive(Clone, Debug)]
struct Gated {
    disk: MemoryDisk,
    shut: Arc<(Mutex<bool>, Condvar)>,
}

impl Gated {
    fn new() -> Gated {
        Gated { disk: MemoryDisk::new(), shut: Arc::default() }
    }

    fn set_shut(&self, shut: bool) {
        *self.shut.0.lock().unwrap() = shut;
        self.shut.1.notify_all();
    }

    fn pass(&self) {
        let shut = self.shut.0.lock().unwrap();
        drop(self.shut.1.wait_while(shut, |shut| *shut).unwrap());
    }
}

#[derive(Debug)]
struct GatedFile(Box<dyn Appender>, Gated);

impl Appender for GatedFile {
    fn append(&mut self, bytes: &[u8]) -> Result<(), DiskError> {
        self.0.append(bytes)
    }

    fn sync(&mut self) -> Result<(), DiskError> {
        self.1.pass();
        self.0.sync()
    }
}

impl Disk for Gated {
    fn create_folder(&self, folder: &Folder) -> Result<(), DiskError> {
        self.disk.create_folder(folder)
    }
    fn list(&self, folder: &Folder) -> Result<Vec<String>, DiskError> {
        self.disk.list(folder)
    }
    fn create(&self, name: &Name) -> Result<Box<dyn Appender>, DiskError> {
        Ok(Box::new(GatedFile(self.disk.create(name)?, self.clone())))
    }
    fn append(&self, name: &Name) -> Result<Box<dyn Appender>, DiskError> {
        Ok(Box::new(GatedFile(self.disk.append(name)?, self.clone())))
    }
    fn open(&self, name: &Name) -> Result<Arc<dyn Readable>, DiskError> {
        self.disk.open(name)
    }
    fn rename(&self, from: &Name, to: &Name) -> Result<(), DiskError> {
        self.disk.rename(from, to)
    }
    fn remove(&self, name: &Name) -> Result<(), DiskError> {
        self.disk.remove(name)
    }
    fn truncate(&self, name: &Name, len: u64) -> Result<(), DiskError> {
        self.disk.truncate(name, len)
    }
    fn rewrite(&self, name: &Name, from: u64) -> Result<(), DiskError> {
        self.disk.rewrite(name, from)
    }
    fn sync_folder(&self, folder: &Folder) -> Result<(), DiskError> {
        self.disk.sync_folder(folder)
    }
    fn random(&self, bytes: &mut [u8]) -> Result<(), DiskError> {
        self.disk.random(bytes)
    }
}

const TEXTS: &str = "entity card\nstream pay {\n  id : int id\n  at : timestamp time, late 1m\n  \
     card : card\n  note : string\n}\nfeatures g by card from pay {\n  n = count() over 1h\n}\n";

fn row(id: i64, card: &str, note: &str) -> Vec<Value> {
    let text = |s: &str| Value::Text(s.into());
    vec![Value::Int(id), Value::Timestamp(START), text(card), text(note)]
}

fn rows(rows: Vec<Vec<Value>>) -> Rows {
    Rows { stream: 0, partition: "only", rows, dead: 0, received: START, number: 0 }
}

fn count(live: &Live, card: &str) -> Value {
    let key = Key::of(&[Value::Text(card.into())]).unwrap();
    let (reply, answer) = reply();
    live.read(vec![ReadRequest { group: 0, key, at: START }], reply).expect("reads have a lane");
    hear(&answer).unwrap().answers[0][0].value.clone()
}

/// Sends deliveries until the engine is busy.
fn fill(live: &Live, note: &str) -> Vec<Receiver<Result<Receipt, LiveError>>> {
    let mut answers = Vec::new();
    loop {
        let (reply, answer) = reply();
        let id = answers.len() as i64;
        let delivery = rows(vec![row(id, "k", note)]).delivery(live.plan());
        match live.ingest(delivery, reply) {
            Ok(()) => answers.push(answer),
            Err(busy) => {
                assert!(busy.retry_after.as_millis() > 0);
                // It is only full for good once the engine takes nothing more.
                let taken = status(live).frontier;
                std::thread::sleep(std::time::Duration::from_millis(20));
                if taken == status(live).frontier {
                    return answers;
                }
            }
        }
    }
}

#[test]
fn a_slow_disk_makes_callers_come_back_and_reads_go_on() {
    let disk = Gated::new();
    let mut settings = settings(1);
    settings.inbox_max = 100;
    let (live, _) = open(disk.clone(), &plan_of(TEXTS), &settings).unwrap();
    disk.set_shut(true);
    let answers = fill(&live, "short");
    let taken = status(&live).frontier;
    assert!((1_000..=1_100).contains(&taken), "{taken} commits wait for the disk");
    assert!(answers.len() as u64 <= taken + 100, "{} were taken", answers.len());
    let begun = Instant::now();
    assert_eq!(count(&live, "k"), Value::Int(taken as i64));
    println!("a read behind {} deliveries took {:?}", answers.len(), begun.elapsed());
    disk.set_shut(false);
    assert!(answers.iter().all(|answer| hear(answer).is_ok()));
    assert_eq!(count(&live, "k"), Value::Int(answers.len() as i64));
    live.close().unwrap();
}

#[test]
fn waiting_events_have_a_limit_of_bytes() {
    let disk = Gated::new();
    let mut settings = settings(1);
    settings.inbox_max = 1_000_000;
    let (live, _) = open(disk.clone(), &plan_of(TEXTS), &settings).unwrap();
    disk.set_shut(true);
    let note = "x".repeat(15 << 20);
    let answers = fill(&live, &note);
    let bytes = answers.len() * note.len();
    // What waits for the disk, the inbox, and one delivery between them.
    let limit = (64 << 20) + (256 << 20) + 2 * note.len();
    assert!((256 << 20..=limit).contains(&bytes), "{bytes} bytes wait");
    disk.set_shut(false);
    assert!(answers.iter().all(|answer| hear(answer).is_ok()));
    live.close().unwrap();
}

#[test]
fn a_delivery_that_no_log_can_hold_is_refused_and_changes_nothing() {
    let disk = MemoryDisk::new();
    let (live, _) = open(disk, &plan_of(TEXTS), &settings(1)).unwrap();
    let note = "x".repeat(33 << 20);
    let error = ingest(&live, &rows(vec![row(1, "k", &note)])).unwrap_err();
    assert!(error.to_string().contains("over the limit"), "{error}");
    let receipt = ingest(&live, &rows(vec![row(1, "k", "short")])).unwrap();
    assert_eq!(receipt.applied, 1);
    live.close().unwrap();
}

#[test]
fn a_key_that_no_checkpoint_can_hold_is_a_dead_letter() {
    let disk = MemoryDisk::new();
    let (live, _) = open(disk, &plan_of(TEXTS), &settings(1)).unwrap();
    let (fits, long) = ("k".repeat(65_535 - 4), "k".repeat(65_536 - 4));
    let some = vec![row(1, &fits, ""), row(2, &long, ""), row(3, "k", "")];
    let receipt = ingest(&live, &rows(some)).unwrap();
    assert_eq!((receipt.applied, receipt.dead), (2, 1));
    assert_eq!(count(&live, &fits), Value::Int(1));
    live.close().unwrap();
}

#[test]
fn after_a_panic_of_the_engine_callers_get_errors_and_the_data_is_there() {
    let mut story = Story::new(3);
    let disk = MemoryDisk::new();
    let live = story.open(disk.clone()).unwrap();
    story.send(&live, 30);
    let mut delivery = story.source.rows(3).delivery(&story.plan);
    // No caller does this; it stands for a bug.
    delivery.stream = 99;
    let (ours, answer) = reply();
    live.ingest(delivery, ours).unwrap();
    assert!(matches!(hear(&answer), Err(LiveError::Stopped)));
    let (ours, answer) = reply();
    live.status(ours).unwrap();
    assert!(matches!(hear(&answer), Err(LiveError::Stopped)));
    let rows = story.source.rows(3);
    assert!(matches!(ingest(&live, &rows), Err(LiveError::Stopped)));
    live.close().ok();
    let live = story.open(disk).unwrap();
    story.check(&live);
    live.close().unwrap();
}
