//! The lines before the first tree: features, objective, and what would change the sum.

use super::{Line, error};
use crate::model::Parts;
use crate::model::error::{Fault, ModelError};
use crate::model::feature::{FeatureKind, ModelFeature};
use crate::model::forest::Forest;
use crate::model::limits::FEATURES_MAX;
use crate::model::objective::{Link, Objective};
use crate::model::{Format, Sum};

const ONE_TARGET: &str = "train one model with a single target, such as objective=binary";
const SAVE_AGAIN: &str = "load it with LightGBM 4 and save it again";

#[derive(Debug, Default)]
pub(super) struct Header<'a> {
    names: Option<Vec<&'a str>>,
    infos: Option<Vec<&'a str>>,
    /// Number of the last feature.
    last_feature: Option<usize>,
    objective: Option<Objective>,
    /// How many tree sizes are listed.
    trees: Option<usize>,
    /// A random forest's prediction is made of the mean of its trees.
    is_average: bool,
    is_version_seen: bool,
}

impl<'a> Header<'a> {
    pub fn features(&self) -> usize {
        self.names.as_ref().map_or(0, Vec::len)
    }

    pub fn take(&mut self, line: Line<'a>) -> Result<(), ModelError> {
        self.take_line(line).map_err(|fault| error(line.number, None, fault))
    }

    fn take_line(&mut self, line: Line<'a>) -> Result<(), Fault> {
        if line.text == "average_output" {
            self.is_average = true;
        }
        let Some((key, value)) = line.key_value() else { return Ok(()) };
        match key {
            "version" => {
                self.is_version_seen = true;
                if value != "v3" && value != "v4" {
                    let what = format!("version `{value}` of the format; v3 and v4 are read");
                    return Err(Fault::Unsupported { what, fix: SAVE_AGAIN });
                }
                Ok(())
            }
            "num_class" | "num_tree_per_iteration" if value != "1" => {
                let what = format!("{key} is {value}: several classes are not scored");
                Err(Fault::Unsupported { what, fix: ONE_TARGET })
            }
            "max_feature_idx" => {
                let unreadable = |_| Fault::unreadable(value, "a whole number");
                let last: usize = value.parse().map_err(unreadable)?;
                Fault::limit("features", last.saturating_add(1), FEATURES_MAX)?;
                set(&mut self.last_feature, last, "max_feature_idx")
            }
            "feature_names" => set(&mut self.names, words(value)?, "feature_names"),
            "feature_infos" => set(&mut self.infos, words(value)?, "feature_infos"),
            "objective" => set(&mut self.objective, objective(value)?, "objective"),
            "tree_sizes" => set(&mut self.trees, value.split(' ').count(), "tree_sizes"),
            _ => Ok(()),
        }
    }

    /// The trees that were found are those that are listed: none was lost where the file was cut.
    pub fn check_trees(&self, found: usize, line: usize) -> Result<(), ModelError> {
        let fail = |fault| error(line, None, fault);
        if !self.is_version_seen {
            return Err(fail(Fault::Missing { what: "version" }));
        }
        let expected = self.trees.ok_or_else(|| fail(Fault::Missing { what: "tree_sizes" }))?;
        if found != expected {
            return Err(fail(Fault::Count { what: "trees", given: found, expected }));
        }
        Ok(())
    }

    pub fn parts(self, forest: Forest, line: usize) -> Result<Parts, ModelError> {
        let fail = |fault| error(line, None, fault);
        let missing = |what| fail(Fault::Missing { what });
        let names = self.names.ok_or_else(|| missing("feature_names"))?;
        let last = self.last_feature.ok_or_else(|| missing("max_feature_idx"))?;
        let infos = self.infos.unwrap_or_default();
        if names.len() != last + 1 {
            let (given, expected) = (names.len(), last + 1);
            return Err(fail(Fault::Count { what: "feature names", given, expected }));
        }
        let kind_of = |at: usize| match infos.get(at) {
            Some(info) if !info.starts_with('[') && *info != "none" => {
                FeatureKind::Category { names: None }
            }
            Some(_) | None => FeatureKind::Number,
        };
        let feature = |(at, name): (usize, &&str)| ModelFeature {
            name: (*name).to_owned(),
            kind: kind_of(at),
            is_used: false,
            takes_missing: true,
        };
        let averaged_over = if self.is_average { forest.trees.len() as f64 } else { 1.0 };
        let raw = Objective { name: String::new(), link: Link::Identity };
        Ok(Parts {
            format: Format::LightGbm,
            features: names.iter().enumerate().map(feature).collect(),
            objective: self.objective.unwrap_or(raw),
            sum: Sum::Double { averaged_over },
            forest,
            remarks: Vec::new(),
        })
    }
}

fn set<T>(slot: &mut Option<T>, value: T, what: &'static str) -> Result<(), Fault> {
    if slot.replace(value).is_some() {
        return Err(Fault::Twice { what });
    }
    Ok(())
}

fn words(value: &str) -> Result<Vec<&str>, Fault> {
    let words: Vec<&str> = value.split(' ').take(FEATURES_MAX + 1).collect();
    Fault::limit("features", words.len(), FEATURES_MAX)?;
    Ok(words)
}

/// `binary sigmoid:1`: a name, and settings of which some change the prediction.
fn objective(value: &str) -> Result<Objective, Fault> {
    let mut words = value.split(' ');
    let name = words.next().unwrap_or_default();
    let mut link = match name {
        "binary" => Link::Sigmoid { factor: 1.0 },
        "cross_entropy" => Link::Sigmoid { factor: 1.0 },
        "cross_entropy_lambda" => Link::LogOnePlusExp,
        "poisson" | "gamma" | "tweedie" => Link::Exp,
        "regression" | "regression_l1" | "huber" | "fair" | "quantile" | "mape" | "custom" => {
            Link::Identity
        }
        _ => return Err(unsupported(format!("objective `{name}` is not scored"))),
    };
    for word in words {
        match (word.split_once(':'), link) {
            (Some(("sigmoid", factor)), Link::Sigmoid { .. }) if name == "binary" => {
                let factor = factor.parse().ok().filter(|factor: &f64| factor.is_finite());
                let factor = factor.ok_or_else(|| Fault::unreadable(word, "a finite number"))?;
                link = Link::Sigmoid { factor };
            }
            (None, Link::Identity) if word == "sqrt" => link = Link::SignedSquare,
            _ => return Err(unsupported(format!("the setting `{word}` of {name} is not known"))),
        }
    }
    Ok(Objective { name: name.to_owned(), link })
}

fn unsupported(what: String) -> Fault {
    let fix = "train with binary, cross_entropy, regression, poisson, gamma or tweedie";
    Fault::Unsupported { what, fix }
}
