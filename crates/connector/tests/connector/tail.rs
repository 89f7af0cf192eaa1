use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use millrace_connector::{
    Error, FileChange, FileOptions, Limits, Position, Reason, Resumed, TailSource, Tailed,
};
use millrace_event::Type;
use tempfile::TempDir;

use crate::rows::schema_with;

struct Growing {
    _folder: TempDir,
    path: PathBuf,
    source: TailSource,
}

fn growing(start: &str, options: &FileOptions) -> Growing {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.ndjson");
    fs::write(&path, start).unwrap();
    let source = TailSource::open(&path, schema_with("x?", Type::Int), options).unwrap();
    Growing { _folder: folder, path, source }
}

fn append(path: &Path, text: &str) {
    OpenOptions::new().append(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
}

fn event(id: usize) -> String {
    format!("{{\"id\":{id},\"at\":1}}\n")
}

fn ids(tailed: &Tailed) -> Vec<i64> {
    tailed.decoded.batch.columns[0].as_words().to_vec()
}

#[test]
fn an_unfinished_line_waits_for_its_end() {
    let mut file = growing(&event(1), &FileOptions::default());
    let first = file.source.poll(10).unwrap();
    assert_eq!((ids(&first), first.caught_up), (vec![1], true));
    append(&file.path, "{\"id\":2,");
    let half = file.source.poll(10).unwrap();
    assert_eq!((half.decoded.records(), half.caught_up), (0, true));
    assert_eq!(half.decoded.position, first.decoded.position, "the line is still to come");
    append(&file.path, "\"at\":1}\n{\"id\":3,\"at\":1}\n{");
    assert_eq!(ids(&file.source.poll(10).unwrap()), [2, 3]);
    assert_eq!(file.source.poll(10).unwrap().decoded.records(), 0);
}

#[test]
fn a_poll_takes_no_more_than_it_is_asked() {
    let text: String = (0..5).map(event).collect();
    let mut file = growing(&text, &FileOptions::default());
    let first = file.source.poll(2).unwrap();
    assert_eq!((ids(&first), first.caught_up), (vec![0, 1], false));
    assert_eq!(ids(&file.source.poll(2).unwrap()), [2, 3]);
    let last = file.source.poll(2).unwrap();
    assert_eq!((ids(&last), last.caught_up), (vec![4], true));
}

#[test]
fn a_file_is_followed_from_where_it_was_left() {
    let mut file = growing(&(event(1) + &event(2)), &FileOptions::default());
    let position = file.source.poll(1).unwrap().decoded.position;
    assert_eq!(position, Position::Line { line: 2, byte: event(1).len() as u64 });
    let options = FileOptions { resume: Some(position), ..FileOptions::default() };
    let schema = schema_with("x?", Type::Int);
    let mut again = TailSource::open(&file.path, schema, &options).unwrap();
    assert_eq!(ids(&again.poll(10).unwrap()), [2]);
}

#[test]
fn a_truncated_file_is_read_again_from_its_start() {
    let mut file = growing(&(event(1) + "{\"id\":2"), &FileOptions::default());
    assert_eq!(ids(&file.source.poll(10).unwrap()), [1]);
    OpenOptions::new().write(true).open(&file.path).unwrap().set_len(0).unwrap();
    let cut = file.source.poll(10).unwrap();
    assert_eq!(cut.change, Some(FileChange::Truncated));
    let letter = &cut.decoded.dead[0];
    assert_eq!((letter.reason, &letter.bytes[..]), (Reason::CutOff, b"{\"id\":2".as_slice()));
    assert_eq!(letter.position, Position::Line { line: 2, byte: event(1).len() as u64 });
    assert_eq!(file.source.position(), Position::START);
    append(&file.path, &event(3));
    let next = file.source.poll(10).unwrap();
    assert_eq!((ids(&next), next.change), (vec![3], None));
}

#[test]
fn a_rotated_file_is_read_to_its_end_before_the_new_one() {
    let mut file = growing(&event(1), &FileOptions::default());
    assert_eq!(ids(&file.source.poll(10).unwrap()), [1]);
    // The writer goes on with the old file until it notices, and leaves its last line open.
    let mut old = OpenOptions::new().append(true).open(&file.path).unwrap();
    fs::rename(&file.path, file.path.with_extension("1")).unwrap();
    assert_eq!(file.source.poll(10).unwrap().change, None, "nothing has the name");
    fs::write(&file.path, event(4)).unwrap();
    old.write_all(event(2).as_bytes()).unwrap();
    let late = file.source.poll(10).unwrap();
    assert_eq!((ids(&late), late.change, late.caught_up), (vec![2], None, false));
    old.write_all(event(3).trim_end().as_bytes()).unwrap();
    let last = file.source.poll(10).unwrap();
    assert_eq!((ids(&last), last.change), (vec![3], Some(FileChange::Rotated)));
    assert_eq!(file.source.position(), Position::START);
    assert_eq!(ids(&file.source.poll(10).unwrap()), [4]);
}

/// Polls until nothing is left; the ids in the order in which they came.
fn all_ids(source: &mut TailSource) -> Vec<i64> {
    let mut all = Vec::new();
    loop {
        let tailed = source.poll(2).unwrap();
        assert_eq!(tailed.decoded.dead, []);
        all.extend(ids(&tailed));
        if tailed.caught_up {
            return all;
        }
    }
}

fn events(range: std::ops::Range<usize>) -> String {
    range.map(event).collect()
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    PathBuf::from(format!("{}{suffix}", path.display()))
}

/// As `logrotate` does it with `copytruncate`.
fn copy_and_truncate(path: &Path) {
    fs::copy(path, beside(path, ".1")).unwrap();
    OpenOptions::new().write(true).open(path).unwrap().set_len(0).unwrap();
}

#[test]
fn a_writer_that_still_holds_the_old_file_loses_nothing() {
    let mut file = growing(&events(0..2), &FileOptions::default());
    assert_eq!(all_ids(&mut file.source), [0, 1]);
    let mut old = OpenOptions::new().append(true).open(&file.path).unwrap();
    fs::rename(&file.path, beside(&file.path, ".1")).unwrap();
    File::create(&file.path).unwrap();
    for _ in 0..3 {
        // The new file is empty, so that the old one is still watched.
        assert_eq!(all_ids(&mut file.source).len(), 0);
    }
    old.write_all(event(2).as_bytes()).unwrap();
    append(&file.path, &event(3));
    assert_eq!(all_ids(&mut file.source), [2, 3]);
}

#[test]
fn files_that_were_rotated_twice_between_two_polls_are_all_read() {
    let mut file = growing(&events(0..3), &FileOptions::default());
    assert_eq!(ids(&file.source.poll(1).unwrap()), [0]);
    fs::rename(&file.path, beside(&file.path, ".1")).unwrap();
    for n in 1..4 {
        fs::write(&file.path, events(10 * n..10 * n + 3)).unwrap();
        if n < 3 {
            fs::rename(beside(&file.path, ".1"), beside(&file.path, ".2")).unwrap();
            fs::rename(&file.path, beside(&file.path, ".1")).unwrap();
        }
        if n == 1 {
            fs::rename(beside(&file.path, ".2"), beside(&file.path, ".3")).unwrap();
        }
    }
    assert_eq!(all_ids(&mut file.source), [1, 2, 10, 11, 12, 20, 21, 22, 30, 31, 32]);
}

#[test]
fn a_writer_that_rotates_all_the_time_loses_no_line() {
    const LINES: usize = 4_500;
    let mut file = growing("", &FileOptions::default());
    let path = file.path.clone();
    let writer = std::thread::spawn(move || {
        for round in 0..LINES / 30 {
            let start = 30 * round;
            let mut old = OpenOptions::new().append(true).open(&path).unwrap();
            old.write_all(events(start..start + 20).as_bytes()).unwrap();
            for n in (1..=round).rev() {
                let name = |n: usize| beside(&path, &format!(".{n}"));
                fs::rename(name(n), name(n + 1)).unwrap();
            }
            fs::rename(&path, beside(&path, ".1")).unwrap();
            File::create(&path).unwrap();
            // It has not noticed yet.
            old.write_all(events(start + 20..start + 30).as_bytes()).unwrap();
            std::thread::sleep(std::time::Duration::from_micros(start as u64 % 700));
        }
    });
    let mut all = Vec::new();
    loop {
        let is_last = writer.is_finished();
        let found = all_ids(&mut file.source);
        if is_last && found.is_empty() {
            break;
        }
        all.extend(found);
    }
    writer.join().unwrap();
    let lost: Vec<i64> = (0..LINES as i64).filter(|id| !all.contains(id)).collect();
    assert_eq!(lost, [0; 0]);
    assert!(all.iter().copied().eq(0..LINES as i64), "{} lines", all.len());
}

#[test]
fn a_copied_and_truncated_file_is_read_to_the_end_of_the_copy() {
    let mut file = growing(&events(0..2), &FileOptions::default());
    assert_eq!(all_ids(&mut file.source), [0, 1]);
    append(&file.path, &(event(2) + &event(3)));
    copy_and_truncate(&file.path);
    append(&file.path, &event(4));
    assert_eq!(all_ids(&mut file.source), [2, 3, 4]);
}

#[test]
fn a_file_that_is_cut_and_grown_beyond_its_old_end_is_told_from_one_that_grew() {
    let mut file = growing(&events(0..3), &FileOptions::default());
    assert_eq!(all_ids(&mut file.source), [0, 1, 2]);
    fs::write(&file.path, events(10..20)).unwrap();
    assert_eq!(all_ids(&mut file.source), (10..20).collect::<Vec<_>>());
}

/// Leaves the file behind its second event, changes it, and opens it again.
fn left_and_changed(change: impl FnOnce(&Path)) -> (Vec<i64>, Resumed) {
    let mut file = growing(&events(0..4), &FileOptions::default());
    let resume = Some(file.source.poll(2).unwrap().decoded.position);
    let left_in = Some(file.source.mark().to_string().parse().unwrap());
    drop(file.source);
    change(&file.path);
    let options = FileOptions { resume, left_in, ..FileOptions::default() };
    let schema = schema_with("x?", Type::Int);
    let mut again = TailSource::open(&file.path, schema, &options).unwrap();
    let resumed = match again.resumed() {
        Resumed::Moved(path) => Resumed::Moved(path.file_name().unwrap().into()),
        Resumed::AsAsked | Resumed::Gone => again.resumed().clone(),
    };
    (all_ids(&mut again), resumed)
}

#[test]
fn a_file_that_was_renamed_while_nobody_read_it_is_finished_first() {
    let moved = |name: &str| Resumed::Moved(format!("events.ndjson{name}").into());
    for suffix in [".1", "-20260131", ".kept"] {
        let found = left_and_changed(|path| {
            fs::rename(path, beside(path, suffix)).unwrap();
            fs::write(path, events(10..16)).unwrap();
        });
        assert_eq!(found, (vec![2, 3, 10, 11, 12, 13, 14, 15], moved(suffix)));
    }
    let found = left_and_changed(|path| {
        fs::rename(path, beside(path, ".2")).unwrap();
        fs::write(beside(path, ".1"), events(10..12)).unwrap();
        fs::write(path, events(20..22)).unwrap();
    });
    assert_eq!(found, (vec![2, 3, 10, 11, 20, 21], moved(".2")));
    let found = left_and_changed(|path| {
        copy_and_truncate(path);
        append(path, &events(10..16));
    });
    assert_eq!(found, (vec![2, 3, 10, 11, 12, 13, 14, 15], moved(".1")));
}

#[test]
fn a_file_that_is_gone_is_told_from_one_that_grew_or_was_restored() {
    let gone = |change: fn(&Path)| left_and_changed(change);
    let found = gone(|path| fs::write(path, events(10..16)).unwrap());
    assert_eq!(found, (vec![10, 11, 12, 13, 14, 15], Resumed::Gone));
    let found = gone(|path| fs::write(path, event(7)).unwrap());
    assert_eq!(found, (vec![7], Resumed::Gone));
    let found = gone(|path| append(path, &event(4)));
    assert_eq!(found, (vec![2, 3, 4], Resumed::AsAsked));
    let restored = gone(|path| {
        fs::copy(path, beside(path, ".copy")).unwrap();
        fs::remove_file(path).unwrap();
        fs::rename(beside(path, ".copy"), path).unwrap();
    });
    assert_eq!(restored, (vec![2, 3], Resumed::AsAsked));
}

#[test]
fn a_position_without_a_mark_is_used_if_the_file_reaches_as_far() {
    let file = growing(&events(0..2), &FileOptions::default());
    let at = |byte| {
        let resume = Some(Position::Line { line: 2, byte });
        let options = FileOptions { resume, ..FileOptions::default() };
        TailSource::open(&file.path, schema_with("x?", Type::Int), &options).unwrap()
    };
    let mut known = at(event(0).len() as u64);
    assert_eq!((known.resumed().clone(), all_ids(&mut known)), (Resumed::AsAsked, vec![1]));
    let mut beyond = at(10_000);
    assert_eq!((beyond.resumed().clone(), all_ids(&mut beyond)), (Resumed::Gone, vec![0, 1]));
}

#[test]
fn a_pipe_is_refused_and_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.ndjson");
    let made = std::process::Command::new("mkfifo").arg(&path).status().unwrap();
    assert!(made.success());
    let schema = schema_with("x?", Type::Int);
    let refused = TailSource::open(&path, schema, &FileOptions::default()).unwrap_err();
    assert!(refused.to_string().contains("this is no file"), "{refused}");
}

