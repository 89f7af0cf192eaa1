//! Unfinished work as bytes: where everything lies on the scratch file.
//!
//! ```text
//!   work     rows u64, whether there is a label (1 byte), and if so its cut-off i64
//!            spools u32, then all lists of each
//!            outputs u32, then of each list whether it is done (1 byte), and if so the list
//!   lists    u32, then each list: blocks u32, then offset u64, bytes u64, rows u32 of each
//! ```
//!
//! All integers are little-endian. The events come first, for they no longer change; a group's
//! output follows partition by partition. Nothing is believed that can be checked: each number of
//! lists and rows is known from the job, and room is only made for blocks whose bytes are there.

use millrace_event::EventTime;

use crate::BatchError;
use crate::history::Scatter;
use crate::scatter::{PARTITIONS, Way};
use crate::spool::{Spool, Stretch};

/// Bytes of one block in a list.
const STRETCH_BYTES: usize = 20;

/// By task, what it gave if it is done.
pub(crate) type Finished = Vec<Option<Vec<Stretch>>>;

/// Appends where the events lie, all of which were spilled.
pub(crate) fn put_scattered(scatter: &mut Scatter, out: &mut Vec<u8>) {
    out.extend_from_slice(&scatter.rows.to_le_bytes());
    out.push(u8::from(scatter.job.labelling.is_some()));
    if let Some(labelling) = &scatter.job.labelling {
        out.extend_from_slice(&labelling.cutoff.0.to_le_bytes());
    }
    put_count(scatter.spools().count(), out);
    for spool in scatter.spools() {
        put_count(spool.lists(), out);
        (0..spool.lists()).for_each(|list| put_list(spool, list, out));
    }
}

/// Appends what the tasks gave that are done, of one output. Their lists were spilled.
pub(crate) fn put_output(spool: &Spool, is_done: &[bool], out: &mut Vec<u8>) {
    for (list, is_done) in is_done.iter().enumerate() {
        out.push(u8::from(*is_done));
        if *is_done {
            put_list(spool, list, out);
        }
    }
}

/// As [`put_output`] of so many outputs, before any task is done.
pub(crate) fn put_none_done(outputs: usize, out: &mut Vec<u8>) {
    put_count(outputs, out);
    out.resize(out.len() + outputs * PARTITIONS, 0);
}

pub(crate) fn put_count(count: usize, out: &mut Vec<u8>) {
    out.extend_from_slice(&(count as u32).to_le_bytes());
}

fn put_list(spool: &Spool, list: usize, out: &mut Vec<u8>) {
    put_count(spool.stretches(list).count(), out);
    for Stretch { offset, bytes, rows } in spool.stretches(list) {
        out.extend_from_slice(&offset.to_le_bytes());
        out.extend_from_slice(&bytes.to_le_bytes());
        out.extend_from_slice(&rows.to_le_bytes());
    }
}

/// Puts the events where they lie.
pub(crate) fn read_scattered(
    scatter: &mut Scatter,
    input: &mut Reader<'_>,
) -> Result<(), BatchError> {
    let rows = i64::from_le_bytes(input.array()?);
    if rows < 0 {
        return Err(BatchError::Damaged("the number of rows"));
    }
    scatter.rows = rows;
    let cutoff = match input.array()? {
        [0] => None,
        [1] => Some(EventTime(i64::from_le_bytes(input.array()?))),
        _ => return Err(BatchError::Damaged("whether there is a label")),
    };
    match (&mut scatter.job.labelling, cutoff) {
        (Some(labelling), Some(cutoff)) => labelling.cutoff = cutoff,
        (None, None) => {}
        (Some(_), None) | (None, Some(_)) => {
            return Err(BatchError::Damaged("whether there is a label"));
        }
    }
    input.count(scatter.spools().count())?;
    for spool in scatter.spools() {
        input.count(spool.lists())?;
        for list in 0..spool.lists() {
            spool.put_stretches(list, input.list()?);
        }
    }
    check_rows(scatter)
}

/// What the tasks gave that are done; nothing follows it.
pub(crate) fn read_finished(
    scatter: &Scatter,
    mut input: Reader<'_>,
) -> Result<Finished, BatchError> {
    let outputs = scatter.groups.len() + scatter.told.len();
    input.count(outputs)?;
    let mut finished = Vec::new();
    for _ in 0..outputs * PARTITIONS {
        finished.push(match input.array()? {
            [0] => None,
            [1] => Some(input.list()?),
            _ => return Err(BatchError::Damaged("whether a partition is done")),
        });
    }
    for output in finished.chunks(PARTITIONS) {
        let rows = output.iter().flatten().flatten().map(|stretch| u64::from(stretch.rows));
        if rows.sum::<u64>() > scatter.rows.unsigned_abs() {
            return Err(BatchError::Damaged("more features than rows"));
        }
    }
    if input.0.is_empty() { Ok(finished) } else { Err(BatchError::Damaged("bytes after the end")) }
}

/// Each row is in the frame, and once among the reads of each group and of what tells.
fn check_rows(scatter: &Scatter) -> Result<(), BatchError> {
    let of = |spool: &Spool| -> u64 {
        let lists = (0..spool.lists()).flat_map(|list| spool.stretches(list));
        lists.map(|stretch| u64::from(stretch.rows)).sum()
    };
    let groups = scatter.groups.iter().filter(|group| group.way != Way::Own);
    let reads = groups.map(|group| &group.reads).chain(scatter.told.iter().map(|told| &told.rows));
    let all_are_there =
        [&scatter.frame].into_iter().chain(reads).all(|s| of(s) == scatter.rows.unsigned_abs());
    if all_are_there { Ok(()) } else { Err(BatchError::Damaged("rows are missing")) }
}

/// Takes bytes from the front.
#[derive(Debug)]
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader(bytes)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], BatchError> {
        let split = self.0.split_first_chunk();
        let (first, rest) = split.ok_or(BatchError::Damaged("it ends too early"))?;
        self.0 = rest;
        Ok(*first)
    }

    /// A number that is known.
    fn count(&mut self, expected: usize) -> Result<(), BatchError> {
        let count = u32::from_le_bytes(self.array()?);
        let is_right = usize::try_from(count).is_ok_and(|count| count == expected);
        if is_right { Ok(()) } else { Err(BatchError::Damaged("it has other parts than the job")) }
    }

    fn list(&mut self) -> Result<Vec<Stretch>, BatchError> {
        let count = u32::from_le_bytes(self.array()?) as usize;
        if count > self.0.len() / STRETCH_BYTES {
            return Err(BatchError::Damaged("it ends too early"));
        }
        let stretch = |input: &mut Self| {
            let stretch = Stretch {
                offset: u64::from_le_bytes(input.array()?),
                bytes: u64::from_le_bytes(input.array()?),
                rows: u32::from_le_bytes(input.array()?),
            };
            match stretch.rows {
                0 => Err(BatchError::Damaged("a block without rows")),
                _ => Ok(stretch),
            }
        };
        (0..count).map(|_| stretch(self)).collect()
    }
}
