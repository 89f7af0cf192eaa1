use crate::error::Error;

/// Leaves a tree may have at most: what the bit-vector scorers of 64 bits take.
pub const LEAVES_MAX: usize = 64;
/// Trees of a model at most.
pub const TREES_MAX: usize = 10_000;

/// How a model is trained. The defaults are those of the published experiment; nothing is tuned.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Settings {
    pub trees: usize,
    pub leaves_max: usize,
    pub learning_rate: f64,
    /// Rows that a leaf has at least, whatever their weight.
    pub leaf_rows_min: u32,
    /// The share of the columns that each tree may use.
    pub column_share: f64,
    /// The chance of each row to help grow a tree.
    pub row_share: f64,
    /// L2: added to the curvature of a leaf.
    pub penalty: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            trees: 300,
            leaves_max: 31,
            learning_rate: 0.05,
            leaf_rows_min: 40,
            column_share: 0.7,
            row_share: 0.8,
            penalty: 5.0,
        }
    }
}

impl Settings {
    pub fn check(&self) -> Result<(), Error> {
        let share = |share: f64| share > 0.0 && share <= 1.0;
        let rules: [(bool, &str, String, &str); 6] = [
            (
                (1..=TREES_MAX).contains(&self.trees),
                "trees",
                self.trees.to_string(),
                "between 1 and 10000",
            ),
            (
                (2..=LEAVES_MAX).contains(&self.leaves_max),
                "leaves_max",
                self.leaves_max.to_string(),
                "between 2 and 64",
            ),
            (
                share(self.learning_rate),
                "learning_rate",
                self.learning_rate.to_string(),
                "above 0 and at most 1",
            ),
            (
                share(self.column_share),
                "column_share",
                self.column_share.to_string(),
                "above 0 and at most 1",
            ),
            (
                share(self.row_share),
                "row_share",
                self.row_share.to_string(),
                "above 0 and at most 1",
            ),
            (
                self.penalty >= 0.0 && self.penalty.is_finite(),
                "penalty",
                self.penalty.to_string(),
                "zero or a positive number",
            ),
        ];
        match rules.into_iter().find(|(holds, ..)| !holds) {
            Some((_, setting, given, rule)) => Err(Error::Setting { setting, given, rule }),
            None => Ok(()),
        }
    }
}
