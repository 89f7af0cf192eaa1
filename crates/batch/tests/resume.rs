//! A job that was stopped goes on from what was kept, and gives the rows it would have given.

#![expect(clippy::unwrap_used, reason = "what cannot be unwrapped here is the test's failure")]

use std::sync::{Arc, Mutex};

use millrace_batch::{
    AsOf, BatchError, Counting, History, Job, Keeper, Labelling, Scattered, Scratch, States,
    Subject,
};
use millrace_conformance::prng::Prng;
use millrace_event::{Batch, EventTime, Span, State, Value};
use millrace_feature::plan::Plan;
use millrace_feature::{SourceFile, compile};
use millrace_stream::Settings;

const PROJECT: &str = "
entity card
stream payment {
  payment : string id
  at      : timestamp time, late 1m
  card    : card
  amount  : int
}
stream report {
  id      : int id
  at      : timestamp time, late 24h
  card    : card
  payment : string?
}
features velocity by card from payment {
  payments = count() over 1h
  spend    = sum(amount)
  last     = last(payment)
}
features trouble by card from report {
  reports = count()
}
view checkout on payment {
  use velocity
  use trouble
}
label fraud on payment {
  positive from report by payment
  matures 2h
}
";

const MINUTE: i64 = 60_000_000;
const ROWS: i64 = 400;
/// Of two groups, and of what tells of the label.
const PARTITIONS: usize = 3 * 64;

/// A scratch file in memory, which gives back whole blocks only, and may be full.
#[derive(Debug)]
struct Disk {
    blocks: Mutex<Vec<Vec<u8>>>,
    room: usize,
}

impl Disk {
    fn new(room: usize) -> Arc<Disk> {
        Disk::of(Vec::new(), room)
    }

    fn of(blocks: Vec<Vec<u8>>, room: usize) -> Arc<Disk> {
        Arc::new(Disk { blocks: Mutex::new(blocks), room })
    }

    fn blocks(&self) -> Vec<Vec<u8>> {
        self.blocks.lock().unwrap().clone()
    }
}

impl Scratch for Disk {
    fn append(&self, bytes: &[u8]) -> Result<u64, String> {
        let mut blocks = self.blocks.lock().unwrap();
        if blocks.iter().map(Vec::len).sum::<usize>() + bytes.len() > self.room {
            return Err("no space left".to_owned());
        }
        blocks.push(bytes.to_vec());
        Ok(blocks.len() as u64 - 1)
    }

    fn read(&self, offset: u64, bytes: usize) -> Result<Vec<u8>, String> {
        let blocks = self.blocks.lock().unwrap();
        let block = usize::try_from(offset).ok().and_then(|offset| blocks.get(offset));
        let block = block.filter(|block| block.len() == bytes);
        block.cloned().ok_or_else(|| "no such block".to_owned())
    }
}

/// A manifest, and as much of the scratch file as was durable when it was written.
type Kept = (Vec<u8>, Vec<Vec<u8>>);

/// Keeps every manifest.
#[derive(Debug)]
struct All {
    disk: Arc<Disk>,
    kept: Mutex<Vec<Kept>>,
}

impl All {
    fn new(disk: &Arc<Disk>) -> Arc<All> {
        Arc::new(All { disk: Arc::clone(disk), kept: Mutex::default() })
    }

    fn take(&self) -> Vec<Kept> {
        std::mem::take(&mut self.kept.lock().unwrap())
    }
}

impl Keeper for All {
    fn is_due(&self, _: usize) -> bool {
        true
    }

    fn keep(&self, work: &[u8]) -> Result<(), String> {
        self.kept.lock().unwrap().push((work.to_vec(), self.disk.blocks()));
        Ok(())
    }
}

fn job(asof: AsOf, memory: usize) -> Job {
    let compiled = compile(&[SourceFile::new("a.mill", PROJECT)]);
    let plan = Arc::new(compiled.plan.unwrap_or_else(|| panic!("{:?}", compiled.diagnostics)));
    Job {
        plan,
        view: 0,
        rows: EventTime(50 * MINUTE)..EventTime::MAX,
        asof,
        subject: Subject::Events,
        counting: Counting::AsHappened,
        labelling: Some(Labelling { label: 0, cutoff: EventTime::MAX, is_given: false }),
        fields: vec![3],
        states: States::LeftOut,
        memory,
        settings: Settings { future_max: Span(i64::MAX / 2), ..Settings::default() },
    }
}

