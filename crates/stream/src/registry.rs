//! Which table of a checkpoint belongs to which group or stream, for as long as old segments live.
//!
//! A segment is written once and read for a long time, while definitions come and go. So a table's
//! number is given out once: what is defined anew, or keyed or computed otherwise, gets a new one,
//! and the number of what is gone is never used again. What an old segment holds under it is then
//! known to be nobody's.

use millrace_feature::plan::{Group, Plan};
use serde::{Deserialize, Serialize};

use crate::checkpoint::ID_TABLES;
use crate::engine::EngineError;
use crate::parts::PART_TABLES;

/// What makes the state of a group usable by another definition of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TableHead {
    group: String,
    stream: String,
    keys: Vec<String>,
    layout: u64,
}

impl TableHead {
    fn of(plan: &Plan, group: &Group) -> TableHead {
        let schema = &plan.streams[group.stream].schema;
        let key = |field: &usize| {
            let field = &schema.fields[*field];
            format!("{} : {}", field.name, field.ty)
        };
        TableHead {
            group: group.name.to_string(),
            stream: schema.stream.to_string(),
            keys: group.keys.iter().map(key).collect(),
            layout: group.layout.hash,
        }
    }
}

/// Numbers given out so far; `None` stands for what is gone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Registry {
    groups: Vec<Option<TableHead>>,
    streams: Vec<Option<String>>,
    /// Numbers given to chunks of remembered ids.
    #[serde(default)]
    chunks: u64,
    /// The table of each group of the plan, and of each stream's ids.
    #[serde(skip)]
    group_tables: Vec<u16>,
    #[serde(skip)]
    stream_tables: Vec<u16>,
}

impl Registry {
    /// Numbers for a plan, going on from those that a checkpoint has. Returns the groups that
    /// found no state of theirs.
    pub(crate) fn continued(
        before: Registry,
        plan: &Plan,
    ) -> Result<(Registry, Vec<String>), EngineError> {
        let heads: Vec<TableHead> = plan.groups.iter().map(|g| TableHead::of(plan, g)).collect();
        let names: Vec<String> = plan.streams.iter().map(|s| s.schema.stream.to_string()).collect();
        let Registry { mut groups, mut streams, chunks, .. } = before;
        retire(&mut groups, &heads);
        retire(&mut streams, &names);
        let known = |head: &&TableHead| !groups.contains(&Some((*head).clone()));
        let new = heads.iter().filter(known).map(|head| head.group.clone()).collect();
        let group_tables = number(&mut groups, heads)?;
        let stream_tables = number(&mut streams, names)?.into_iter().map(|n| ID_TABLES | n);
        let stream_tables = stream_tables.collect();
        Ok((Registry { groups, streams, chunks, group_tables, stream_tables }, new))
    }

    /// What there is of these groups is nobody's from now on.
    pub(crate) fn forget_groups(&mut self, names: &[String]) {
        for group in &mut self.groups {
            if group.as_ref().is_some_and(|head| names.contains(&head.group)) {
                *group = None;
            }
        }
    }

    pub(crate) fn table_of_group(&self, group: usize) -> u16 {
        self.group_tables[group]
    }

    pub(crate) fn table_of_stream(&self, stream: usize) -> u16 {
        self.stream_tables[stream]
    }

    /// Sets the next numbers aside, for the chunks of one checkpoint.
    pub(crate) fn reserve_chunks(&mut self, count: u64) {
        self.chunks += count;
    }

    /// The number of the chunk with which `left` of those reserved are left, itself included.
    pub(crate) fn reserved_chunk(&self, left: u64) -> u64 {
        self.chunks.saturating_sub(left)
    }

    pub(crate) fn group_of(&self, table: u16) -> Option<usize> {
        self.group_tables.iter().position(|t| *t == table)
    }

    pub(crate) fn stream_of(&self, table: u16) -> Option<usize> {
        self.stream_tables.iter().position(|t| *t == table)
    }
}

/// Forgets what is no longer defined.
fn retire<T: PartialEq>(numbered: &mut [Option<T>], defined: &[T]) {
    for entry in numbered {
        if entry.as_ref().is_some_and(|e| !defined.contains(e)) {
            *entry = None;
        }
    }
}

