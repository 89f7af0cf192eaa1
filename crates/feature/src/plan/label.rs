use std::sync::Arc;

use millrace_event::Span;
use millrace_event::expr::Expr;

use super::DefinitionHash;

/// What turned out to be true of an event.
///
/// For an event e of the labelled stream and a cut-off time T: true when an event of `positive`
/// with e's value of the `by` field, which passes the filter, has a time ≤ T; otherwise false when
/// e's time + `matures` ≤ T; otherwise null. With `among`, null as well unless such an event of
/// that stream has a time ≤ T.
#[derive(Clone, Debug)]
pub struct Label {
    pub name: Arc<str>,
    /// Index into [`super::Plan::streams`]: whose events it is about.
    pub stream: usize,
    pub positive: LabelSource,
    /// Whose events say which events can be labelled at all; without it, all can.
    pub among: Option<LabelSource>,
    /// How long after its time an event without a positive one is held to be negative.
    pub matures: Span,
    pub hash: DefinitionHash,
}

/// The events of a stream that stand for one of the labelled stream: those with the same value of
/// one field. A null is the same as nothing.
#[derive(Clone, Debug)]
pub struct LabelSource {
    /// Index into [`super::Plan::streams`].
    pub stream: usize,
    /// The field, as an index into the labelled stream's schema.
    pub by_own: usize,
    /// The same in this stream's schema; both have one type.
    pub by_other: usize,
    /// Over the fields of this stream; an event counts where it is true.
    pub filter: Option<Expr>,
}
