//! Which time is learnt from, and which is tested on.
//!
//! ```text
//!   first ─ warm-up ─▶ train ─▶ (labels mature) ─▶ cut = test ─▶ end
//! ```
//!
//! Never a random split: a payment tells of the next one.

use std::ops::Range;

use millrace_event::{EventTime, Span};

use crate::exit::Failure;
use crate::history::when::When;

/// The shares of the span that windows need to fill, and that is tested on.
const WARM_UP: f64 = 2.0 / 9.0;
const TEST: f64 = 2.0 / 9.0;
const DAY: Span = Span::days(1);
/// A span of fewer days is cut where it falls, and not at midnights.
const WHOLE_DAYS_MIN: i64 = 9;

/// What was given of them.
#[derive(clap::Args, Clone, Copy, Debug, Default)]
pub struct Given {
    /// Learn from events at this time or later; the first two ninths of the data, if not given, are
    /// only counted in features
    #[arg(long, value_name = "TIME")]
    pub train_from: Option<When>,
    /// Learn from events before this time; as long before the test as labels take to mature, if
    /// not given
    #[arg(long, value_name = "TIME")]
    pub train_to: Option<When>,
    /// Test on events at this time or later; labels to learn from are those known by then. The last
    /// two ninths of the data, if not given
    #[arg(long, value_name = "TIME")]
    pub test_from: Option<When>,
    /// Test on events before this time; the end of the data, less the time in which labels mature,
    /// if not given
    #[arg(long, value_name = "TIME")]
    pub test_to: Option<When>,
}

impl Given {
    pub fn is_any(&self) -> bool {
        let Given { train_from, train_to, test_from, test_to } = self;
        [train_from, train_to, test_from, test_to].into_iter().any(Option::is_some)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Windows {
    pub train: Range<EventTime>,
    pub test: Range<EventTime>,
}

impl Windows {
    /// The moment whose knowledge training has.
    pub fn cut(&self) -> EventTime {
        self.test.start
    }

    /// From the first row to the last.
    pub fn rows(&self) -> Range<EventTime> {
        self.train.start..self.test.end
    }

    /// `data` are the times of the first event and behind the last; tests end so long before its end
    /// that what is held against them is known.
    pub fn new(
        data: &Range<EventTime>,
        matures: Span,
        known_after: Span,
        given: &Given,
    ) -> Result<Windows, Failure> {
        let span = data.end.since(data.start);
        let part = |share: f64| Span((span.0 as f64 * share) as i64);
        let whole = span.0 >= WHOLE_DAYS_MIN * DAY.0;
        let down = |time: EventTime| if whole { time.floor_to(DAY) } else { time };
        let up = |time: EventTime| match down(time) {
            floor if floor < time => floor.plus(DAY),
            floor => floor,
        };
        let or = |given: Option<When>, default: EventTime| given.map_or(default, |When(t)| t);
        // A test to the very end takes all there is: the last day need not be a whole one.
        let last = data.end.minus(known_after);
        let test_to = or(given.test_to, if known_after.0 > 0 { down(last) } else { last });
        let test_from = or(given.test_from, up(test_to.minus(part(TEST))));
        let train_to = or(given.train_to, test_from.minus(matures));
        let train_from = or(given.train_from, down(data.start.plus(part(WARM_UP))));
        let windows = Windows { train: train_from..train_to, test: test_from..test_to };
        windows.check(data, matures, known_after)?;
        Ok(windows)
    }

    fn check(
        &self,
        data: &Range<EventTime>,
        matures: Span,
        known_after: Span,
    ) -> Result<(), Failure> {
        let Windows { train, test } = self;
        let problem = if train.is_empty() {
            "there is no time left to learn from"
        } else if test.is_empty() {
            "there is no time left to test on"
        } else if train.end > test.start {
            "the time to learn from reaches into the test"
        } else if train.end.plus(matures) > test.start {
            "when the test begins, the last labels to learn from are not mature: of that time, only \
             what is positive would be learnt"
        } else if test.end.plus(known_after) > data.end {
            "the last labels of the test are not mature when the data ends: of that time, only what \
             is positive would be tested"
        } else {
            return Ok(());
        };
        Err(Failure::usage(format!(
            "{problem}: train {} to {}, test {} to {}, of data from {} to {} whose label matures in \
             {matures}; give more data, or set --train-from, --train-to, --test-from and --test-to",
            train.start, train.end, test.start, test.end, data.start, data.end
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(n: i64) -> EventTime {
        EventTime(0).plus(Span::days(n))
    }

    #[test]
    fn sixty_three_days_are_split_as_published() {
        let seconds = Span::seconds(30);
        let data = day(0).plus(seconds)..day(63).minus(seconds);
        let week = Span::days(7);
        let truth = Windows::new(&data, week, Span(0), &Given::default()).unwrap();
        let wanted = Windows { train: day(14)..day(42), test: day(49)..data.end };
        assert_eq!(truth, wanted);
        // Without the truth, the last week's labels are not known yet.
        let labels = Windows::new(&data, week, week, &Given::default()).unwrap();
        assert_eq!(labels, Windows { train: day(14)..day(35), test: day(42)..day(55) });
        assert_eq!(labels.cut(), day(42));
    }

    #[test]
    fn what_is_given_holds_and_what_is_too_short_is_told() {
        let data = day(0)..day(30);
        let given = Given { test_from: Some(When(day(25))), ..Given::default() };
        let windows = Windows::new(&data, Span::days(2), Span(0), &given).unwrap();
        assert_eq!((windows.train.end, windows.test), (day(23), day(25)..day(30)));
        let month = Span::days(30);
        let told = Windows::new(&data, month, month, &Given::default()).unwrap_err();
        assert!(told.message.contains("--train-from"), "{}", told.message);
        let hours = day(0)..EventTime(0).plus(Span::hours(9));
        let windows = Windows::new(&hours, Span::hours(1), Span(0), &Given::default()).unwrap();
        assert_eq!(
            windows.train,
            EventTime(0).plus(Span::hours(2))..hours.end.minus(Span::hours(3))
        );
    }
}
