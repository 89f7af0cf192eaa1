//! Every backlog has a limit, reads go on behind it, and the end of a thread is heard of.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Instant;

use millrace_event::{Key, Value};
use millrace_store::MemoryDisk;
use millrace_stream::live::{Live, LiveError, ReadRequest, Receipt};

use super::gated::Gated;
use super::story::Story;
use super::world::{Rows, START, hear, ingest, open, plan_of, reply, settings, status};

pub const TEXTS: &str = "entity card\nstream pay {\n  id : int id\n  at : timestamp time, late 1m\n  \
     card : card\n  note : string\n}\nfeatures g by card from pay {\n  n = count() over 1h\n}\n";

pub fn row(id: i64, card: &str, note: &str) -> Vec<Value> {
    let text = |s: &str| Value::Text(s.into());
    vec![Value::Int(id), Value::Timestamp(START), text(card), text(note)]
}

pub fn rows(rows: Vec<Vec<Value>>) -> Rows {
    Rows { stream: 0, partition: "only", rows, dead: 0, received: START, number: 0 }
}

pub fn count(live: &Live, card: &str) -> Value {
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
        match live.ingest(delivery, Box::new(|| {}), reply) {
            Ok(()) => answers.push(answer),
            Err(not_taken) => {
                assert!(not_taken.busy.retry_after.as_millis() > 0);
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

/// Keeps the engine thread from doing anything until the sender is dropped.
fn hold(live: &Live) -> Sender<()> {
    let (release, held) = channel::<()>();
    let (begun, begin) = channel();
    let reply = Box::new(move |_| {
        begun.send(()).unwrap();
        let _ = held.recv();
    });
    live.status(reply).unwrap();
    begin.recv().unwrap();
    release
}

#[test]
fn that_events_can_be_read_is_said_when_they_can_however_many_wait() {
    let (live, _) = open(MemoryDisk::new(), &plan_of(TEXTS), &settings(1)).unwrap();
    let release = hold(&live);
    let (tell, told) = channel();
    let mut answers = Vec::new();
    for id in 0..100 {
        let (tell_applied, tell_durable) = (tell.clone(), tell.clone());
        let delivery = rows(vec![row(id, "k", "")]).delivery(live.plan());
        let applied = Box::new(move || tell_applied.send((id, "applied")).unwrap());
        let (durable, answer) = reply();
        let durable = Box::new(move |receipt| {
            tell_durable.send((id, "durable")).unwrap();
            durable(receipt);
        });
        live.ingest(delivery, applied, durable).unwrap();
        answers.push(answer);
    }
    // A read passes by so many: its answer says nothing of them.
    live.read(Vec::new(), Box::new(move |_| tell.send((0, "read")).unwrap())).unwrap();
    drop(release);
    assert!(answers.iter().all(|answer| hear(answer).unwrap().applied == 1));
    let told: Vec<(i64, &str)> = told.iter().collect();
    assert_eq!((told.len(), told[0]), (201, (0, "read")));
    for id in 0..100 {
        let at = |what| told.iter().position(|said| *said == (id, what)).unwrap();
        assert!(at("applied") < at("durable"), "{id}");
    }
    live.close().unwrap();
}

#[test]
fn what_was_not_taken_comes_back_to_be_handed_over_again() {
    let mut settings = settings(1);
    settings.inbox_max = 1;
    let (live, _) = open(MemoryDisk::new(), &plan_of(TEXTS), &settings).unwrap();
    let release = hold(&live);
    let offer = |id| {
        let (durable, answer) = reply();
        let delivery = rows(vec![row(id, "k", "")]).delivery(live.plan());
        (live.ingest(delivery, Box::new(|| {}), durable), answer)
    };
    let (first, answer) = offer(1);
    first.unwrap();
    let (second, again) = offer(2);
    let not_taken = live.ingest_again(second.unwrap_err()).unwrap_err();
    drop(release);
    assert_eq!(hear(&answer).unwrap().applied, 1);
    live.ingest_again(not_taken).unwrap();
    assert_eq!(hear(&again).unwrap().applied, 1);
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
    live.ingest(delivery, Box::new(|| panic!("it was applied")), ours).unwrap();
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
