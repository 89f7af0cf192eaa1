//! The metrics against scikit-learn's values and against definitions that are slow and plain.

use millrace_lift::metrics::{
    Amounts, Bounds, CardRow, Ranking, Scored, auc, average_precision, card_precision, curve,
    measure, within_alerts, within_false_positives,
};
use proptest::prelude::*;
use serde_json::Value;

fn near(given: f64, wanted: f64) -> bool {
    (given - wanted).abs() < 1e-12
}

fn fixture(score: &str, weighted: bool) -> (Vec<Scored>, Vec<CardRow>, Value) {
    let all: Value = serde_json::from_str(include_str!("metrics.json")).unwrap();
    let rows = all["rows"].as_array().unwrap();
    let scored = |row: &Value| Scored {
        score: row[score].as_f64().unwrap(),
        fraud: row["fraud"].as_bool().unwrap(),
        weight: if weighted { row["weight"].as_f64().unwrap() } else { 1.0 },
        amount_cents: row["amount_cents"].as_i64().unwrap(),
    };
    let number = |row: &Value, name: &str| row[name].as_u64().unwrap() as u32;
    let cards = |row: &Value| CardRow { day: number(row, "day"), card: number(row, "card") };
    let cards = rows.iter().map(cards).collect();
    (rows.iter().map(scored).collect(), cards, all["values"].clone())
}

/// `reference/metrics.py` made the values.
#[test]
fn scikit_learn_says_the_same() {
    for (name, score, weighted) in
        [("plain", "score", false), ("tied", "tied", false), ("weighted", "tied", true)]
    {
        let (rows, _, values) = fixture(score, weighted);
        let ranking = Ranking::new(&rows);
        let values = &values[name];
        assert!(near(auc(&ranking), values["auc"].as_f64().unwrap()), "{name}");
        let wanted = values["average_precision"].as_f64().unwrap();
        assert!(near(average_precision(&ranking), wanted), "{name}");
        let points = curve(&ranking, 20);
        let wanted = values["curve"].as_array().unwrap();
        assert_eq!(points.len(), wanted.len());
        for (point, wanted) in points.iter().zip(wanted) {
            assert!(near(point.precision, wanted.as_f64().unwrap()), "{name} {point:?} {wanted}");
        }
    }
}

#[test]
fn numpy_says_the_same() {
    let (rows, cards, values) = fixture("score", false);
    let bounds = Bounds {
        alert_share: 0.05,
        false_positive_rate: 0.02,
        cards_per_day: 5,
        ..Bounds::default()
    };
    let given =
        serde_json::to_value(measure(&Ranking::new(&rows), Some(&cards), Amounts::Known, &bounds))
            .unwrap();
    for (name, given) in given.as_object().unwrap() {
        let wanted = values["plain"][name].as_f64().unwrap();
        assert!(near(given.as_f64().unwrap(), wanted), "{name}: {given} {wanted}");
    }
}

fn row(score: f64, fraud: bool) -> Scored {
    Scored { score, fraud, weight: 1.0, amount_cents: 1_000 }
}

#[test]
fn of_equal_scores_the_first_row_is_alerted_first() {
    let rows = [row(0.0, false), row(1.0, true), row(1.0, false), row(1.0, true)];
    let half = within_alerts(&Ranking::new(&rows), 0.5);
    assert_eq!((half.rows, half.fraud, half.good), (2, 1.0, 1.0));
}

#[test]
fn a_hundredth_of_three_hundred_is_three() {
    for rows in (100..20_000).step_by(100) {
        let scored = vec![row(0.0, false); rows];
        assert_eq!(within_alerts(&Ranking::new(&scored), 0.01).rows, rows / 100);
    }
}

#[test]
fn a_caught_card_is_not_alerted_again() {
    let card = |day, card| CardRow { day, card };
    let rows = [row(9.0, true), row(5.0, false), row(9.0, true), row(5.0, true)];
    let cards = [card(1, 7), card(1, 8), card(2, 7), card(2, 8)];
    let given = card_precision(&rows, &cards, 1);
    assert_eq!((given.mean, given.most), (1.0, 1.0));
}

#[test]
fn without_fraud_or_rows_there_is_a_value_all_the_same() {
    for rows in [vec![], vec![row(1.0, false)], vec![row(1.0, true)]] {
        let cards = vec![CardRow { day: 0, card: 0 }; rows.len()];
        let metrics =
            measure(&Ranking::new(&rows), Some(&cards), Amounts::Known, &Bounds::default());
        assert!(metrics.as_array().iter().all(|value| value.is_finite()), "{metrics:?}");
    }
}