fn batch(plan: &Plan, stream: usize, rows: impl Iterator<Item = Vec<Value>>) -> Batch {
    let mut batch = Batch::new(Arc::clone(&plan.streams[stream].schema));
    for row in rows {
        batch.columns.iter_mut().zip(&row).for_each(|(c, value)| c.push(value, State::Ok));
    }
    batch
}

fn scatter(job: Job, scratch: Arc<dyn Scratch>) -> Result<Scattered, BatchError> {
    let plan = Arc::clone(&job.plan);
    let mut history = History::new(job, scratch);
    let mut random = Prng::new(20_260_201);
    let text = |text: String| Value::text(&text);
    let time = |minute: i64| Value::Timestamp(EventTime(minute * MINUTE));
    let payments = (0..ROWS).map(|n| {
        let card = text(format!("c{}", random.below(40)));
        vec![text(format!("p{n}")), time(n), card, Value::Int(random.between(0, 50))]
    });
    let payments = batch(&plan, 0, payments);
    let reports = (0..ROWS / 4).map(|n| {
        let of = text(format!("p{}", random.below(ROWS as usize)));
        vec![Value::Int(n), time(4 * n), text(format!("c{}", random.below(40))), of]
    });
    let reports = batch(&plan, 1, reports);
    for (stream, batch) in [payments, reports].iter().enumerate() {
        let partition = history.partition(stream, "only");
        for first in (0..batch.len()).step_by(70) {
            let rows: Vec<u32> = (first..batch.len().min(first + 70)).map(|r| r as u32).collect();
            history.push(partition, &batch.select(&rows), EventTime(0))?;
        }
    }
    history.finish()
}

/// All cells of all rows, as they came.
fn rows(scattered: Scattered, threads: usize) -> Result<Vec<String>, BatchError> {
    let mut out = Vec::new();
    scattered.run(threads, &|_| true, &mut |rows| {
        out.extend(rows.columns.iter().map(|column| format!("{column:?}")));
        Ok(())
    })?;
    Ok(out)
}

fn resumed(job: Job, (work, blocks): &Kept, threads: usize) -> Result<Vec<String>, BatchError> {
    let disk = Disk::of(blocks.clone(), usize::MAX);
    let history = History::new(job, Arc::clone(&disk) as _);
    let mut scattered = history.resume(work)?;
    scattered.keep_with(All::new(&disk))?;
    rows(scattered, threads)
}

#[test]
fn a_job_goes_on_from_everything_that_was_ever_kept() {
    for (asof, threads) in [(AsOf::Event, 1), (AsOf::Delay(Span::minutes(9)), 2)] {
        for (memory, other) in [(0, 1 << 30), (1 << 30, 0), (1 << 14, 1 << 14)] {
            let whole = rows(scatter(job(asof, memory), Disk::new(usize::MAX)).unwrap(), threads);
            let whole = whole.unwrap();
            let disk = Disk::new(usize::MAX);
            let all = All::new(&disk);
            let mut scattered = scatter(job(asof, memory), disk).unwrap();
            scattered.keep_with(Arc::clone(&all) as _).unwrap();
            assert_eq!(rows(scattered, threads).unwrap(), whole);
            let kept = all.take();
            // A thread does not wait for another one that keeps.
            assert!(kept.len() == PARTITIONS + 2 || (threads > 1 && kept.len() > 2));
            for kept in kept.iter().step_by(if memory == 0 { 1 } else { 17 }) {
                assert_eq!(resumed(job(asof, other), kept, threads).unwrap(), whole);
            }
        }
    }
}

