//! What a text says, with a place for everything, before any name is looked up.
//!
//! What did not parse is an [`ExprKind::Error`], or a declaration marked as broken, so that later
//! passes can say more without repeating what has been said.

mod decision;
mod declaration;
mod expression;
mod literal;
mod lower;
mod test;

use std::sync::Arc;

use millrace_event::{EventTime, Span, State};

use crate::plan::Outcome;
use crate::source::SourceSpan;

pub(crate) use lower::tree_to_ast;

/// Names are at most this long, in bytes.
pub const NAME_BYTES_MAX: usize = 128;

/// The declarations of one or more files, by kind, each in the order of the text.
#[derive(Clone, Debug, Default)]
pub(crate) struct Project {
    pub entities: Vec<EntityItem>,
    pub streams: Vec<Stream>,
    pub groups: Vec<Group>,
    pub views: Vec<View>,
    pub labels: Vec<Label>,
    pub models: Vec<Model>,
    pub decisions: Vec<Decision>,
    pub tests: Vec<Test>,
}

#[derive(Clone, Debug)]
pub(crate) struct Name {
    pub text: Arc<str>,
    pub span: SourceSpan,
}

/// A value with its place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct At<T> {
    pub value: T,
    pub span: SourceSpan,
}

#[derive(Clone, Debug)]
pub(crate) struct EntityItem {
    pub name: Name,
    pub kind: Option<TypeRef>,
}

#[derive(Clone, Debug)]
pub(crate) struct TypeRef {
    pub name: Name,
    /// The `(2)` of `decimal(2)`.
    pub digits: Option<At<Option<u8>>>,
    pub arguments: Vec<TypeRef>,
    pub nullable: Option<SourceSpan>,
    pub span: SourceSpan,
}

