use millrace_lift::Error;
use millrace_lift::Settings;
use millrace_lift::experiment::{Options, Trial};
use millrace_lift::metrics::Bounds;
use millrace_lift::render::{to_html, to_text};
use millrace_lift::report::{Notes, Report};
use millrace_lift::world::World;

use crate::world::small;

fn options() -> Options {
    let settings = Settings { trees: 30, leaves_max: 8, leaf_rows_min: 10, ..Settings::default() };
    Options { settings, keep_every: 2, ..Options::default() }
}

fn run(world: &World, seeds: &[u64], options: &Options) -> Result<Vec<Trial>, Error> {
    millrace_lift::experiment::run(world, seeds, options, &|_, _| true)
}

fn trials() -> Vec<Trial> {
    let one = run(&small("one", 1, 12_000), &[1, 2], &options()).unwrap();
    one.into_iter().chain(run(&small("two", 2, 12_000), &[1], &options()).unwrap()).collect()
}

fn notes() -> Notes {
    Notes {
        title: "A small world <made up>".to_owned(),
        source: "Made-up payments.".to_owned(),
        slow_kind: Some("slow".to_owned()),
        baseline: "midnight".to_owned(),
        ..Notes::default()
    }
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let world = small("one", 1, 4_000);
    let with = |threads| {
        let trials = run(&world, &[1, 2], &Options { threads, ..options() }).unwrap();
        let models: Vec<_> = trials.iter().flat_map(|trial| trial.models.clone()).collect();
        (serde_json::to_string(&trials).unwrap(), models)
    };
    let one = with(1);
    assert!(one == with(2) && one == with(7));
}

#[test]
fn fresh_values_are_worth_something_and_only_against_bursts() {
    let trials = trials();
    for trial in &trials {
        let [request, midnight, event] = trial.fresh.as_slice() else { panic!("three") };
        let precision = |cell: &millrace_lift::experiment::Cell| cell.metrics.average_precision;
        assert!(precision(event) > precision(midnight) + 0.2);
        assert!(precision(midnight) > precision(request) - 0.05);
        // The request's columns are fewer, so the model of the event cannot be served with them.
        assert_eq!(trial.skew.len(), 1);
        assert!(precision(&trial.skew[0]) < precision(midnight) + 0.02);
        assert!(event.kinds[0].recall > midnight.kinds[0].recall);
    }
    let control = Report::new(trials.clone(), options(), notes()).unwrap();
    let notes = Notes { control: control.as_control("the same again"), ..notes() };
    let report = Report::new(trials, options(), notes).unwrap();
    assert_eq!((report.gains.len(), report.skew_gains.len()), (1, 1));
    insta::assert_snapshot!("report", to_text(&report));
}

#[test]
fn the_page_loads_nothing_and_is_well_formed() {
    let report = Report::new(trials(), options(), notes()).unwrap();
    let page = to_html(&report);
    assert!(page.contains("<title>A small world &lt;made up&gt;</title>"));
    for loading in ["http:", "https:", "src=", "href=", "url(", "<script", "@import"] {
        assert!(!page.contains(loading), "{loading}");
    }
    for sentence in &report.honesty {
        assert!(page.contains(&format!("<li>{sentence}</li>")), "{sentence}");
    }
    for tag in ["table", "thead", "tbody", "tr", "th", "td", "figure", "svg", "text", "div", "li"] {
        let opened =
            page.matches(&format!("<{tag}>")).count() + page.matches(&format!("<{tag} ")).count();
        assert_eq!(opened, page.matches(&format!("</{tag}>")).count(), "{tag}");
    }
    assert!(!page.contains("NaN") && !page.contains("inf"));
}

#[test]
fn json_has_every_cell() {
    let report = Report::new(trials(), options(), notes()).unwrap();
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["trials"].as_array().unwrap().len(), 3);
    let cell = &json["fresh"][2]["metrics"]["recall_at_alerts"];
    assert!(cell["mean"].is_f64() && cell["deviation"].is_f64());
    assert_eq!(json["trials"][0]["fresh"][2]["served"], "event");
    assert!(json["trials"][0].get("models").is_none());
}

#[test]
fn what_does_not_fit_is_refused() {
    let trials = trials();
    let baseline = Notes { baseline: "noon".to_owned(), ..notes() };
    let error = Report::new(trials, options(), baseline).unwrap_err();
    assert_eq!(error.to_string(), "baseline is noon; it must be one of the freshnesses");
    let world = small("one", 1, 4_000);
    let error = run(&world, &[1], &Options { keep_every: 0, ..options() }).unwrap_err();
    assert_eq!(error.to_string(), "keep_every is 0; it must be 1 or more");
    let bounds = Bounds { alert_share: 1.5, ..Bounds::default() };
    let error = run(&world, &[1], &Options { bounds, ..options() }).unwrap_err();
    assert_eq!(error.to_string(), "alert_share is 1.5; it must be above 0 and at most 1");
}

#[test]
fn what_rows_lack_is_not_measured_and_not_shown() {
    let mut trials = trials();
    let world = small("one", 1, 12_000);
    let rows = millrace_lift::world::Rows { amount_cents: None, ..world.rows().clone() };
    let less = World::new("one", world.freshness().to_vec(), rows).unwrap();
    let cells = |trials: &[Trial]| {
        let report = Report::new(trials.to_vec(), options(), notes()).unwrap();
        (to_text(&report), to_html(&report), serde_json::to_value(&report).unwrap())
    };
    trials.truncate(1);
    let (text, page, _) = cells(&trials);
    assert!(text.contains("money") && page.contains("money saved"));
    let (text, page, json) = cells(&run(&less, &[1], &options()).unwrap());
    assert!(!text.contains("money") && !page.contains("money saved") && !page.contains("NaN"));
    assert!(text.contains("precision@100"), "{text}");
    assert!(json["fresh"][0]["metrics"]["money_saved_at_fpr"]["mean"].is_null());
}

#[test]
fn a_run_ends_when_it_is_told_to() {
    let world = small("one", 1, 4_000);
    let stopped =
        millrace_lift::experiment::run(&world, &[1], &options(), &|done, _| done < 1).unwrap_err();
    assert_eq!(stopped, Error::Stopped);
}

#[test]
fn thresholds_are_those_of_the_written_prediction() {
    for trial in trials() {
        for cell in &trial.fresh {
            let of = cell.thresholds;
            assert!(0.0 < of.alerts && of.alerts < 1.0 && 0.0 < of.fpr && of.fpr < 1.0, "{of:?}");
        }
    }
}

#[test]
fn scores_from_elsewhere_are_measured_alike() {
    let world = small("one", 1, 6_000);
    let trial = run(&world, &[1], &options()).unwrap().remove(0);
    let test = world.rows_of(millrace_lift::world::Part::Test);
    let scores = trial.models.iter().zip(world.freshness());
    let scores: Vec<Vec<f64>> =
        scores.map(|(model, freshness)| model.scores(&freshness.table, &test)).collect();
    let again = millrace_lift::experiment::of_scores(&world, &scores, &options()).unwrap();
    assert_eq!(again.counts, trial.counts);
    for (one, other) in trial.fresh.iter().zip(&again.fresh) {
        assert_eq!((one.metrics, &one.kinds), (other.metrics, &other.kinds));
    }
    let short = vec![vec![0.0]; 3];
    assert!(millrace_lift::experiment::of_scores(&world, &short, &options()).is_err());
}