#[test]
fn an_endless_line_is_counted_and_not_kept() {
    let limits = Limits { record_bytes: 100, kept_bytes: 10, ..Limits::default() };
    let options = FileOptions { limits, ..FileOptions::default() };
    let mut file = growing(&event(1), &options);
    assert_eq!(ids(&file.source.poll(10).unwrap()), [1]);
    for _ in 0..3 {
        append(&file.path, &"y".repeat(400_000));
        assert_eq!(file.source.poll(10).unwrap().decoded.records(), 0);
    }
    assert_eq!(file.source.position(), Position::Line { line: 2, byte: event(1).len() as u64 });
    append(&file.path, &("\n".to_owned() + &event(2)));
    let end = file.source.poll(10).unwrap();
    assert_eq!(ids(&end), [2]);
    let letter = &end.decoded.dead[0];
    assert_eq!((letter.reason, letter.bytes_total), (Reason::RecordTooLarge, 1_200_000));
    assert_eq!(letter.bytes, b"yyyyyyyyyy");
}

#[test]
fn only_lines_of_json_are_followed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.csv");
    File::create(&path).unwrap();
    let schema = schema_with("x?", Type::Int);
    let refused = TailSource::open(&path, schema, &FileOptions::default());
    assert!(matches!(refused, Err(Error::NotTailed { .. })));
}
