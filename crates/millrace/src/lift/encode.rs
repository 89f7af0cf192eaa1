//! What a model sees of a column: a number, or a word.
//!
//! A bool is 0 or 1, an int and a decimal are their number, a duration is in seconds, and a null is
//! NaN. A string is a word: one of the model's categories. The same must be done wherever a model
//! is served, or its scores mean nothing.

use millrace_event::expr::quotient;
use millrace_event::{Column, Type};

/// How the cells of a type become numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Encoding {
    /// A word of the column, divided by this.
    Divided(f64),
    /// The number nearest to a decimal of so many digits.
    Decimal(u8),
    Float,
    Text,
}

impl Encoding {
    /// None of a type that models do not take: a moment would tie a model to its calendar, and ids
    /// would be learnt by heart.
    pub fn of(ty: &Type) -> Option<Encoding> {
        match ty {
            Type::Bool | Type::Int => Some(Encoding::Divided(1.0)),
            Type::Decimal(digits) => Some(Encoding::Decimal(*digits)),
            Type::Duration => Some(Encoding::Divided(1e6)),
            Type::Float => Some(Encoding::Float),
            Type::String => Some(Encoding::Text),
            Type::Timestamp | Type::Key(_) | Type::List(_) | Type::Map(..) => None,
        }
    }

    /// The number of a cell; `word` gives a string its own.
    pub fn number(self, column: &Column, row: usize, word: &mut dyn FnMut(&str) -> f64) -> f64 {
        if column.is_null(row) {
            return f64::NAN;
        }
        match self {
            Encoding::Divided(by) => {
                column.as_words().get(row).map_or(f64::NAN, |word| *word as f64 / by)
            }
            Encoding::Decimal(digits) => column.as_words().get(row).map_or(f64::NAN, |word| {
                quotient(i128::from(*word), 10i128.pow(u32::from(digits)))
            }),
            Encoding::Float => column.as_floats().get(row).copied().unwrap_or(f64::NAN),
            Encoding::Text => column.as_texts().map_or(f64::NAN, |texts| word(texts.get(row))),
        }
    }
}

#[cfg(test)]
mod tests {
    use millrace_event::{Mark, State};

    use super::*;

    #[test]
    fn cells_become_numbers() {
        let number = |ty: &Type, column: &Column| {
            Encoding::of(ty).unwrap().number(column, 0, &mut |word| word.len() as f64)
        };
        let words = |word| Column::words(vec![word]);
        assert_eq!(number(&Type::Bool, &words(1)), 1.0);
        assert_eq!(number(&Type::Int, &words(-3)), -3.0);
        assert_eq!(number(&Type::Decimal(2), &words(1_999)), 19.99);
        assert_eq!(number(&Type::Duration, &words(90_500_000)), 90.5);
        assert_eq!(number(&Type::Float, &Column::floats(vec![0.25])), 0.25);
        let mut text = Column::new(Type::String.physical());
        text.push_text("FR", Mark::OK);
        assert_eq!(number(&Type::String, &text), 2.0);
        let mut null = Column::new(Type::Int.physical());
        null.push_null(Mark::null(State::Empty));
        assert!(number(&Type::Int, &null).is_nan());
        assert!(Encoding::of(&Type::Timestamp).is_none());
        // As a server gives it to the model.
        let large = number(&Type::Decimal(1), &words(9_007_199_254_740_993));
        assert_eq!(large, 900_719_925_474_099.3);
    }
}
