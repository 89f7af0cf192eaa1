//! How fresh features are, as it is written on the command line.

use std::str::FromStr;

use millrace_batch::AsOf;
use millrace_event::Span;

/// Which features a model sees, and as of when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Age {
    /// Only what the request brings along: columns that read no group.
    Request,
    AsOf(AsOf),
}

/// An age with the name that the tables show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Freshness {
    pub name: String,
    pub age: Age,
}

impl FromStr for Freshness {
    type Err = String;

    fn from_str(text: &str) -> Result<Freshness, String> {
        let age = match text {
            "request" => Age::Request,
            "daily" => Age::AsOf(AsOf::Every(Span::days(1))),
            "hourly" => Age::AsOf(AsOf::Every(Span::hours(1))),
            "event" => Age::AsOf(AsOf::Event),
            span => match span.parse::<Span>() {
                Ok(delay) if delay.0 > 0 => Age::AsOf(AsOf::Delay(delay)),
                Ok(_) | Err(_) => {
                    let known = "`request`, `daily`, `hourly`, `event` or a span such as `5m`";
                    return Err(format!("write {known}"));
                }
            },
        };
        Ok(Freshness { name: text.to_owned(), age })
    }
}

impl Age {
    /// How old values can be; the greater, the staler.
    fn staleness(self) -> i64 {
        match self {
            Age::Request => i64::MAX,
            Age::AsOf(AsOf::Every(span) | AsOf::Delay(span)) => span.0,
            Age::AsOf(AsOf::Event) => 0,
        }
    }
}

/// From the stalest to the freshest, each once.
pub fn in_order(given: &[Freshness]) -> Result<Vec<Freshness>, String> {
    let mut all = given.to_vec();
    all.sort_by_key(|one| std::cmp::Reverse(one.age.staleness()));
    match all.windows(2).find(|two| two[0].age == two[1].age) {
        Some(twice) => Err(format!("--freshness: `{}` is there twice", twice[0].name)),
        None => Ok(all),
    }
}

/// What gains are counted from, if nobody says: a nightly batch, as most teams have one, or the
/// stalest features that there are.
pub fn baseline(all: &[Freshness]) -> Option<&Freshness> {
    let daily = all.iter().find(|one| one.age == Age::AsOf(AsOf::Every(Span::days(1))));
    daily.or_else(|| all.iter().find(|one| one.age != Age::Request)).or_else(|| all.first())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(names: &[&str]) -> Vec<Freshness> {
        names.iter().map(|name| name.parse().unwrap()).collect()
    }

    #[test]
    fn freshnesses_stand_from_the_stalest_to_the_freshest() {
        let all = in_order(&parsed(&["event", "90m", "hourly", "5m", "request", "daily"])).unwrap();
        let names: Vec<&str> = all.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(names, ["request", "daily", "90m", "hourly", "5m", "event"]);
        assert_eq!(baseline(&all).unwrap().name, "daily");
        assert_eq!(baseline(&parsed(&["request", "5m", "event"])).unwrap().name, "5m");
        assert_eq!(baseline(&parsed(&["request"])).unwrap().name, "request");
    }

    #[test]
    fn what_is_twice_or_nonsense_is_refused() {
        assert!(in_order(&parsed(&["5m", "300s"])).unwrap_err().contains("twice"));
        assert!("weekly".parse::<Freshness>().is_err() && "0s".parse::<Freshness>().is_err());
    }
}
