//! Which columns a model takes, and as what: a number as a server gives it to a model, or a word, one
//! of the model's categories.

use millrace_event::{Column, Type};
use millrace_serving::plain;

/// How the cells of a type become numbers.
#[derive(Clone, Debug, PartialEq)]
pub enum Encoding {
    /// As `millrace-serving` encodes a value of this type.
    Number(Type),
    Text,
}

impl Encoding {
    /// None of a type that models do not take: a moment would tie a model to its calendar, and ids
    /// would be learnt by heart.
    pub fn of(ty: &Type) -> Option<Encoding> {
        match ty {
            Type::Bool | Type::Int | Type::Float | Type::Decimal(_) | Type::Duration => {
                Some(Encoding::Number(ty.clone()))
            }
            Type::String => Some(Encoding::Text),
            Type::Timestamp | Type::Key(_) | Type::List(_) | Type::Map(..) => None,
        }
    }

    /// The number of a cell, NaN for a null; `word` gives a string its own.
    pub fn number(&self, column: &Column, row: usize, word: &mut dyn FnMut(&str) -> f64) -> f64 {
        match self {
            Encoding::Number(ty) => plain(&column.value(row, ty)),
            Encoding::Text if column.is_null(row) => f64::NAN,
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
