//! `GET /metrics`: counts and times in the text format of Prometheus.

use std::fmt::{Display, Write as _};
use std::sync::atomic::Ordering;

use millrace_feature::plan::Outcome;
use millrace_stream::live::Status;

use crate::ask;
use crate::error::ApiError;
use crate::meters::{BOUNDS_MICROS, CODES, Histogram};
use crate::route::Kind;
use crate::service::Service;

pub async fn text(service: &Service) -> Result<String, ApiError> {
    let mut page = Page::default();
    http(&mut page, service);
    // What the process itself counts is told even while there is no engine to ask.
    if let Ok(live) = service.live() {
        let status = ask::status(live).await?;
        engine(&mut page, &status);
    }
    Ok(page.0)
}

/// The page as it grows.
#[derive(Debug, Default)]
struct Page(String);

impl Page {
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        self.push(format_args!("# HELP {name} {help}\n# TYPE {name} {kind}\n"));
    }

    fn line(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        self.0.push_str(name);
        for (i, (label, of)) in labels.iter().enumerate() {
            let open = if i == 0 { '{' } else { ',' };
            // Names of definitions are identifiers: nothing in them needs an escape.
            self.push(format_args!("{open}{label}=\"{of}\""));
        }
        if !labels.is_empty() {
            self.0.push('}');
        }
        self.push(format_args!(" {value}\n"));
    }

    fn single(&mut self, name: &str, kind: &str, help: &str, value: impl Display) {
        self.head(name, kind, help);
        self.line(name, &[], value);
    }

    fn histogram(&mut self, name: &str, help: &str, histogram: &Histogram) {
        self.head(name, "histogram", help);
        let bucket = format!("{name}_bucket");
        let mut total = 0;
        let counts = histogram.counts();
        for (bound, count) in BOUNDS_MICROS.iter().zip(counts) {
            total += count;
            let le = (*bound as f64 / 1e6).to_string();
            self.line(&bucket, &[("le", &le)], total);
        }
        total += counts[BOUNDS_MICROS.len()];
        self.line(&bucket, &[("le", "+Inf")], total);
        self.line(&format!("{name}_sum"), &[], histogram.sum().as_secs_f64());
        self.line(&format!("{name}_count"), &[], total);
    }

    fn push(&mut self, text: std::fmt::Arguments<'_>) {
        // Memory takes what is written to it.
        let _ = self.0.write_fmt(text);
    }
}

fn http(page: &mut Page, service: &Service) {
    let meters = &service.meters;
    let name = "millrace_http_requests_total";
    page.head(name, "counter", "Requests by route and status.");
    for kind in Kind::ALL {
        for (index, code) in CODES.iter().enumerate() {
            let count = meters.requests(kind, index);
            if count > 0 {
                let code = if *code == 0 { "other".to_owned() } else { code.to_string() };
                page.line(name, &[("route", kind.path()), ("code", &code)], count);
            }
        }
    }
    page.histogram(
        "millrace_freshness_seconds",
        "From the last byte of an event to an engine that counts it.",
        &meters.freshness,
    );
    page.histogram(
        "millrace_read_seconds",
        "From the head of a request to its answer, of features and views.",
        &meters.reads,
    );
    decisions(page, service);
    let connections = meters.connections.load(Ordering::Relaxed);
    let refused = meters.connections_refused.load(Ordering::Relaxed);
    page.single("millrace_http_connections", "gauge", "Open connections.", connections);
    page.single(
        "millrace_http_connections_refused_total",
        "counter",
        "Connections closed at once because there were too many.",
        refused,
    );
    let name = "millrace_inbox_depth";
    page.head(name, "gauge", "Requests in flight that wait for the engine or the disk.");
    page.line(name, &[("kind", "ingest")], service.admission.ingest_in_flight());
    page.line(name, &[("kind", "read")], service.admission.reads_in_flight());
    let name = "millrace_http_events_total";
    page.head(name, "counter", "Events and bad records that came over HTTP, since the start.");
    for (stream, count) in service.plan.streams.iter().zip(&meters.received) {
        page.line(name, &[("stream", &stream.schema.stream)], count.load(Ordering::Relaxed));
    }
    let name = "millrace_unknown_fields_total";
    page.head(name, "counter", "Fields that their stream does not declare, since the start.");
    for (stream, count) in service.plan.streams.iter().zip(&meters.unknown_fields) {
        page.line(name, &[("stream", &stream.schema.stream)], count.load(Ordering::Relaxed));
    }
    page.single(
        "millrace_dead_letters_resubmitted_total",
        "counter",
        "Dead letters handed over again, since the start.",
        meters.resubmitted.load(Ordering::Relaxed),
    );
}

