//! Many remembered ids in one record of a checkpoint.
//!
//! ```text
//! form u8 · greatest time i64 · count u32 · (zigzag varint: id − the one before | 16 bytes: id)… ·
//! zigzag varint: time − the one before…
//! ```
//!
//! Events mostly come in order, so that an id and its time take a few bytes. A chunk's key is its
//! number in 8 bytes, and each chunk adds to the ones before. Data directories written before
//! there were chunks have one record per id: its key is the id in 16 bytes, its value the time.

use millrace_event::{EventTime, Key};

use crate::remembered::IdHash;

/// More ids than these are split into several chunks, so that packing one is a short step.
pub(crate) const IDS_MAX: usize = 4_096;

/// Every id fits 64 bits.
const WORDS: u8 = 1;
const HASHES: u8 = 2;

const HEAD_BYTES: usize = 13;
/// The bytes of a time, or of a 64-bit id, at their longest.
const VARINT_BYTES_MAX: usize = 10;

/// The key of the chunk of this number.
pub(crate) fn key(number: u64) -> Key {
    Key::from_bytes(&number.to_le_bytes())
}

/// At most [`IDS_MAX`] ids.
pub(crate) fn pack(ids: &[(IdHash, EventTime)]) -> Vec<u8> {
    let are_words = ids.iter().all(|(id, _)| id.0 <= u128::from(u64::MAX));
    let greatest = ids.iter().map(|(_, time)| time.0).max().unwrap_or(i64::MIN);
    let mut bytes = Vec::with_capacity(HEAD_BYTES + ids.len() * (16 + VARINT_BYTES_MAX));
    bytes.push(if are_words { WORDS } else { HASHES });
    bytes.extend_from_slice(&greatest.to_le_bytes());
    bytes.extend_from_slice(&(ids.len() as u32).to_le_bytes());
    let mut before = 0;
    for (id, _) in ids {
        if are_words {
            push_step(&mut bytes, &mut before, id.0 as u64);
        } else {
            bytes.extend_from_slice(&id.0.to_le_bytes());
        }
    }
    let mut before = 0;
    for (_, time) in ids {
        push_step(&mut bytes, &mut before, time.0 as u64);
    }
    bytes.shrink_to_fit();
    bytes
}

/// The ids of a record, whether it is a chunk or of one id; `None` when it is damaged.
pub(crate) fn unpack(key: &Key, bytes: &[u8]) -> Option<Vec<(IdHash, EventTime)>> {
    if let Ok(id) = key.as_bytes().try_into() {
        let time = i64::from_le_bytes(bytes.try_into().ok()?);
        return Some(vec![(IdHash(u128::from_le_bytes(id)), EventTime(time))]);
    }
    let Head { form, count, mut rest, .. } = read_head(key, bytes)?;
    let mut ids = Vec::with_capacity(count);
    match form {
        WORDS => {
            let mut id = 0;
            for _ in 0..count {
                id = step_from(&mut rest, id)?;
                ids.push((IdHash(u128::from(id)), EventTime(0)));
            }
        }
        HASHES => {
            for _ in 0..count {
                let (id, after) = rest.split_first_chunk()?;
                ids.push((IdHash(u128::from_le_bytes(*id)), EventTime(0)));
                rest = after;
            }
        }
        _ => return None,
    }
    let mut time = 0;
    for (_, at) in &mut ids {
        time = step_from(&mut rest, time)?;
        *at = EventTime(time as i64);
    }
    rest.is_empty().then_some(ids)
}

/// The record without the ids behind the watermark; `None` when none is left. A damaged one stays
/// as it is, to be reported by who reads it back.
pub(crate) fn without_old(key: &Key, bytes: Vec<u8>, watermark: EventTime) -> Option<Vec<u8>> {
    if read_head(key, &bytes).is_some_and(|head| head.greatest < watermark) {
        return None;
    }
    let Some(mut ids) = unpack(key, &bytes) else { return Some(bytes) };
    let all = ids.len();
    ids.retain(|(_, time)| *time >= watermark);
    match ids.len() {
        0 => None,
        left if left == all => Some(bytes),
        _ => Some(pack(&ids)),
    }
}

struct Head<'a> {
    form: u8,
    greatest: EventTime,
    count: usize,
    rest: &'a [u8],
}

fn read_head<'a>(key: &Key, bytes: &'a [u8]) -> Option<Head<'a>> {
    let (head, rest) = bytes.split_first_chunk::<HEAD_BYTES>()?;
    let greatest = EventTime(i64::from_le_bytes(head[1..9].try_into().ok()?));
    let count = u32::from_le_bytes(head[9..].try_into().ok()?) as usize;
    let is_chunk = key.as_bytes().len() == size_of::<u64>() && count <= IDS_MAX;
    is_chunk.then_some(Head { form: head[0], greatest, count, rest })
}

