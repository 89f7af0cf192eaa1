//! Which known name was probably meant.

/// The known name that is fewest edits away, if it is near enough to have been meant.
pub fn nearest<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let far = given.chars().count() / 3 + 1;
    known
        .into_iter()
        .map(|name| (edits(given, name), name))
        .filter(|(distance, _)| *distance <= far)
        .min()
        .map(|(_, name)| name)
}

/// What a message says of an unknown name: the one that was meant, else all there are.
pub fn did_you_mean<'a>(given: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> String {
    if let Some(name) = nearest(given, known.clone()) {
        return format!("did you mean `{name}`?");
    }
    let all: Vec<String> = known.into_iter().map(|name| format!("`{name}`")).collect();
    if all.is_empty() { "there are none".to_owned() } else { format!("known: {}", all.join(", ")) }
}

/// Insertions, deletions and replacements of a character that turn one into the other
/// (Levenshtein), by the usual table of which one row is kept.
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (y, up) in b.iter().zip(row.iter_mut().skip(1)) {
            let replaced = diagonal + usize::from(x != *y);
            diagonal = *up;
            left = replaced.min(left + 1).min(*up + 1);
            *up = left;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_are_counted() {
        let cases =
            [("", "", 0), ("", "abc", 3), ("kitten", "sitting", 3), ("ab", "ba", 2), ("é", "e", 1)];
        for (a, b, count) in cases {
            assert_eq!((edits(a, b), edits(b, a)), (count, count), "{a} {b}");
        }
    }

    #[test]
    fn only_near_names_are_offered() {
        let known = ["payments", "outcomes"];
        assert_eq!(nearest("paymets", known), Some("payments"));
        assert_eq!(nearest("cards", known), None);
        assert_eq!(did_you_mean("cards", known), "known: `payments`, `outcomes`");
        assert_eq!(did_you_mean("cards", []), "there are none");
    }
}
