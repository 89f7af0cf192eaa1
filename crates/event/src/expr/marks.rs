//! How nulls and their reasons travel through operators.

use crate::{Mark, State};

/// The reason of a null that follows from two nulls.
pub(super) fn join(a: State, b: State) -> State {
    if is_grave(b) && !is_grave(a) { b } else { a }
}

fn is_grave(state: State) -> bool {
    match state {
        State::Limit | State::Overflow => true,
        State::Ok | State::Empty | State::Default | State::Stale => false,
    }
}

/// A mark as an operand sees it: of a value, only that it is there.
pub(super) fn settle(mark: Mark) -> Mark {
    if mark.is_null() { mark } else { Mark::OK }
}

/// The mark of a result that is null as soon as one operand is.
pub(super) fn join_marks(a: Mark, b: Mark) -> Mark {
    match (a.is_null(), b.is_null()) {
        (true, true) => Mark::null(join(a.state(), b.state())),
        (true, false) => a,
        (false, true) => b,
        (false, false) => Mark::OK,
    }
}

/// The marks of a result that is null as soon as one operand is. `None` when none can be.
pub(super) fn strict(operands: &[Option<&[Mark]>], rows: usize) -> Option<Vec<Mark>> {
    let mut out: Option<Vec<Mark>> = None;
    for marks in operands.iter().copied().flatten() {
        match &mut out {
            None => out = Some(marks.iter().take(rows).map(|m| settle(*m)).collect()),
            Some(out) => {
                for (a, b) in out.iter_mut().zip(marks) {
                    *a = join_marks(*a, *b);
                }
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_or_an_overflow_wins_over_nothing_being_there() {
        assert_eq!(join(State::Empty, State::Overflow), State::Overflow);
        assert_eq!(join(State::Overflow, State::Empty), State::Overflow);
        assert_eq!(join(State::Limit, State::Overflow), State::Limit);
        assert_eq!(join(State::Stale, State::Empty), State::Stale);
        assert_eq!(join(State::Empty, State::Stale), State::Empty);
    }

    #[test]
    fn a_value_that_is_there_is_ok_whatever_it_stood_for() {
        let a = [Mark::value(State::Default), Mark::null(State::Limit), Mark::OK];
        let b = [Mark::OK, Mark::NULL, Mark::NULL];
        let joined = strict(&[Some(&a), None, Some(&b)], 3);
        assert_eq!(joined, Some(vec![Mark::OK, Mark::null(State::Limit), Mark::NULL]));
        assert_eq!(strict(&[None, None], 3), None);
    }
}