#[derive(Clone, Debug)]
pub(crate) struct Stream {
    pub name: Name,
    pub retracts: Option<SourceSpan>,
    pub fields: Vec<Field>,
    pub broken: bool,
    /// Whether a field has lost what stands behind its name, such as that it is the id.
    pub roles_lost: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Field {
    pub name: Name,
    pub ty: Option<TypeRef>,
    pub modifiers: Vec<At<Modifier>>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Modifier {
    Id,
    Time,
    Late(Span),
}

#[derive(Clone, Debug)]
pub(crate) struct Group {
    pub name: Name,
    pub keys: Vec<Name>,
    pub stream: Option<Name>,
    pub owners: Vec<At<Arc<str>>>,
    pub freshness: Vec<At<Fresh>>,
    pub lets: Vec<Let>,
    pub features: Vec<Feature>,
    pub broken: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Fresh {
    pub within: Span,
    pub otherwise: Vec<At<Otherwise>>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Otherwise {
    LastGoodFor(Span),
    Default,
    Refuse,
}

#[derive(Clone, Debug)]
pub(crate) struct Let {
    pub name: Name,
    pub body: Expr,
}

/// `name = body clauses`, in a group or a view.
#[derive(Clone, Debug)]
pub(crate) struct Feature {
    pub name: Name,
    pub body: Expr,
    pub clauses: Vec<At<Clause>>,
}

/// A window as written: `24h` stays `24h`, because features are named after it.
#[derive(Clone, Debug)]
pub(crate) struct Window {
    pub width: Span,
    pub text: Arc<str>,
    pub span: SourceSpan,
}

#[derive(Clone, Debug)]
pub(crate) enum Clause {
    Where(Expr),
    Over(Vec<Window>),
    Every(Span),
    Default(Expr),
    Decay,
    Per,
    Top,
    Within,
}

#[derive(Clone, Debug)]
pub(crate) struct View {
    pub name: Name,
    pub stream: Option<Name>,
    pub including: bool,
    pub items: Vec<ViewItem>,
    pub broken: bool,
}

#[derive(Clone, Debug)]
pub(crate) enum ViewItem {
    Use(Use),
    Column(Feature),
}

/// `use group`, or `use group.{items}`.
#[derive(Clone, Debug)]
pub(crate) struct Use {
    pub group: Name,
    pub items: Option<Vec<Selection>>,
}

/// `attempts` or `attempts[5m]`.
#[derive(Clone, Debug)]
pub(crate) struct Selection {
    pub name: Name,
    pub window: Option<Window>,
    pub span: SourceSpan,
}

#[derive(Clone, Debug)]
pub(crate) struct Label {
    pub name: Name,
    pub stream: Option<Name>,
    pub positive: Vec<LabelSource>,
    pub among: Vec<LabelSource>,
    pub matures: Vec<At<Span>>,
    pub broken: bool,
}

/// `reports by payment_id where reason = "fraud"`
#[derive(Clone, Debug)]
pub(crate) struct LabelSource {
    pub stream: Name,
    pub by: Name,
    pub filter: Option<Expr>,
    pub span: SourceSpan,
}

#[derive(Clone, Debug)]
pub(crate) struct Model {
    pub name: Name,
    pub files: Vec<At<Arc<str>>>,
    pub inputs: Vec<Name>,
    pub broken: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Decision {
    pub name: Name,
    pub view: Option<Name>,
    pub items: Vec<DecisionItem>,
    pub broken: bool,
}

#[derive(Clone, Debug)]
pub(crate) enum DecisionItem {
    Score(Name),
    Shadow(Name),
    Rule(Rule),
    Else(At<Outcome>),
}

/// `block "many cards" when device_risk.cards >= 5`
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    pub outcome: Outcome,
    pub name: Option<At<Arc<str>>>,
    pub condition: Expr,
    /// The condition as it is written, on one line.
    pub text: Arc<str>,
    pub span: SourceSpan,
}

#[derive(Clone, Debug)]
pub(crate) struct Test {
    pub name: At<Arc<str>>,
    pub steps: Vec<Step>,
}

#[derive(Clone, Debug)]
pub(crate) enum Step {
    Event(EventStep),
    Group(GroupExpectation),
    View(ViewExpectation),
}

#[derive(Clone, Debug)]
pub(crate) struct EventStep {
    pub label: Option<Name>,
    pub stream: Name,
    pub entries: Vec<(Name, Expr)>,
    pub timing: Option<Timing>,
    pub span: SourceSpan,
}

#[derive(Clone, Debug)]
pub(crate) enum Timing {
    At(Expr),
    Every { step: Span, times: At<u32>, from: Expr },
}

#[derive(Clone, Debug)]
pub(crate) struct GroupExpectation {
    pub at: Expr,
    pub group: Name,
    pub keys: Vec<Expr>,
    pub checks: Vec<Check>,
    pub span: SourceSpan,
}

#[derive(Clone, Debug)]
pub(crate) struct ViewExpectation {
    pub view: Name,
    pub event: Name,
    pub checks: Vec<Check>,
    pub span: SourceSpan,
}

#[derive(Clone, Debug)]
pub(crate) struct Check {
    pub selection: Selection,
    pub expected: Expected,
}

#[derive(Clone, Debug)]
pub(crate) enum Expected {
    Value(Expr),
    State(State),
}

#[derive(Clone, Debug)]
pub(crate) struct Expr {
    pub kind: ExprKind,
    pub span: SourceSpan,
}

#[derive(Clone, Debug)]
pub(crate) enum ExprKind {
    /// What did not parse; it has its diagnostic.
    Error,
    Literal(Literal),
    Name(Name),
    /// `group.feature`
    Member(Box<Expr>, Name),
    /// `attempts[5m]`
    Index(Box<Expr>, Window),
    Call(Name, Vec<Expr>),
    Unary(UnaryOperator, Box<Expr>),
    Binary(At<BinaryOperator>, Box<Expr>, Box<Expr>),
    IsNull {
        operand: Box<Expr>,
        negated: bool,
    },
    In {
        operand: Box<Expr>,
        list: Vec<Expr>,
        negated: bool,
    },
    If(Box<Expr>, Box<Expr>, Box<Expr>),
    List(Vec<Expr>),
}

#[derive(Clone, Debug)]
pub(crate) enum Literal {
    Number(Number),
    Duration(Span),
    /// A bare time: on 2026-01-01, UTC.
    Time(EventTime),
    Text(Arc<str>),
    Bool(bool),
    Null,
}

/// `mantissa · 10^−scale`, and the digits as written, without `_`.
#[derive(Clone, Debug)]
pub(crate) struct Number {
    pub mantissa: i128,
    pub scale: u8,
    pub text: Arc<str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UnaryOperator {
    Negate,
    Not,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BinaryOperator {
    Or,
    And,
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

impl BinaryOperator {
    pub fn is_arithmetic(self) -> bool {
        match self {
            BinaryOperator::Add
            | BinaryOperator::Subtract
            | BinaryOperator::Multiply
            | BinaryOperator::Divide
            | BinaryOperator::Remainder => true,
            BinaryOperator::Or
            | BinaryOperator::And
            | BinaryOperator::Equal
            | BinaryOperator::NotEqual
            | BinaryOperator::Less
            | BinaryOperator::LessEqual
            | BinaryOperator::Greater
            | BinaryOperator::GreaterEqual => false,
        }
    }

    pub fn sign(self) -> &'static str {
        match self {
            BinaryOperator::Or => "or",
            BinaryOperator::And => "and",
            BinaryOperator::Equal => "=",
            BinaryOperator::NotEqual => "!=",
            BinaryOperator::Less => "<",
            BinaryOperator::LessEqual => "<=",
            BinaryOperator::Greater => ">",
            BinaryOperator::GreaterEqual => ">=",
            BinaryOperator::Add => "+",
            BinaryOperator::Subtract => "-",
            BinaryOperator::Multiply => "*",
            BinaryOperator::Divide => "/",
            BinaryOperator::Remainder => "%",
        }
    }
}