/// The number of each; new ones get the next.
fn number<T: PartialEq>(
    numbered: &mut Vec<Option<T>>,
    defined: Vec<T>,
) -> Result<Vec<u16>, EngineError> {
    let mut numbers = Vec::with_capacity(defined.len());
    for one in defined {
        let one = Some(one);
        let at = numbered.iter().position(|n| *n == one).unwrap_or_else(|| {
            numbered.push(one);
            numbered.len() - 1
        });
        match u16::try_from(at) {
            Ok(at) if at < PART_TABLES => numbers.push(at),
            _ => {
                return Err(EngineError::Restore(format!(
                    "more than {PART_TABLES} definitions came and went in this data directory; \
                     move it away and compute the state again"
                )));
            }
        }
    }
    Ok(numbers)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use millrace_feature::{SourceFile, compile};

    use super::*;

    fn plan(groups: &str) -> Arc<Plan> {
        let text = format!(
            "entity card, device\nstream pay {{\n  id : string id\n  at : timestamp time, late 1m\n  \
             card : card\n  device : device\n  cents : int\n}}\n{groups}"
        );
        let compiled = compile(&[SourceFile::new("a.mill", text.as_str())]);
        Arc::new(compiled.plan.expect("it compiles"))
    }

    fn group(name: &str, key: &str, feature: &str) -> String {
        format!("features {name} by {key} from pay {{\n  f = {feature}\n}}\n")
    }

    fn next(before: &Registry, groups: &[String]) -> (Registry, Vec<String>) {
        Registry::continued(before.clone(), &plan(&groups.concat())).unwrap()
    }

    #[test]
    fn a_number_belongs_to_one_definition_for_ever() {
        let a = group("a", "card", "count() over 1h");
        let b = group("b", "card", "sum(cents) over 1h");
        let (first, new) = next(&Registry::default(), &[a.clone(), b.clone()]);
        assert_eq!(new, ["a", "b"]);
        assert_eq!((first.table_of_group(0), first.table_of_group(1)), (0, 1));

        // The order in the file does not matter.
        let (turned, new) = next(&first, &[b.clone(), a.clone()]);
        assert!(new.is_empty());
        assert_eq!((turned.table_of_group(0), turned.table_of_group(1)), (1, 0));

        let (without, _) = next(&first, std::slice::from_ref(&b));
        assert_eq!((without.group_of(0), without.group_of(1)), (None, Some(0)));
        let (again, new) = next(&without, &[a, b]);
        assert_eq!(new, ["a"]);
        assert_eq!((again.table_of_group(0), again.table_of_group(1)), (2, 1));
    }

    #[test]
    fn what_is_keyed_computed_or_named_otherwise_gets_a_new_number() {
        let (first, _) = next(&Registry::default(), &[group("a", "card", "count() over 1h")]);
        for other in [
            group("a", "device", "count() over 1h"),
            group("a", "card", "count() over 2h"),
            group("other", "card", "count() over 1h"),
        ] {
            let (changed, new) = next(&first, std::slice::from_ref(&other));
            assert_eq!((changed.table_of_group(0), changed.group_of(0)), (1, None), "{other}");
            assert_eq!(new.len(), 1);
        }
    }

    #[test]
    fn a_registry_is_written_and_read() {
        let (first, _) = next(&Registry::default(), &[group("a", "card", "count() over 1h")]);
        let bytes = serde_json::to_vec(&first).unwrap();
        let read: Registry = serde_json::from_slice(&bytes).unwrap();
        let (read, new) = next(&read, &[group("a", "card", "count() over 1h")]);
        assert!(new.is_empty());
        assert_eq!(read, first);
    }

    #[test]
    fn numbers_that_are_used_up_are_an_error() {
        let full = Registry { groups: vec![None; usize::from(ID_TABLES)], ..Registry::default() };
        let plan = plan(&group("a", "card", "count() over 1h"));
        let error = Registry::continued(full, &plan).unwrap_err();
        assert!(error.to_string().contains("move it away"), "{error}");
    }
}