#[inline]
fn push_step(bytes: &mut Vec<u8>, before: &mut u64, value: u64) {
    let step = value.wrapping_sub(*before) as i64;
    *before = value;
    let mut left = (step << 1 ^ step >> 63) as u64;
    while left >= 0x80 {
        bytes.push(left as u8 | 0x80);
        left >>= 7;
    }
    bytes.push(left as u8);
}

#[inline]
fn step_from(rest: &mut &[u8], before: u64) -> Option<u64> {
    let mut zigzag = 0;
    for place in 0..VARINT_BYTES_MAX {
        let (byte, after) = rest.split_first()?;
        *rest = after;
        zigzag |= u64::from(byte & 0x7f) << (7 * place);
        if *byte < 0x80 {
            let step = (zigzag >> 1) as i64 ^ -((zigzag & 1) as i64);
            return Some(before.wrapping_add(step as u64));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(of: &[(u128, i64)]) -> Vec<(IdHash, EventTime)> {
        of.iter().map(|(id, time)| (IdHash(*id), EventTime(*time))).collect()
    }

    #[test]
    fn what_is_packed_is_unpacked() {
        let word = u128::from(u64::MAX);
        let extremes = [(0, i64::MAX), (word, i64::MIN), (1, 0), (word / 2, -1), (word / 2 + 1, 7)];
        let hashes = [(u128::MAX, i64::MIN), (0, i64::MAX), (1 << 64, 3)];
        for of in [&[][..], &extremes, &hashes] {
            let ids = ids(of);
            assert_eq!(unpack(&key(7), &pack(&ids)), Some(ids));
        }
    }

    #[test]
    fn ids_in_order_take_a_few_bytes() {
        let ids: Vec<_> =
            (0..4_096).map(|n| (IdHash(1 << 40 | n), EventTime(n as i64 * 1_000))).collect();
        let bytes = pack(&ids);
        assert!(bytes.len() < 4 * ids.len(), "{} bytes", bytes.len());
        assert_eq!(unpack(&key(0), &bytes), Some(ids));
    }

    #[test]
    fn a_record_of_one_id_is_still_read() {
        let old = Key::from_bytes(&(5u128 << 70).to_le_bytes());
        let bytes = 9i64.to_le_bytes();
        assert_eq!(unpack(&old, &bytes), Some(ids(&[(5 << 70, 9)])));
        assert_eq!(without_old(&old, bytes.to_vec(), EventTime(9)), Some(bytes.to_vec()));
        assert_eq!(without_old(&old, bytes.to_vec(), EventTime(10)), None);
        assert_eq!(unpack(&old, &bytes[1..]), None);
    }

    #[test]
    fn only_what_still_matters_is_carried_over() {
        let bytes = pack(&ids(&[(1, 10), (2, 30), (3, 20)]));
        assert_eq!(without_old(&key(0), bytes.clone(), EventTime(10)), Some(bytes.clone()));
        assert_eq!(
            without_old(&key(0), bytes.clone(), EventTime(20)),
            Some(pack(&ids(&[(2, 30), (3, 20)])))
        );
        assert_eq!(without_old(&key(0), bytes.clone(), EventTime(31)), None);
        // It is for a recovery to say that a chunk is damaged.
        let damaged = bytes[..bytes.len() - 1].to_vec();
        assert_eq!(without_old(&key(0), damaged.clone(), EventTime(20)), Some(damaged));
    }

    #[test]
    fn what_is_cut_off_added_or_of_another_form_is_damaged() {
        for of in [&[(1, 10), (2, 30)][..], &[(1 << 90, 10), (2, 30)]] {
            let whole = pack(&ids(of));
            for end in 0..whole.len() {
                assert_eq!(unpack(&key(0), &whole[..end]), None, "{end} bytes");
            }
            let longer = [whole.as_slice(), &[0]].concat();
            assert_eq!(unpack(&key(0), &longer), None);
            let mut other = whole.clone();
            other[0] = 9;
            assert_eq!(unpack(&key(0), &other), None);
            let mut many = whole.clone();
            many[9..13].copy_from_slice(&u32::MAX.to_le_bytes());
            assert_eq!(unpack(&key(0), &many), None);
            assert_eq!(unpack(&Key::from_bytes(&[1, 2, 3]), &whole), None);
        }
    }
}
