use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use millrace_connector::{
    Error, FileChange, FileOptions, Limits, Position, Reason, TailSource, Tailed,
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