fn decisions(page: &mut Page, service: &Service) {
    let meters = &service.meters;
    page.histogram(
        "millrace_decision_seconds",
        "From the head of a request for a decision to its answer, which is logged by then.",
        &meters.decisions,
    );
    let name = "millrace_decisions_total";
    page.head(name, "counter", "Decisions that were answered, by outcome, since the start.");
    for (decision, counts) in service.plan.decisions.iter().zip(&meters.decided) {
        for (outcome, count) in Outcome::ALL.iter().zip(counts) {
            let labels = [("decision", &*decision.name), ("outcome", outcome.name())];
            page.line(name, &labels, count.load(Ordering::Relaxed));
        }
    }
    if let Ok(ledger) = service.ledger() {
        let bytes = ledger.bytes();
        page.single("millrace_decision_log_bytes", "gauge", "Bytes of the decision log.", bytes);
        let is_logged = u8::from(ledger.health().is_ok());
        page.single(
            "millrace_decisions_logged",
            "gauge",
            "1 while decisions are logged.",
            is_logged,
        );
        let is_exported = u8::from(ledger.export_failure().is_none());
        page.single(
            "millrace_decisions_exported",
            "gauge",
            "1 while closed parts of the decision log are written as Parquet; else it grows.",
            is_exported,
        );
    }
}

fn engine(page: &mut Page, status: &Status) {
    let name = "millrace_events_total";
    page.head(name, "counter", "Events by what became of them; their sum is what came in.");
    let received = "millrace_events_in_total";
    for stream in &status.streams {
        let c = stream.counts;
        for (outcome, count) in [
            ("applied", c.applied),
            ("duplicate", c.duplicate),
            ("late", c.late),
            ("dead_lettered", stream.dead),
        ] {
            page.line(name, &[("stream", &stream.name), ("outcome", outcome)], count);
        }
    }
    page.head(received, "counter", "Events and records that came in.");
    for stream in &status.streams {
        let c = stream.counts;
        let all = c.applied + c.duplicate + c.late + stream.dead;
        page.line(received, &[("stream", &stream.name)], all);
    }
    let replayed = "millrace_events_replayed_total";
    page.head(replayed, "counter", "Late events applied after all.");
    for stream in &status.streams {
        page.line(replayed, &[("stream", &stream.name)], stream.counts.replayed);
    }
    let age = "millrace_stream_age_seconds";
    page.head(age, "gauge", "Since all that a stream's sources had was known to be applied.");
    for stream in &status.streams {
        page.line(age, &[("stream", &stream.name)], stream.age.0 as f64 / 1e6);
    }
    let watermark = "millrace_stream_watermark_seconds";
    page.head(watermark, "gauge", "The watermark, in seconds since 1970.");
    for stream in status.streams.iter().filter(|s| s.watermark.0 > i64::MIN) {
        page.line(watermark, &[("stream", &stream.name)], stream.watermark.0 as f64 / 1e6);
    }
    let keys = "millrace_group_keys";
    page.head(keys, "gauge", "Keys with a state.");
    for group in &status.groups {
        page.line(keys, &[("group", &group.name)], group.keys);
    }
    let state = "millrace_group_state_bytes";
    page.head(state, "gauge", "Bytes of key states in memory.");
    for group in &status.groups {
        page.line(state, &[("group", &group.name)], group.state_bytes);
    }
    let spilled = "millrace_group_spilled_keys";
    page.head(spilled, "gauge", "Keys whose state is on the disk only.");
    for group in &status.groups {
        page.line(spilled, &[("group", &group.name)], group.spilled_keys);
    }
    let at = status.checkpoint_age.as_secs_f64();
    page.single("millrace_checkpoint_age_seconds", "gauge", "Since the newest checkpoint.", at);
    let bytes = status.checkpoint_bytes;
    page.single("millrace_checkpoint_bytes", "gauge", "Bytes of the newest checkpoint.", bytes);
    page.single("millrace_checkpoint_epoch", "counter", "Its number.", status.checkpoint_epoch);
    page.single("millrace_log_bytes", "gauge", "Bytes of the event log.", status.log_bytes);
    let removed = "millrace_log_removed_total";
    page.head(removed, "counter", "Entries that were removed because of the limit of their log.");
    page.line(removed, &[("log", "late")], status.late_removed);
    page.line(removed, &[("log", "dead-letters")], status.letters_removed);
    page.single("millrace_frontier", "counter", "Records of the log applied.", status.frontier);
    let is_durable = u8::from(status.failure.is_none());
    page.single("millrace_durable", "gauge", "1 while events are made durable.", is_durable);
}
