use std::fmt;
use std::sync::Arc;

use millrace_event::expr::Expr;

use super::DefinitionHash;

/// An artifact of the project that turns the vector of a view into a score.
#[derive(Clone, Debug)]
pub struct Model {
    pub name: Arc<str>,
    /// Relative to the project's folder, parts joined by `/`, none of them `..`.
    pub file: Arc<str>,
    /// Index into [`super::Plan::views`]: the vector it takes.
    pub view: usize,
    /// Of the declaration; the bytes of the file are no part of it.
    pub hash: DefinitionHash,
}

/// What becomes of an event, from the vector of a view and the scores of models.
#[derive(Clone, Debug)]
pub struct Decision {
    pub name: Arc<str>,
    /// Index into [`super::Plan::views`].
    pub view: usize,
    /// Indexes into [`super::Plan::models`]; conditions see their scores.
    pub scores: Vec<usize>,
    /// As `scores`, of models that are scored and logged beside them, and never act.
    pub shadows: Vec<usize>,
    /// In the order of the text: the first whose condition is true gives the outcome.
    pub rules: Vec<Rule>,
    /// The outcome where no condition is true.
    pub otherwise: Outcome,
    pub hash: DefinitionHash,
}

impl Decision {
    /// Rules of one decision. A record of the decision log has 16 bits for the index of a rule, and
    /// one value of them for `else`; so for all that is counted here.
    pub const RULES_MAX: usize = 4_096;
    /// Models that are scored, and as many in shadow.
    pub const MODELS_MAX: usize = 64;
    /// Groups that its view reads.
    pub const GROUPS_MAX: usize = 4_096;
    /// Decisions of one project.
    pub const DECISIONS_MAX: usize = 4_096;
}

#[derive(Clone, Debug)]
pub struct Rule {
    pub outcome: Outcome,
    /// The rule's name, or its condition as it is written.
    pub reason: Arc<str>,
    /// Over the view's columns, then the scores in order, which are floats and never null.
    pub condition: Expr,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Outcome {
    Allow,
    Review,
    Block,
}

impl Outcome {
    pub const ALL: [Outcome; 3] = [Outcome::Allow, Outcome::Review, Outcome::Block];

    pub fn name(self) -> &'static str {
        match self {
            Outcome::Allow => "allow",
            Outcome::Review => "review",
            Outcome::Block => "block",
        }
    }

    pub fn named(name: &str) -> Option<Outcome> {
        Outcome::ALL.into_iter().find(|outcome| outcome.name() == name)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
