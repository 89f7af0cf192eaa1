//! A few short byte strings in one block that is exactly as long as they are.

/// How many strings, then a length and the bytes of each; nothing when there are none.
#[derive(Clone, Debug, Default)]
pub(crate) struct ShortList(Box<[u8]>);

impl ShortList {
    /// A list holds at most so many strings, each of at most 255 bytes.
    pub(crate) const COUNT_MAX: usize = 32;

    pub(crate) fn len(&self) -> usize {
        self.0.first().copied().map_or(0, usize::from)
    }

    pub(crate) fn get(&self, index: usize) -> Option<&[u8]> {
        self.iter().nth(index)
    }

    #[inline]
    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest = self.0.get(1..).unwrap_or_default();
        std::iter::from_fn(move || {
            let (length, tail) = rest.split_first()?;
            let (string, tail) = tail.split_at_checked(usize::from(*length))?;
            rest = tail;
            Some(string)
        })
    }

    /// Puts a string before the one at `index`; `false` when there is no room for it.
    pub(crate) fn insert(&mut self, index: usize, string: &[u8]) -> bool {
        let Ok(length) = u8::try_from(string.len()) else { return false };
        let count = self.len();
        if count >= Self::COUNT_MAX {
            return false;
        }
        let at = self.start(index);
        let mut bytes = std::mem::take(&mut self.0).into_vec();
        let first = bytes.is_empty();
        bytes.reserve_exact(usize::from(first) + 1 + string.len());
        if first {
            bytes.push(0);
        }
        let end = bytes.len();
        bytes.push(length);
        bytes.extend_from_slice(string);
        if at < end {
            bytes[at..].rotate_right(1 + string.len());
        }
        bytes[0] = count as u8 + 1;
        self.0 = bytes.into_boxed_slice();
        true
    }

    /// Removes the first `count` strings, or all if there are fewer.
    pub(crate) fn remove_front(&mut self, count: usize) {
        let left = self.len().saturating_sub(count);
        if left == 0 {
            self.0 = Box::default();
        } else if count > 0 {
            let mut bytes = vec![left as u8];
            bytes.extend_from_slice(&self.0[self.start(count)..]);
            self.0 = bytes.into_boxed_slice();
        }
    }

    /// Where the string at `index` begins.
    fn start(&self, index: usize) -> usize {
        1 + self.iter().take(index).map(|string| 1 + string.len()).sum::<usize>()
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        self.0.len()
    }
}