#[test]
fn only_what_is_not_done_is_done_again() {
    let disk = Disk::new(usize::MAX);
    let all = All::new(&disk);
    let mut scattered = scatter(job(AsOf::Event, 0), disk).unwrap();
    assert_eq!(scattered.step().partitions, (0, PARTITIONS));
    scattered.keep_with(Arc::clone(&all) as _).unwrap();
    let stops = |step: millrace_batch::Step| step.partitions.0 < 70;
    let stopped = scattered.run(1, &stops, &mut |_| Ok(()));
    assert!(matches!(stopped, Err(BatchError::Stopped)), "{stopped:?}");
    // What was done is kept, also when it was told to stop.
    let (work, blocks) = all.take().pop().unwrap();
    let history = History::new(job(AsOf::Event, 0), Disk::of(blocks, usize::MAX));
    let scattered = history.resume(&work).unwrap();
    assert_eq!(scattered.step().partitions, (70, PARTITIONS));
    let steps = Mutex::new(Vec::new());
    let watch = |step: millrace_batch::Step| {
        steps.lock().unwrap().push(step.partitions.0);
        true
    };
    scattered.run(1, &watch, &mut |_| Ok(())).unwrap();
    assert_eq!(steps.into_inner().unwrap(), (71..=PARTITIONS).collect::<Vec<_>>());
}

#[test]
fn a_full_disk_loses_nothing_that_was_kept() {
    let whole = rows(scatter(job(AsOf::Event, 0), Disk::new(usize::MAX)).unwrap(), 1).unwrap();
    let unlimited = Disk::new(usize::MAX);
    scatter(job(AsOf::Event, 0), Arc::clone(&unlimited) as _).unwrap();
    let events = unlimited.blocks().iter().map(Vec::len).sum::<usize>();
    let (mut failed, mut kept) = (0, 0);
    for room in (0..2 * events).step_by(events / 40) {
        let disk = Disk::new(room);
        let all = All::new(&disk);
        let done = scatter(job(AsOf::Event, 0), disk).and_then(|mut scattered| {
            scattered.keep_with(Arc::clone(&all) as _)?;
            rows(scattered, 1)
        });
        match done {
            Ok(rows) => assert_eq!(rows, whole),
            Err(BatchError::ScratchWrite(_)) => failed += 1,
            Err(other) => panic!("{other}"),
        }
        if let Some(last) = all.take().last() {
            kept += 1;
            assert_eq!(resumed(job(AsOf::Event, 0), last, 1).unwrap(), whole);
        }
    }
    assert!(failed > 10 && kept > 10, "{failed} failed, {kept} kept something");
}

#[test]
fn damaged_work_is_refused_and_never_panics() {
    let disk = Disk::new(usize::MAX);
    let all = All::new(&disk);
    let mut scattered = scatter(job(AsOf::Event, 0), disk).unwrap();
    scattered.keep_with(Arc::clone(&all) as _).unwrap();
    let whole = rows(scattered, 1).unwrap();
    let kept = all.take();
    let (work, blocks) = &kept[kept.len() / 2];
    let try_with = |work: Vec<u8>| resumed(job(AsOf::Event, 0), &(work, blocks.clone()), 1);
    for cut in (0..work.len()).step_by(11) {
        let error = try_with(work[..cut].to_vec()).unwrap_err();
        assert!(matches!(error, BatchError::Damaged(_)), "{error}");
    }
    let error = try_with([&work[..], &[0]].concat()).unwrap_err();
    assert!(matches!(error, BatchError::Damaged("bytes after the end")), "{error}");
    let mut refused = 0;
    for at in (0..work.len()).step_by(7) {
        let mut other = work.clone();
        other[at] ^= 0x81;
        match try_with(other) {
            // The cut-off of the label may be any, and what was done is not looked at again.
            Ok(rows) => assert!(at < 17 || rows == whole, "changed at {at}"),
            Err(_) => refused += 1,
        }
    }
    assert!(refused > work.len() / 10, "{refused} of {}", work.len() / 7);
    // Any two stretches of it in each other's place.
    let (first, block) = (work.len() - 64, 20);
    for (one, other) in (100..first).step_by(97).zip((100..first).rev().step_by(61)) {
        let mut swapped = work.clone();
        swapped[one..one + block].copy_from_slice(&work[other..other + block]);
        swapped[other..other + block].copy_from_slice(&work[one..one + block]);
        if let Ok(rows) = try_with(swapped) {
            assert_eq!(rows, whole);
        }
    }
    // The work of a job with other parts.
    let unlabelled = Job { labelling: None, ..job(AsOf::Event, 0) };
    let history = History::new(unlabelled, Disk::of(blocks.clone(), usize::MAX));
    assert!(matches!(history.resume(work), Err(BatchError::Damaged(_))));
}
