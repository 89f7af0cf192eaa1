//! Keys are recognised, bounded, and never stored.

use std::sync::Arc;

use millrace_event::EventTime;
use millrace_store::keys::{KEYS_MAX, LABEL_BYTES_MAX};
use millrace_store::{Disk, Keys, MemoryDisk, Name, StoreError};

fn keys(disk: &MemoryDisk) -> Keys {
    Keys::open(Arc::new(disk.clone())).unwrap()
}

#[test]
fn a_key_is_recognised_until_it_is_revoked() {
    let disk = MemoryDisk::new();
    let mut ours = keys(&disk);
    assert!(ours.verify("mr_").is_none());
    let key = ours.create("notebook", "risk", EventTime(1_767_225_600_000_000)).unwrap();
    let other = ours.create("server", "growth", EventTime(0)).unwrap();
    assert_eq!(key.reveal().len(), 3 + 64);
    assert_ne!(key.reveal(), other.reveal());

    let mut theirs = keys(&disk);
    let record = theirs.verify(key.reveal()).unwrap();
    assert_eq!((&*record.name, &*record.team), ("notebook", "risk"));
    assert_eq!(record.created, "2026-01-01T00:00:00Z");
    assert_eq!(theirs.verify(other.reveal()).unwrap().team, "growth");
    let mut wrong = key.reveal().to_owned();
    wrong.replace_range(10..11, if &wrong[10..11] == "0" { "1" } else { "0" });
    assert!(theirs.verify(&wrong).is_none());
    assert!(theirs.verify(&key.reveal().to_uppercase()).is_none());

    assert_eq!(ours.revoke("notebook").unwrap().team, "risk");
    assert!(ours.verify(key.reveal()).is_none());
    assert!(theirs.verify(key.reveal()).is_some(), "until it reads again");
    theirs.reload().unwrap();
    assert!(theirs.verify(key.reveal()).is_none());
    let names: Vec<&str> = theirs.list().iter().map(|record| &*record.name).collect();
    assert_eq!(names, ["server"]);
    assert!(matches!(ours.revoke("notebook"), Err(StoreError::NoSuchKey { .. })));
}

#[test]
fn the_key_is_neither_stored_nor_printed() {
    let disk = MemoryDisk::new();
    let mut keys = keys(&disk);
    let key = keys.create("notebook", "risk", EventTime(0)).unwrap();
    let secret = &key.reveal()[3..];
    for name in [Name::KEYS, Name::PEPPER] {
        let text = String::from_utf8(disk.content(&name).unwrap()).unwrap();
        assert!(!text.contains(secret));
    }
    let pepper = String::from_utf8(disk.content(&Name::PEPPER).unwrap()).unwrap();
    let printed = format!("{key:?} {keys:?}");
    assert!(!printed.contains(secret) && !printed.contains(pepper.trim()), "{printed}");
}

#[test]
fn a_record_that_was_changed_by_hand_is_refused() {
    let disk = MemoryDisk::new();
    keys(&disk).create("notebook", "risk", EventTime(0)).unwrap();
    let text = String::from_utf8(disk.content(&Name::KEYS).unwrap()).unwrap();
    disk.put(&Name::KEYS, text.replace("\"risk\"", "\"growth\"").as_bytes());
    let error = Keys::open(Arc::new(disk)).unwrap_err();
    assert!(matches!(error, StoreError::KeyChanged { .. }), "{error}");
}

#[test]
fn keys_without_their_pepper_are_an_error() {
    let disk = MemoryDisk::new();
    keys(&disk).create("notebook", "risk", EventTime(0)).unwrap();
    disk.remove(&Name::PEPPER).unwrap();
    let error = Keys::open(Arc::new(disk)).unwrap_err();
    assert!(error.to_string().starts_with("pepper cannot be read: it is missing"), "{error}");
}

#[test]
fn names_are_plain_unique_and_bounded() {
    let mut keys = keys(&MemoryDisk::new());
    let longest = "x".repeat(LABEL_BYTES_MAX);
    keys.create(&longest, &longest, EventTime(0)).unwrap();
    let error = keys.create(&longest, "risk", EventTime(0)).unwrap_err();
    assert!(matches!(error, StoreError::KeyExists { .. }), "{error}");
    for wrong in ["", "a b", "a\n", "é", &format!("{longest}x")] {
        for (name, team) in [(wrong, "risk"), ("name", wrong)] {
            let error = keys.create(name, team, EventTime(0)).unwrap_err();
            assert!(matches!(error, StoreError::KeyLabel { .. }), "{error}");
        }
    }
}

#[test]
fn there_is_a_limit_of_keys() {
    let disk = MemoryDisk::new();
    let mut one = keys(&disk);
    let first = one.create("k0", "risk", EventTime(0)).unwrap();
    for n in 1..KEYS_MAX {
        one.create(&format!("k{n}"), "risk", EventTime(0)).unwrap();
    }
    let error = one.create("one-more", "risk", EventTime(0)).unwrap_err();
    assert!(matches!(error, StoreError::TooManyKeys { limit: KEYS_MAX }), "{error}");
    assert_eq!(keys(&disk).verify(first.reveal()).unwrap().name, "k0");
}
