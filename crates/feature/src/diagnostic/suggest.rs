//! "Did you mean": the nearest known name by edit distance.

/// Suggestions looked for in one compilation: beyond that many unknown names, the text is not
/// misspelt but wrong, and looking costs time.
const SUGGESTIONS_MAX: usize = 64;

/// Names longer than this are not compared.
const COMPARED_BYTES_MAX: usize = 64;

/// Finds nearest names, a bounded number of times.
#[derive(Debug, Default)]
pub struct Suggest {
    asked: usize,
}

impl Suggest {
    /// The candidate nearest to `name`, if one is near: at most a third of its characters differ.
    /// Of several, the first by its letters, whatever order they come in.
    pub fn nearest<'a>(
        &mut self,
        name: &str,
        candidates: impl IntoIterator<Item = &'a str>,
    ) -> Option<&'a str> {
        self.asked += 1;
        if self.asked > SUGGESTIONS_MAX || name.len() > COMPARED_BYTES_MAX {
            return None;
        }
        let lower = name.to_ascii_lowercase();
        let mut best: Option<(usize, &str)> = None;
        for candidate in candidates {
            let allowed = name.len().max(candidate.len()).div_ceil(3);
            if candidate.len() > COMPARED_BYTES_MAX
                || candidate.len().abs_diff(name.len()) > allowed
                || candidate == name
            {
                continue;
            }
            let distance = distance(lower.as_bytes(), candidate.to_ascii_lowercase().as_bytes());
            if distance <= allowed && best.is_none_or(|best| (distance, candidate) < best) {
                best = Some((distance, candidate));
            }
        }
        best.map(|(_, candidate)| candidate)
    }
}

/// Insertions, deletions, replacements and swaps of neighbours that turn `a` into `b`.
fn distance(a: &[u8], b: &[u8]) -> usize {
    let width = b.len() + 1;
    let mut before: Vec<usize> = vec![0; width];
    let mut above: Vec<usize> = (0..width).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1; width];
        for (j, y) in b.iter().enumerate() {
            let replaced = above[j] + usize::from(x != y);
            row[j + 1] = replaced.min(above[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *x == b[j - 1] && a[i - 1] == *y {
                row[j + 1] = row[j + 1].min(before[j - 1] + 1);
            }
        }
        before = std::mem::replace(&mut above, row);
    }
    above[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_count_edits_and_swaps() {
        assert_eq!(distance(b"amount", b"amount"), 0);
        assert_eq!(distance(b"amuont", b"amount"), 1);
        assert_eq!(distance(b"", b"abc"), 3);
        assert_eq!(distance(b"kitten", b"sitting"), 3);
    }

    #[test]
    fn only_near_names_are_suggested() {
        let mut suggest = Suggest::default();
        assert_eq!(suggest.nearest("amuont", ["amount", "account"]), Some("amount"));
        assert_eq!(suggest.nearest("Amount", ["amount"]), Some("amount"));
        assert_eq!(suggest.nearest("zebra", ["amount", "card"]), None);
        for _ in 0..SUGGESTIONS_MAX {
            suggest.nearest("x", []);
        }
        assert_eq!(suggest.nearest("amuont", ["amount"]), None);
    }
}
