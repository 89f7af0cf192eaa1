//! How fast bytes become durable and come back, beside what the file system does on its own.
//!
//! `cargo bench -p millrace-store -- FOLDER`; without a folder, in a temporary one. Every figure
//! of the store stands beside a plain write or read of as many bytes in the same run, because
//! disks and their neighbours differ from hour to hour.

#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
#![expect(clippy::print_stdout, reason = "a benchmark prints its result")]

use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use millrace_store::{
    Access, Checkpoints, CheckpointsConfig, FileDisk, LiveBytes, Log, LogConfig, LogName, Offset,
    Publication, Table,
};

type Outcome = Result<(), Box<dyn std::error::Error>>;

const BATCH: usize = 64 << 10;
const BATCHES: usize = 4_096;
const BLOCKS: u64 = 2_000_000;
const BLOCK: usize = 256;

fn main() -> Outcome {
    let temporary = tempfile::tempdir()?;
    let given = std::env::args().skip(1).find(|argument| !argument.starts_with("--"));
    let folder = given.map_or(temporary.path().to_owned(), PathBuf::from).join("throughput");
    std::fs::create_dir_all(&folder)?;
    let done = log(&folder).and_then(|()| checkpoint(&folder));
    std::fs::remove_dir_all(&folder)?;
    done
}

/// Runs the work and prints its rate.
fn timed<T, E>(what: &str, bytes: u64, work: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
    let start = Instant::now();
    let result = work();
    let seconds = start.elapsed().as_secs_f64();
    println!("{what:<48} {:>8.0} MB/s  {seconds:>7.3} s", bytes as f64 / 1e6 / seconds);
    result
}

fn log(folder: &Path) -> Outcome {
    let bytes = (BATCH * BATCHES) as u64;
    let batch = vec![0x5A; BATCH];
    // Records of about the size of an event; a batch is appended and synced at once.
    let records: Vec<&[u8]> = batch.chunks(256).collect();
    for syncs in [1, 64] {
        let what = format!("plain file: 64 KiB writes, {syncs} per fdatasync");
        timed(&what, bytes, || plain_writes(&folder.join("plain"), &batch, syncs))?;
        let root = folder.join(format!("log-{syncs}"));
        let disk = Arc::new(FileDisk::open(&root, Access::Owner)?);
        let (mut log, _) = Log::open(disk, &LogName::EVENTS, LogConfig::default(), Offset(0))?;
        let what = format!("log: 64 KiB batches of 256 records, {syncs} per sync");
        timed(&what, bytes, || {
            for n in 0..BATCHES {
                log.append(&records)?;
                if (n + 1) % syncs == 0 {
                    log.sync()?;
                }
            }
            log.sync()
        })?;
        let mut reader = log.reader(Offset(0))?;
        timed("log: read back", bytes, || -> Outcome {
            while reader.next_record()?.is_some() {}
            Ok(())
        })?;
    }
    Ok(())
}

fn plain_writes(path: &Path, batch: &[u8], syncs: usize) -> std::io::Result<()> {
    let mut file = File::create(path)?;
    for n in 0..BATCHES {
        file.write_all(batch)?;
        if (n + 1) % syncs == 0 {
            file.sync_data()?;
        }
    }
    file.sync_data()
}

fn checkpoint(folder: &Path) -> Outcome {
    let bytes = BLOCKS * BLOCK as u64;
    let root = folder.join("checkpoints");
    let config = CheckpointsConfig::default();
    {
        let disk = Arc::new(FileDisk::open(&root, Access::Owner)?);
        let (mut checkpoints, _) = Checkpoints::open(disk, config)?;
        let epoch = checkpoints.next_epoch();
        let (mut writer, mut live) = (checkpoints.begin(epoch)?, LiveBytes::default());
        let block = [0x33; BLOCK];
        let what = "checkpoint: put blocks of 256 B, finish, publish";
        timed(what, bytes, || -> Outcome {
            for key in 0..BLOCKS {
                live.add(writer.put(Table(1), &key.to_le_bytes(), &block)?);
            }
            let (segments, live) = (writer.finish()?, &live);
            let meta = Vec::new();
            checkpoints.publish(Publication { epoch, segments, retired: &[], live, meta })?;
            Ok(())
        })?;
    }
    timed("plain files: read back", bytes, || plain_reads(&root.join("checkpoints")))?;
    let disk = Arc::new(FileDisk::open(&root, Access::Owner)?);
    let open = || Checkpoints::open(disk, config);
    let (checkpoints, _) = timed("checkpoint: open and verify everything", bytes, open)?;
    let mut places = Vec::new();
    timed("checkpoint: read all records", bytes, || -> Outcome {
        let mut records = checkpoints.records();
        while let Some(record) = records.next_record()? {
            places.push(record.at);
        }
        Ok(())
    })?;
    let (reader, mut buffer) = (checkpoints.reader(), Vec::new());
    let reads = 500_000;
    let start = Instant::now();
    for n in 0..reads {
        let at = places[n * 7_919 % places.len()];
        reader.read(at, &mut buffer)?;
    }
    let micros = start.elapsed().as_secs_f64() * 1e6 / reads as f64;
    println!("checkpoint: one cached block at a location        {micros:>8.2} us");
    Ok(())
}

fn plain_reads(folder: &Path) -> std::io::Result<()> {
    let mut buffer = vec![0; 1 << 20];
    for entry in std::fs::read_dir(folder)? {
        let mut file = File::open(entry?.path())?;
        while file.read(&mut buffer)? > 0 {}
    }
    Ok(())
}
