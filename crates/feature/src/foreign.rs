//! Words of SQL, pandas and other languages, each with what is written here instead. Nothing here is
//! understood as a part of the language: it only makes a diagnostic say what to write.

use Instead::{Hint, Word};

/// What to write instead of a foreign word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Instead {
    /// This word, in the same place.
    Word(&'static str),
    /// What this hint says.
    Hint(&'static str),
}

const MEDIAN: &str =
    "the median is `quantile(x, 0.5) within 1%`, which this engine does not run yet";
const QUANTILE: &str = "write `quantile(x, 0.95) within 1%`, which this engine does not run yet";

/// A function.
pub(crate) fn function(name: &str) -> Option<Instead> {
    Some(match name.to_ascii_lowercase().as_str() {
        "avg" | "average" | "nanmean" => Word("mean"),
        "median" => Hint(MEDIAN),
        "percentile" | "percentile_cont" | "percentile_disc" | "approx_percentile" | "p50"
        | "p90" | "p95" | "p99" => Hint(QUANTILE),
        "std" | "stdev" | "stddev_samp" | "standard_deviation" => Word("stddev"),
        "stddev_pop" | "var_pop" => Hint("`stddev` and `variance` are those of a sample (n - 1)"),
        "var" | "var_samp" => Word("variance"),
        "nunique"
        | "n_unique"
        | "unique"
        | "count_distinct"
        | "approx_count_distinct"
        | "countdistinct" => Word("distinct"),
        "size" | "count_rows" => Word("count"),
        "count_if" | "countif" => Hint("write `count() where condition`"),
        "sum_if" | "sumif" => Hint("write `sum(x) where condition`"),
        "any" | "bool_or" | "some" => {
            Hint("write `count() where condition`, and compare it with 0")
        }
        "all" | "bool_and" => Hint("count the events where it is not so, and compare with 0"),
        "first_value" | "earliest" => Word("first"),
        "last_value" | "latest" => Word("last"),
        "lag" | "shift" => Hint("`last(x, 2)` is a list of the newest two"),
        "array_agg" | "collect_list" | "group_concat" => {
            Hint("`last(x, 5)` is a list of the newest five")
        }
        "len" | "char_length" => Word("length"),
        "lcase" | "tolower" => Word("lower"),
        "ucase" | "toupper" => Word("upper"),
        "startswith" => Word("starts_with"),
        "ifnull" | "nvl" | "isnull" | "fillna" => Word("coalesce"),
        "log" => Word("ln"),
        "ceiling" => Word("ceil"),
        "clip" => Hint("write `least(greatest(x, 0), 100)`"),
        "cast" | "astype" | "convert" => Hint("write `float(x)`, `int(x)` or `decimal(x, 2)`"),
        "double" | "to_float" => Word("float"),
        "integer" | "to_int" => Word("int"),
        "case" | "iif" | "iff" | "where" => Hint("write `if condition then a else b`"),
        "now" | "current_timestamp" | "getdate" => {
            Hint("there is no clock: in a view, the time of the event is the field of its time")
        }
        "datediff" | "date_diff" | "timestampdiff" => Hint("subtract: `at - first_at`"),
        "dayofweek" | "day_of_week" | "dow" => Word("weekday"),
        _ => return None,
    })
}

/// A type.
pub(crate) fn type_name(name: &str) -> Option<Instead> {
    Some(match name.to_ascii_lowercase().as_str() {
        "double" | "real" | "float32" | "float64" | "f32" | "f64" | "number" => Word("float"),
        "integer" | "bigint" | "smallint" | "long" | "short" | "int8" | "int16" | "int32"
        | "int64" | "i32" | "i64" | "uint32" | "uint64" | "u32" | "u64" => Word("int"),
        "str" | "text" | "varchar" | "char" | "nvarchar" | "uuid" | "utf8" | "object"
        | "category" => Word("string"),
        "boolean" | "bit" => Word("bool"),
        "datetime" | "datetime64" | "timestamptz" | "timestamp_ntz" | "date" | "time"
        | "instant" => Word("timestamp"),
        "interval" | "timedelta" | "timedelta64" => Word("duration"),
        "numeric" | "money" | "dec" => Hint("write `decimal(2)`, with the digits behind the point"),
        "array" | "vector" => Hint("write `list<string>`, with the type of its elements"),
        "dict" | "struct" | "json" | "jsonb" | "record" => {
            Hint("write `map<string, float>`, or declare a field for each member")
        }
        _ => return None,
    })
}

/// A name where a value stands.
pub(crate) fn value(name: &str) -> Option<Instead> {
    Some(match name {
        "True" | "TRUE" => Word("true"),
        "False" | "FALSE" => Word("false"),
        "None" | "NULL" | "Null" | "nil" | "NaN" => Word("null"),
        _ => return None,
    })
}

/// A word behind a feature's expression, where a clause of ours is meant.
pub(crate) fn clause(word: &str) -> Option<Instead> {
    Some(match word.to_ascii_lowercase().as_str() {
        "if" | "when" | "filter" | "having" => Word("where"),
        "window" | "rolling" | "during" | "last" | "for" | "range" => Word("over"),
        "step" | "slide" | "hop" => Word("every"),
        "fillna" | "otherwise" => Word("default"),
        "group" | "partition" | "by" => {
            Hint("the key stands once, in front: `features name by card from payment { … }`")
        }
        "as" => Hint("the name stands in front: `attempts = count() over 5m`"),
        "between" => Hint("write `x >= 1 and x <= 5`"),
        "like" | "ilike" => Hint("write `starts_with(x, \"a\")` or `contains(x, \"a\")`"),
        "limit" => Hint("of the newest n values, write `last(x, n)`"),
        "order" => Hint("`first` and `last` go by event time; nothing else depends on an order"),
        "xor" => Hint("write `a != b`"),
        _ => return None,
    })
}

/// What becomes of an event, in other words.
pub(crate) fn outcome(word: &str) -> Option<Instead> {
    Some(match word.to_ascii_lowercase().as_str() {
        "deny" | "decline" | "reject" | "refuse" | "stop" | "block" => Word("block"),
        "approve" | "accept" | "pass" | "permit" | "allow" => Word("allow"),
        "challenge" | "manual" | "hold" | "queue" | "review" => Word("review"),
        "when" | "if" => Hint("the outcome stands in front: `block when condition`"),
        "default" | "otherwise" => Word("else"),
        _ => return None,
    })
}

/// The word of the language that this one is, but for capital letters.
pub(crate) fn lower_case(word: &str) -> Option<&'static str> {
    const WORDS: [&str; 14] = [
        "and", "or", "not", "in", "is", "null", "true", "false", "then", "else", "where", "over",
        "every", "default",
    ];
    let ours = WORDS.into_iter().find(|ours| word.eq_ignore_ascii_case(ours))?;
    (ours != word).then_some(ours)
}

