//! Whether the rows are those of the rules in Python, and of the book: `reference/handbook.py`
//! wrote the files that are compared here.

use millrace_handbook::{Experiment, History, Settings, Summary, Tally};

#[test]
fn the_published_data_set_is_reproduced_row_for_row() {
    let history = History::generate(&Settings::default()).unwrap();
    let summary = Summary::of(&history);
    // The numbers that the book prints.
    let tally = |payments, frauds| Tally { payments, frauds };
    assert_eq!(summary.all, tally(1_754_155, 14_681));
    assert_eq!(summary.scenarios, [973, 9_077, 4_631]);
    let experiment = Experiment {
        period: tally(201_295, 1_792),
        training: tally(67_240, 598),
        test: tally(58_264, 385),
    };
    assert_eq!(summary.experiment, Some(experiment));
    // All of it, by a checksum over every row.
    assert_eq!(summary.to_string(), include_str!("../../reference/published.txt"));
}

#[test]
fn a_salted_small_data_set_is_the_same_in_python() {
    // This salt makes seeds of more than 32 bits.
    let settings = Settings {
        customers: 60,
        terminals: 100,
        days: 40,
        radius: 20.0,
        salt: 5_000,
        ..Settings::default()
    };
    let summary = Summary::of(&History::generate(&settings).unwrap());
    assert_eq!(summary.to_string(), include_str!("../../reference/small.txt"));
}
