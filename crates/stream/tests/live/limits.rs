//! Every backlog has a limit, reads go on behind it, and the end of a thread is heard of.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use millrace_event::{EventTime, Key, Span, Value};
use millrace_store::{Disk as _, Folder, MemoryDisk};
use millrace_stream::live::{Live, LiveError, ReadRequest, Receipt, Replayed};

use super::gated::Gated;
use super::story::Story;
use super::world::{Rows, START, checkpoint, hear, ingest, open, plan_of, reply, settings, status};

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
    count_at(live, card, START)
}

fn count_at(live: &Live, card: &str, at: EventTime) -> Value {
    let key = Key::of(&[Value::Text(card.into())]).unwrap();
    let (reply, answer) = reply();
    live.read(vec![ReadRequest { group: 0, key, at }], reply).expect("reads have a lane");
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
                std::thread::sleep(Duration::from_millis(20));
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

fn replay(live: &Live) -> Replayed {
    let (reply, answer) = reply();
    live.replay_late(START, reply).expect("few messages wait");
    hear(&answer).unwrap()
}

fn log_bytes(disk: &MemoryDisk, folder: &str) -> usize {
    let names = disk.names();
    let of_log = names.iter().filter(|name| name.folder().as_str() == folder);
    of_log.map(|name| disk.content(name).unwrap().len()).sum()
}

fn remove_checkpoints(disk: &MemoryDisk) {
    let names = disk.names();
    let of_checkpoints = names.iter().filter(|name| name.folder() == &Folder::CHECKPOINTS);
    of_checkpoints.for_each(|name| disk.remove(name).unwrap());
}

/// An event that is late and one that is no event.
fn send_late(id: &mut i64, live: &Live, now: EventTime) {
    *id += 1;
    let one = rows(vec![row(*id, "k", &"x".repeat(50))]);
    let receipt = ingest(live, &Rows { dead: 1, received: now, ..one }).unwrap();
    assert_eq!((receipt.late, receipt.dead), (1, 1));
}

#[test]
fn late_events_and_dead_letters_are_kept_up_to_a_limit() {
    const LIMIT: u64 = 8_000;
    let plan = plan_of(&TEXTS.replace("count() over 1h", "count()"));
    let mut settings = settings(1);
    settings.checkpoint_every = Duration::from_secs(3_600);
    (settings.late_max_bytes, settings.dead_letters_max_bytes) = (LIMIT, LIMIT);
    let mut disk = MemoryDisk::new();
    let now = START.plus(Span::hours(2));
    let (mut late, mut dead, mut applied) = (0, 0, 1);
    let (live, _) = open(disk.clone(), &plan, &settings).unwrap();
    let mut first = row(0, "k", "");
    first[1] = Value::Timestamp(now);
    ingest(&live, &Rows { received: now, ..rows(vec![first]) }).unwrap();
    drop(live);
    for round in 0..6 {
        let (live, recovery) = open(disk.clone(), &plan, &settings).unwrap();
        assert_eq!(count_at(&live, "k", now), Value::Int(applied), "{recovery:?}");
        for _ in 0..100 {
            dead += 1;
            send_late(&mut late, &live, now);
            if late % 20 == 0 {
                checkpoint(&live).unwrap();
            }
        }
        // What is removed is removed behind the next barrier.
        checkpoint(&live).unwrap();
        for folder in ["late", "dead-letters"] {
            assert!(log_bytes(&disk, folder) as u64 <= LIMIT + LIMIT / 8 + 200, "{folder}");
        }
        let removed = status(&live);
        assert!(removed.late_removed > 0 && removed.letters_removed > 0, "{removed:?}");
        assert_eq!(removed.streams[0].dead, dead);
        if round % 2 == 0 {
            let before = applied;
            let Replayed { events, removed } = replay(&live);
            applied += events as i64;
            assert_eq!(events + removed, if round == 0 { 100 } else { 200 });
            assert!(removed > 0 && count_at(&live, "k", now) == Value::Int(before + events as i64));
            assert_eq!(replay(&live), Replayed::default());
        }
        // With the replay in the log only, or behind a checkpoint.
        if round > 2 {
            checkpoint(&live).unwrap();
        }
        let left = disk.kill();
        drop(live);
        disk = left;
    }
    // A checkpoint from before a replay needs the late events that it read, if it is used again.
    let (live, _) = open(disk.clone(), &plan, &settings).unwrap();
    (0..30).for_each(|_| send_late(&mut late, &live, now));
    applied += replay(&live).events as i64;
    for _ in 0..2 {
        (0..100).for_each(|_| send_late(&mut late, &live, now));
        checkpoint(&live).unwrap();
    }
    let left = disk.kill();
    drop(live);
    disk = left;
    let names = disk.names();
    let manifests = names.iter().filter(|name| name.file().ends_with(".manifest"));
    manifests.rev().take(2).for_each(|name| disk.flip_bit(name, 400));
    let (live, recovery) = open(disk.clone(), &plan, &settings).unwrap();
    assert!(recovery.notes.len() >= 2, "{recovery:?}");
    assert_eq!(count_at(&live, "k", now), Value::Int(applied));
    let left = disk.kill();
    drop(live);
    disk = left;
    // Without a checkpoint all of it is done again, and late events are found again.
    remove_checkpoints(&disk);
    let (live, _) = open(disk, &plan, &settings).unwrap();
    assert_eq!(count_at(&live, "k", now), Value::Int(applied));
    assert_eq!((status(&live).late_removed, replay(&live).removed), (0, 0));
    live.close().unwrap();
}

#[test]
fn a_key_state_larger_than_a_segment_is_in_a_checkpoint() {
    let text =
        TEXTS.replace("n = count() over 1h", "n = count() over 1h\n  kinds = distinct(note)");
    let plan = plan_of(&text);
    let disk = MemoryDisk::new();
    let (live, _) = open(disk.clone(), &plan, &settings(1)).unwrap();
    for id in 0..5 {
        let note = format!("{id}{}", "x".repeat(15 << 20));
        ingest(&live, &rows(vec![row(id, "k", &note)])).unwrap();
    }
    ingest(&live, &rows(vec![row(9, "other", "short")])).unwrap();
    checkpoint(&live).unwrap();
    assert!(status(&live).checkpoint_bytes > 64 << 20);
    live.close().unwrap();
    let (live, recovery) = open(disk, &plan, &settings(1)).unwrap();
    assert_eq!((recovery.replayed_records, recovery.keys), (0, 2));
    assert_eq!((count(&live, "k"), count(&live, "other")), (Value::Int(5), Value::Int(1)));
    live.close().unwrap();
}

#[test]
fn a_key_that_no_checkpoint_can_hold_is_a_dead_letter() {
    let disk = MemoryDisk::new();
    let (live, _) = open(disk, &plan_of(TEXTS), &settings(1)).unwrap();
    let (fits, long) = ("k".repeat(65_527 - 4), "k".repeat(65_528 - 4));
    let some = vec![row(1, &fits, ""), row(2, &long, ""), row(3, "k", "")];
    let receipt = ingest(&live, &rows(some)).unwrap();
    assert_eq!((receipt.applied, receipt.dead), (2, 1));
    // So many that its rows are in parts, whose keys are longer.
    ingest(&live, &rows((4..204).map(|id| row(id, &fits, "")).collect())).unwrap();
    assert_eq!(count(&live, &fits), Value::Int(201));
    checkpoint(&live).unwrap();
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
