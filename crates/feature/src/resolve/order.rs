//! Names that are defined further down: told as such, or as a cycle.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::ast::{Expr, ExprKind, Name};
use crate::diagnostic::{Code, Diagnostic};
use crate::source::SourceSpan;

use super::Report;

/// The definitions of one group or view, with what each needs.
#[derive(Debug, Default)]
pub(super) struct Later {
    by_name: HashMap<Arc<str>, (SourceSpan, bool)>,
}

impl Later {
    /// From the definitions that may name each other, in the order of the text; an aggregate, which
    /// names fields, has no expression here.
    pub fn new<'a>(definitions: impl Iterator<Item = (&'a Name, Option<&'a Expr>)>) -> Later {
        let definitions: Vec<(&Name, Option<&Expr>)> = definitions.collect();
        let mut index: HashMap<&str, usize> = HashMap::new();
        for (at, (name, _)) in definitions.iter().enumerate() {
            index.entry(&name.text).or_insert(at);
        }
        let mut needs: Vec<Vec<usize>> = Vec::with_capacity(definitions.len());
        for (_, body) in &definitions {
            let mut names = Vec::new();
            body.iter().for_each(|body| names_of(body, &mut names));
            needs.push(names.into_iter().filter_map(|n| index.get(n).copied()).collect());
        }
        let cyclic = in_cycles(&needs);
        let by_name = definitions
            .iter()
            .enumerate()
            .map(|(at, (name, _))| (Arc::clone(&name.text), (name.span, cyclic.contains(&at))))
            .collect();
        Later { by_name }
    }

    /// Tells that a name which is not known yet is defined here or further down; false if not.
    pub fn tell(&self, name: &Name, report: &mut Report) -> bool {
        let Some((span, is_cyclic)) = self.by_name.get(&name.text) else { return false };
        report.push(if *is_cyclic {
            let message = format!("`{}` needs itself", name.text);
            Diagnostic::error(Code::Cycle, name.span, message)
                .label(*span, "defined here, by way of this name")
                .hint("break the circle: a definition stands on those above it")
        } else {
            let message = format!("`{}` is defined further down", name.text);
            Diagnostic::error(Code::DefinedLater, name.span, message)
                .label(*span, "here")
                .hint("move that definition up, above its use")
        });
        true
    }
}

/// The bare and indexed names of an expression.
fn names_of<'a>(expr: &'a Expr, names: &mut Vec<&'a str>) {
    match &expr.kind {
        ExprKind::Error | ExprKind::Literal(_) | ExprKind::Member(_, _) => {}
        ExprKind::Name(name) => names.push(&name.text),
        ExprKind::Index(a, _) | ExprKind::Unary(_, a) | ExprKind::IsNull { operand: a, .. } => {
            names_of(a, names);
        }
        ExprKind::Binary(_, a, b) => {
            names_of(a, names);
            names_of(b, names);
        }
        ExprKind::If(a, b, c) => [a, b, c].into_iter().for_each(|e| names_of(e, names)),
        ExprKind::In { operand, list, .. } => {
            names_of(operand, names);
            list.iter().for_each(|e| names_of(e, names));
        }
        ExprKind::Call(_, all) | ExprKind::List(all) => {
            all.iter().for_each(|e| names_of(e, names));
        }
    }
}

/// What is left when definitions that need nothing, and those that nothing needs, are taken away
/// again and again: the circles, and what lies between two of them.
fn in_cycles(needs: &[Vec<usize>]) -> HashSet<usize> {
    let mut needed_by: Vec<Vec<usize>> = vec![Vec::new(); needs.len()];
    for (at, all) in needs.iter().enumerate() {
        for other in all {
            needed_by[*other].push(at);
        }
    }
    let mut left = vec![true; needs.len()];
    trim(needs, &needed_by, &mut left);
    trim(&needed_by, needs, &mut left);
    (0..needs.len()).filter(|at| left[*at]).collect()
}

/// Takes away what has no edge left, by way of the edges back.
fn trim(edges: &[Vec<usize>], back: &[Vec<usize>], left: &mut [bool]) {
    let mut count: Vec<usize> =
        edges.iter().map(|all| all.iter().filter(|to| left[**to]).count()).collect();
    let mut free: Vec<usize> = (0..edges.len()).filter(|at| left[*at] && count[*at] == 0).collect();
    while let Some(at) = free.pop() {
        left[at] = false;
        for from in &back[at] {
            count[*from] = count[*from].saturating_sub(1);
            if left[*from] && count[*from] == 0 {
                free.push(*from);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::in_cycles;

    #[test]
    fn only_circles_are_left() {
        // 0 → 1 → 2 → 1, 3 → 3, 4 → 0, 5
        let needs = [vec![1], vec![2], vec![1], vec![3], vec![0], vec![]];
        let mut left: Vec<usize> = in_cycles(&needs).into_iter().collect();
        left.sort_unstable();
        assert_eq!(left, [1, 2, 3]);
    }
}