fn any_rows() -> impl Strategy<Value = Vec<Scored>> {
    let row = (0..12i32, any::<bool>(), 1..5u32, 0..100_000i64);
    let scored = |(score, fraud, weight, amount_cents)| Scored {
        score: f64::from(score) / 4.0,
        fraud,
        weight: f64::from(weight),
        amount_cents,
    };
    prop::collection::vec(row.prop_map(scored), 0..60)
}

/// Every pair of a fraud and a good payment.
fn slow_auc(rows: &[Scored]) -> f64 {
    let (mut won, mut pairs) = (0.0, 0.0);
    for fraud in rows.iter().filter(|row| row.fraud) {
        for good in rows.iter().filter(|row| !row.fraud) {
            let weight = fraud.weight * good.weight;
            pairs += weight;
            won += weight
                * if fraud.score > good.score {
                    1.0
                } else if fraud.score == good.score {
                    0.5
                } else {
                    0.0
                };
        }
    }
    if pairs > 0.0 { won / pairs } else { 0.5 }
}

/// The precision at the score of each fraud, looking at all rows each time.
fn slow_average_precision(rows: &[Scored]) -> f64 {
    let all: f64 = rows.iter().filter(|row| row.fraud).map(|row| row.weight).sum();
    let mut sum = 0.0;
    for fraud in rows.iter().filter(|row| row.fraud) {
        let above = rows.iter().filter(|row| row.score >= fraud.score);
        let (mut caught, mut alerted) = (0.0, 0.0);
        for row in above {
            alerted += row.weight;
            caught += if row.fraud { row.weight } else { 0.0 };
        }
        sum += fraud.weight * caught / alerted;
    }
    if all > 0.0 { sum / all } else { 0.0 }
}

/// Every prefix, and the longest one that fits.
fn slow_prefix(rows: &[Scored], budget: f64, cost: impl Fn(&Scored) -> f64) -> (f64, f64) {
    let mut sorted = rows.to_vec();
    sorted.sort_by(|a, b| b.score.partial_cmp(&a.score).unwrap());
    let weight = |rows: &[Scored], fraud: bool| {
        rows.iter().filter(|row| row.fraud == fraud).map(|row| row.weight).sum::<f64>()
    };
    let fits = |end: &usize| sorted[..*end].iter().map(&cost).sum::<f64>() <= budget + 1e-9;
    let end = (0..=sorted.len()).filter(fits).max().unwrap();
    (weight(&sorted[..end], true), weight(&sorted[..end], false))
}

proptest! {
    #[test]
    fn quick_and_slow_agree(rows in any_rows(), share in 0.0..1.0_f64) {
        let ranking = Ranking::new(&rows);
        prop_assert!(near(auc(&ranking), slow_auc(&rows)));
        prop_assert!(near(average_precision(&ranking), slow_average_precision(&rows)));
        let total: f64 = rows.iter().map(|row| row.weight).sum();
        let alerts = within_alerts(&ranking, share);
        let wanted = slow_prefix(&rows, share * total, |row| row.weight);
        prop_assert_eq!((alerts.fraud, alerts.good), wanted);
        let stopped = within_false_positives(&ranking, share);
        let cost = |row: &Scored| if row.fraud { 0.0 } else { row.weight };
        let wanted = slow_prefix(&rows, share * ranking.good(), cost);
        prop_assert_eq!((stopped.fraud, stopped.good), wanted);
    }

    #[test]
    fn a_weight_is_as_many_rows(rows in any_rows()) {
        let copies = |row: &Scored| vec![Scored { weight: 1.0, ..*row }; row.weight as usize];
        let many: Vec<Scored> = rows.iter().flat_map(copies).collect();
        let (one, many) = (Ranking::new(&rows), Ranking::new(&many));
        prop_assert!(near(auc(&one), auc(&many)));
        prop_assert!(near(average_precision(&one), average_precision(&many)));
    }

    #[test]
    fn card_precision_is_at_most_its_highest(
        rows in any_rows(), day in prop::collection::vec(0..4u32, 60),
        card in prop::collection::vec(0..9u32, 60), per_day in 1..5usize,
    ) {
        let cards = day.into_iter().zip(card).map(|(day, card)| CardRow { day, card });
        let cards: Vec<CardRow> = cards.take(rows.len()).collect();
        let given = card_precision(&rows, &cards, per_day);
        prop_assert!(given.mean <= given.most && given.most <= 1.0);
    }
}
