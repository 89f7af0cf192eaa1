//! A server without HTTP: an engine, a model, and a decision log on a disk that can be killed.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;

use millrace_event::{Batch, Column, EventTime, Span, State, Value};
use millrace_feature::plan::Plan;
use millrace_feature::{SourceFile, compile, render};
use millrace_ledger::{
    Audit, Auditor, Entries, Entry, Ids, Ledger, LedgerSettings, Period, Record, Run,
};
use millrace_serving::model::Model;
use millrace_serving::{Models, ViewSources, complete_event, serve_view};
use millrace_store::{Disk, MemoryDisk};
use millrace_stream::Settings;
use millrace_stream::live::{Delivery, Live, LiveSettings, Recovery, now};
use tempfile::TempDir;

pub const TEXT: &str = "entity card
stream payment { id : string id at : timestamp time, late 10m card : card amount : decimal(2) }
features velocity by card from payment {
  fresh 1h, else default
  n = count() over 5m
  mean = mean(amount) over 1h default 0
  last = last(at)
}
view checkout on payment {
  n = velocity.n
  amount = amount
  idle = at - velocity.last
  mean = velocity.mean
}
model risk { file \"risk.txt\" inputs checkout }
model next { file \"next.txt\" inputs checkout }
decision authorise on checkout {
  score risk
  shadow next
  block when risk >= 0.9
  review when n >= 3
  else allow
}
decision plain on checkout { block when amount > 50.00 else allow }";

/// Many payments, a high amount, and seconds since the last one.
pub fn model(leaf: f64) -> Model {
    let text = format!(
        "tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\nmax_feature_idx=2\n\
         objective=binary sigmoid:1\nfeature_names=n amount idle\ntree_sizes=1\n\n\
         Tree=0\nnum_leaves=4\nnum_cat=0\nsplit_feature=0 1 2\nthreshold=2.5 50 60\n\
         decision_type=10 10 8\nleft_child=2 -2 -1\nright_child=1 -3 -4\n\
         leaf_value=-1 0.5 {leaf} -0.25\nleaf_count=40 30 10 20\nis_linear=0\nshrinkage=1\n\n\n\
         end of trees\n"
    );
    Model::read(text.as_bytes()).unwrap()
}

pub fn plan(text: &str) -> Arc<Plan> {
    let sources = [SourceFile::new("a.mill", text)];
    let compiled = compile(&sources);
    let plan = compiled.plan;
    Arc::new(plan.unwrap_or_else(|| panic!("{}", render(&compiled.diagnostics, &sources))))
}

pub fn models(plan: &Plan, leaf: f64) -> Models {
    let model = |leaf| Some(Arc::new(model(leaf)));
    Models::new(plan, vec![model(leaf), model(1.0)]).unwrap()
}

pub fn as_disk(disk: &MemoryDisk) -> Arc<dyn Disk> {
    Arc::new(disk.clone())
}

pub struct World {
    pub disk: MemoryDisk,
    pub plan: Arc<Plan>,
    pub ledger: Ledger,
    pub recovery: Recovery,
    pub folder: Arc<TempDir>,
    live: Live,
    models: Models,
    ids: Ids,
    events: i64,
}

impl World {
    pub fn new() -> World {
        World::on(MemoryDisk::new(), TEXT, Arc::new(tempfile::tempdir().unwrap()), |_| {})
    }

    pub fn on(
        disk: MemoryDisk,
        text: &str,
        folder: Arc<TempDir>,
        change: impl FnOnce(&mut LedgerSettings),
    ) -> World {
        let plan = plan(text);
        let models = models(&plan, 4.0);
        let live_settings = LiveSettings {
            dir: PathBuf::from("unused"),
            checkpoint_every: Duration::from_millis(50),
            ..LiveSettings::default()
        };
        let (live, recovery) =
            Live::open_on(as_disk(&disk), Arc::clone(&plan), live_settings).unwrap();
        let run = Run::new(&plan, &models, now(), Span(0), &recovery);
        let mut settings = LedgerSettings {
            sync_every: Duration::from_millis(10),
            ..LedgerSettings::new(folder.path().to_owned())
        };
        change(&mut settings);
        let ledger = Ledger::open(as_disk(&disk), settings, &run).unwrap();
        let (ids, events) = (Ids::default(), recovery.frontier as i64 * 1_000);
        World { disk, plan, ledger, recovery, folder, live, models, ids, events }
    }

    /// Hands over one payment, this long ago, and waits until it is durable.
    pub fn pay(&mut self, card: &str, cents: i64, ago: Span) {
        self.events += 1;
        let mut batch = Batch::new(Arc::clone(&self.plan.streams[0].schema));
        let row = [
            Value::text(&format!("e{}", self.events)),
            Value::Timestamp(now().minus(ago)),
            Value::text(card),
            Value::Decimal { mantissa: cents, scale: 2 },
        ];
        for (column, value) in batch.columns.iter_mut().zip(&row) {
            column.push(value, State::Ok);
        }
        let delivery = Delivery {
            stream: 0,
            partition: "p".to_owned(),
            batch,
            dead: Vec::new(),
            received: now(),
            position: None,
        };
        let (done, wait) = channel();
        self.live.ingest_waiting(delivery, Box::new(move |r| drop(done.send(r)))).unwrap();
        wait.recv().unwrap().unwrap();
    }

    /// What the server does with a request; the record, which is logged by then.
    pub fn decide(&self, name: &str, card: &str, cents: i64) -> Record {
        let record = self.undecided(name, card, cents);
        self.log(&record);
        record
    }

    /// A decision that is not logged yet.
    pub fn undecided(&self, name: &str, card: &str, cents: i64) -> Record {
        let plan = &self.plan;
        let index = plan.decision(name).unwrap();
        let decision = &plan.decisions[index];
        let view = &plan.views[decision.view];
        let schema = &plan.streams[view.stream].schema;
        let amount = Value::Decimal { mantissa: cents, scale: 2 };
        let row = vec![Value::Null, Value::Null, Value::text(card), amount];
        let received = now();
        let (event, _) = complete_event(schema, row.clone(), received);
        let (done, wait) = channel();
        let reply = Box::new(move |r| drop(done.send(r)));
        self.live.view(decision.view, event, received, reply).unwrap();
        let mut reply = wait.recv().unwrap().unwrap();
        let sources = ViewSources::of(plan, view);
        let (answers, ages) = (reply.rows.pop().unwrap(), reply.group_ages);
        let served = serve_view(plan, view, &sources, answers, &ages, reply.frontier).unwrap();
        let evaluation = self.models.evaluate(plan, decision, &served.values, 0).unwrap();
        let cell = |ty: &millrace_event::Type, value: &Value, state| {
            let mut column = Column::new(ty.physical());
            column.push(value, state);
            column
        };
        let fields = schema.fields.iter().zip(&row);
        Record {
            run: self.ledger.run(),
            decision: index,
            id: self.ids.next(received),
            decided_at: received,
            frontier: reply.frontier,
            outcome: evaluation.outcome,
            rule: evaluation.rule,
            ages,
            scores: evaluation.scores.iter().map(|s| s.score).collect(),
            shadows: evaluation.shadows.iter().map(|s| s.score).collect(),
            event: fields.map(|(f, v)| cell(&f.ty, v, State::Ok)).collect(),
            vector: served.values.iter().map(|v| cell(v.ty, &v.value, v.state)).collect(),
        }
    }

    pub fn log(&self, record: &Record) {
        let (done, wait) = channel();
        self.ledger.append(record, Box::new(move |r| done.send(r).unwrap())).unwrap();
        wait.recv().unwrap().unwrap();
    }

    pub fn replay_late(&self) {
        let (done, wait) = channel();
        self.live.replay_late(now(), Box::new(move |r| drop(done.send(r)))).unwrap();
        wait.recv().unwrap().unwrap();
    }

    pub fn checkpoint(&self) {
        let (done, wait) = channel();
        self.live.checkpoint(Box::new(move |r| drop(done.send(r)))).unwrap();
        wait.recv().unwrap().unwrap();
    }

    pub fn close(self) -> (MemoryDisk, Arc<TempDir>) {
        self.ledger.close();
        self.live.close().unwrap();
        (self.disk, self.folder)
    }
}

pub fn entries(disk: &MemoryDisk) -> Vec<Entry> {
    let mut entries = Entries::open(as_disk(disk)).unwrap();
    std::iter::from_fn(|| entries.next_entry().unwrap()).collect()
}

pub fn auditor(disk: &MemoryDisk, text: &str, leaf: f64) -> Auditor {
    let plan = plan(text);
    let models = models(&plan, leaf);
    Auditor::open(as_disk(disk), plan, models, Settings::default()).unwrap()
}

pub fn audit(disk: &MemoryDisk, text: &str) -> Audit {
    auditor(disk, text, 4.0).audit(&Period::default(), None, |_| {}).unwrap()
}

pub fn before(time: EventTime) -> Period {
    Period { from: None, to: Some(time) }
}
