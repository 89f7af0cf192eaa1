//! The sentences that stand beside every gain, made from its numbers so that they cannot say more
//! than these do.

use std::collections::BTreeSet;

use super::{Report, Spread};

/// A difference of a share that is not worth speaking of.
const STILL: f64 = 0.05;

pub(super) fn sentences(report: &Report) -> Vec<String> {
    let mut out = vec![report.notes.source.clone(), method(report), spread(report)];
    out.extend(auc(report));
    out.extend(last_step(report));
    out.extend(slow(report));
    out.extend(skew(report));
    out.push(control(report));
    out.extend(report.notes.more.iter().cloned());
    out.retain(|sentence| !sentence.is_empty());
    out
}

fn method(report: &Report) -> String {
    let coverage: Vec<f64> =
        report.trials.iter().map(|trial| trial.counts.label_coverage).collect();
    let truth = match report.notes.truth.as_str() {
        "" => "the truth",
        truth => truth,
    };
    format!(
        "One model is trained per freshness, all with the same settings and none of them tuned. \
         Training knows only what was reported by its cut ({} of the fraud in its rows); the \
         metrics are held against {truth}.",
        percent(Spread::of(&coverage).mean)
    )
}

fn spread(report: &Report) -> String {
    let worlds = report.trials.iter().map(|trial| trial.world.as_str());
    let worlds = worlds.collect::<BTreeSet<_>>().len();
    match (report.trials.len(), worlds) {
        (1, _) => "This is a single run: it has no spread, and another seed or another month will \
                   differ by a few points."
            .to_owned(),
        (runs, 1) => format!(
            "Means of {runs} runs on the same payments: the ranges in brackets are those of the \
             draws of training alone, and another month will differ by more."
        ),
        (runs, worlds) => format!(
            "Means of {runs} runs on {worlds} worlds; the ranges in brackets are those of the runs."
        ),
    }
}

fn auc(report: &Report) -> Option<String> {
    let gain = report.gains.last()?;
    let (from, to, moved) = (&gain.from, &gain.to, gain.metrics.auc.mean);
    let why = if moved.abs() <= STILL {
        ": it is a mean over all payments, and most of them are told apart without fresh features"
    } else {
        ""
    };
    Some(format!("AUC moves by {} from {from} to {to}{why}.", points(moved)))
}

fn last_step(report: &Report) -> Option<String> {
    let [.., before, last] = report.gains.as_slice() else { return None };
    let (before_gain, gain) =
        (before.metrics.recall_at_alerts.mean, last.metrics.recall_at_alerts.mean);
    Some(format!(
        "Of the {} of recall at the same alerts between {} and {}, {} are there at {} already.",
        points(gain),
        last.from,
        last.to,
        points(before_gain),
        before.to
    ))
}

fn slow(report: &Report) -> Option<String> {
    let name = report.notes.slow_kind.as_ref()?;
    let recall = |served: &str| {
        let row = report.fresh.iter().find(|row| row.served == served)?;
        let kind = row.kinds.iter().find(|kind| kind.kind == *name)?;
        Some(kind.recall.mean)
    };
    let freshest = &report.fresh.last()?.served;
    let (stale, fresh) = (recall(&report.notes.baseline)?, recall(freshest)?);
    let verdict = if (fresh - stale).abs() <= STILL {
        "fresher features do not help against it"
    } else if fresh > stale {
        "fresher features help against it too, which deserves a look at the data"
    } else {
        "it gets worse: the alerts go to other fraud"
    };
    Some(format!(
        "Slow fraud ({name}): {} of it is caught as of {}, {} as of {freshest}; {verdict}.",
        percent(stale),
        report.notes.baseline,
        percent(fresh)
    ))
}

fn skew(report: &Report) -> Option<String> {
    let gain = report.skew_gains.first()?;
    let (row, own) = (report.skew.first()?, gain.metrics.average_precision.mean);
    let verdict = if own < 0.0 { "less than" } else { "no less than" };
    Some(format!(
        "Skew: the model trained on {} and served {} reaches an average precision of {}, {verdict} \
         the model trained on what it is served ({}). Train at the freshness that is served.",
        row.trained,
        row.served,
        percent(row.metrics.average_precision.mean),
        signed(own)
    ))
}

fn control(report: &Report) -> String {
    match &report.notes.control {
        Some(control) => format!(
            "Control ({}): from {} to {}, average precision {}, recall at the same alerts {}.",
            control.name,
            control.gain.from,
            control.gain.to,
            signed(control.gain.metrics.average_precision.mean),
            signed(control.gain.metrics.recall_at_alerts.mean)
        ),
        None => {
            "No control was run: the same on data where little is expected, such as the public \
                 Fraud Detection Handbook's, whose fraud lasts for weeks."
                .to_owned()
        }
    }
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

fn points(difference: f64) -> String {
    format!("{:.1} points", difference * 100.0)
}

fn signed(difference: f64) -> String {
    format!("{:+.1} points", difference * 100.0)
}
