//! Members of JSON objects that their stream does not declare. They are allowed, since senders add
//! fields before readers know them, and told, since a misspelt field would else be null unseen.

/// The most names that are told apart.
const NAMES_MAX: usize = 16;
/// Of a longer name, this much is kept, in bytes.
const NAME_BYTES_MAX: usize = 64;

/// How often which unknown fields were met. Bounded: of more names than 16, the rest is only
/// counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UnknownFields {
    names: Vec<(Box<str>, u64)>,
    total: u64,
}

impl UnknownFields {
    pub(crate) fn note(&mut self, name: &str) {
        self.add(name, 1);
    }

    fn add(&mut self, name: &str, times: u64) {
        self.total += times;
        let name = &name[..name.floor_char_boundary(NAME_BYTES_MAX)];
        if let Some((_, count)) = self.names.iter_mut().find(|(known, _)| **known == *name) {
            *count += times;
        } else if self.names.len() < NAMES_MAX {
            self.names.push((name.into(), times));
        }
    }

    /// Counts those of another block in.
    pub fn merge(&mut self, other: &UnknownFields) {
        other.names.iter().for_each(|(name, times)| self.add(name, *times));
        // Those whose names did not fit there.
        self.total += other.total - other.names.iter().map(|(_, times)| times).sum::<u64>();
    }

    /// All of them, also those whose names are not kept.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Names with how often they were met, in the order of their first time.
    pub fn names(&self) -> impl Iterator<Item = (&str, u64)> {
        self.names.iter().map(|(name, times)| (&**name, *times))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_bounded_and_nothing_goes_uncounted() {
        let mut many = UnknownFields::default();
        for i in 0..20 {
            many.note(&format!("f{i}"));
        }
        many.note("f0");
        let mut both = UnknownFields::default();
        both.note("f19");
        both.merge(&many);
        assert_eq!((many.total(), both.total()), (21, 22));
        assert_eq!(many.names().count(), NAMES_MAX);
        assert_eq!(both.names().next(), Some(("f19", 1)));
        assert_eq!(both.names().nth(1), Some(("f0", 2)));
        let mut long = UnknownFields::default();
        long.note(&"é".repeat(NAME_BYTES_MAX));
        assert_eq!(long.names().next().map(|(name, _)| name.len()), Some(NAME_BYTES_MAX));
    }
}