/// A length of time whose unit is written in another way: the duration, and whether it is exactly
/// that long. A month and a year are not.
pub(crate) fn duration(number: &str, unit: &str) -> Option<(String, bool)> {
    let (factor, ours, is_exact) = match unit {
        // `M` may be a month or a minute.
        "M" => return None,
        _ => match unit.to_ascii_lowercase().as_str() {
            "us" | "micros" | "microsecond" | "microseconds" => (1, "us", true),
            "ms" | "millis" | "millisecond" | "milliseconds" => (1, "ms", true),
            "s" | "sec" | "secs" | "second" | "seconds" => (1, "s", true),
            "m" | "min" | "mins" | "minute" | "minutes" => (1, "m", true),
            "h" | "hr" | "hrs" | "hour" | "hours" => (1, "h", true),
            "d" | "day" | "days" => (1, "d", true),
            "w" | "week" | "weeks" => (7, "d", true),
            "mo" | "month" | "months" => (30, "d", false),
            "y" | "yr" | "year" | "years" => (365, "d", false),
            _ => return None,
        },
    };
    let number: u64 = number.replace('_', "").parse().ok()?;
    Some((format!("{}{ours}", number.checked_mul(factor)?), is_exact))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_are_understood_in_other_words() {
        let of = |number, unit| duration(number, unit).map(|(text, _)| text);
        assert_eq!(of("24", "h").as_deref(), Some("24h"));
        assert_eq!(of("1_5", "Minutes").as_deref(), Some("15m"));
        assert_eq!(of("2", "weeks").as_deref(), Some("14d"));
        assert_eq!(duration("1", "month"), Some(("30d".to_owned(), false)));
        for (number, unit) in [("1", "M"), ("1", "fortnight"), ("99999999999999999999", "h")] {
            assert_eq!(duration(number, unit), None, "{number}{unit}");
        }
        assert_eq!(duration("9999999999999999999", "weeks"), None);
    }

    #[test]
    fn words_that_are_ours_already_are_left_alone() {
        for ours in ["and", "where", "over", "default"] {
            assert_eq!(lower_case(ours), None, "{ours}");
        }
        assert_eq!(lower_case("AND"), Some("and"));
        for ours in crate::function_names() {
            assert_eq!(function(ours), None, "{ours}");
        }
    }
}
