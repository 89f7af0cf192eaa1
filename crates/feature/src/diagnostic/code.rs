use std::fmt;

/// Declares the codes with their names and meanings once, so that `ALL` cannot miss one.
macro_rules! codes {
    ($($variant:ident $name:literal $meaning:literal)*) => {
        /// The kinds of diagnostic, by stable names.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $(#[doc = $meaning] $variant,)*
        }

        impl Code {
            /// Every code, in the order of `docs/reference/diagnostics.md`.
            pub const ALL: &[Code] = &[$(Code::$variant,)*];

            /// The stable name, such as `unknown-name`.
            pub fn name(self) -> &'static str {
                match self {
                    $(Code::$variant => $name,)*
                }
            }

            /// What it means, in one sentence.
            pub fn meaning(self) -> &'static str {
                match self {
                    $(Code::$variant => $meaning,)*
                }
            }
        }
    };
}

codes! {
    UnexpectedCharacter "unexpected-character" "A character that the language does not use."
    UnterminatedString "unterminated-string" "A string without its closing quote on the same line."
    BadEscape "bad-escape" "An escape in a string that the language does not know."
    BadNumber "bad-number" "A number that cannot be held, or a part that must be a whole number."
    BadDuration "bad-duration" "A duration that is not a whole number and one of us, ms, s, m, h, d."
    BadTime "bad-time" "A time that is not one, or a bare time outside a test."
    Syntax "syntax" "A word or sign where the grammar asks for another."
    SourceLimit "source-limit" "A file is larger than 1 MiB."
    NestingLimit "nesting-limit" "Parentheses or operators nest too deeply."
    ExpressionLimit "expression-limit" "An expression is too large once its `let` names are put in."
    NameLimit "name-limit" "A name is longer than 128 bytes."
    ReservedName "reserved-name" "A word of the language used as a name."
    DuplicateName "duplicate-name" "Two definitions of one name."
    DuplicateClause "duplicate-clause" "A clause that may stand once stands twice."
    UnknownName "unknown-name" "A name that nothing defines."
    UnknownType "unknown-type" "A type that is neither built in nor an entity."
    UnknownFunction "unknown-function" "A function that the language does not have."
    UnknownWindow "unknown-window" "A feature asked for over a window that it does not have."
    AmbiguousWindow "ambiguous-window" "A feature with several windows named without one."
    DefinedLater "defined-later" "A name used above its definition."
    Cycle "cycle" "Definitions that need each other."
    BadEntity "bad-entity" "An entity whose keys are neither strings nor ints."
    BadDecimal "bad-decimal" "A decimal with more than 18 digits after the point."
    MissingId "missing-id" "A stream without an `id` field."
    MissingTime "missing-time" "A stream without a `time` field."
    BadField "bad-field" "A field whose type or modifiers do not fit its role."
    BadKey "bad-key" "A key that is a float, or of another type that cannot be one."
    TypeMismatch "type-mismatch" "A value of one type where another is needed."
    KeyMismatch "key-mismatch" "A key of one entity compared with a key of another."
    DecimalMeetsFloat "decimal-meets-float" "A decimal and a float in one operation."
    NullComparison "null-comparison" "A comparison with null, which is never true."
    UntypedNull "untyped-null" "A null whose type nothing tells."
    ArgumentCount "argument-count" "A function with too few or too many arguments."
    NotConstant "not-constant" "A value that must be known from the text alone."
    UnknownZone "unknown-zone" "A time zone that is not known."
    NestedAggregate "nested-aggregate" "An aggregate inside an aggregate."
    AggregateInExpression "aggregate-in-expression" "An aggregate in the middle of an expression."
    FieldInDerived "field-in-derived" "A field of one event where only features can stand."
    FeatureInEvent "feature-in-event" "A feature where only fields of one event can stand."
    MisplacedClause "misplaced-clause" "A clause on something that it says nothing about."
    WindowTooShort "window-too-short" "A window shorter than a millisecond."
    BadEvery "bad-every" "An `every` that does not fit its window."
    MissingLimit "missing-limit" "A function that needs a bound, without one."
    GroupLimit "group-limit" "A group with more conditions, arguments or tiles than an engine keeps."
    DecisionLimit "decision-limit" "More decisions, rules, models or groups of one than a record of the log has place for."
    LastLimit "last-limit" "A `last(e, n)` with an n outside 1 to 1,000."
    MissingPart "missing-part" "A declaration without a part that it needs."
    BadPath "bad-path" "A path that does not lead to a file of the project."
    InputsMismatch "inputs-mismatch" "A model scored on a view that is not its inputs."
    ShadowInCondition "shadow-in-condition" "A shadow model in a condition, where it would act."
    MissingKey "missing-key" "A view that needs a key which its stream does not carry."
    UnknownStream "unknown-stream" "A test of a stream that nothing defines."
    MissingEventTime "missing-event-time" "An event of a test without a time."
    UnknownEvent "unknown-event" "An expectation about an event that the test does not name."
    TestLimit "test-limit" "Tests with more than 100,000 events, or 1,000,000 values, together."
    NotYetRun "not-yet-run" "Something that parses, but that this engine does not run yet."
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
