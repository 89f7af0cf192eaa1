//! A disk that makes others wait, or is full in part.

use std::io::ErrorKind;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};

use millrace_store::{Appender, Disk, DiskError, Folder, MemoryDisk, Name, Operation, Readable};

/// A disk on which syncs wait while the gate is shut, and that has no room for checkpoints when
/// told so.
#[derive(Clone, Debug)]
pub struct Gated {
    pub disk: MemoryDisk,
    shut: Arc<(Mutex<bool>, Condvar)>,
    full: Arc<AtomicBool>,
}

impl Gated {
    pub fn new() -> Gated {
        Gated { disk: MemoryDisk::new(), shut: Arc::default(), full: Arc::default() }
    }

    pub fn set_shut(&self, shut: bool) {
        *self.shut.0.lock().unwrap() = shut;
        self.shut.1.notify_all();
    }

    /// From now on no checkpoint fits; the logs still do.
    pub fn fill_checkpoints(&self) {
        self.full.store(true, Ordering::Relaxed);
    }

    fn pass(&self) {
        let shut = self.shut.0.lock().unwrap();
        drop(self.shut.1.wait_while(shut, |shut| *shut).unwrap());
    }
}

#[derive(Debug)]
struct GatedFile(Box<dyn Appender>, Gated);

impl Appender for GatedFile {
    fn append(&mut self, bytes: &[u8]) -> Result<(), DiskError> {
        self.0.append(bytes)
    }

    fn sync(&mut self) -> Result<(), DiskError> {
        self.1.pass();
        self.0.sync()
    }
}

impl Disk for Gated {
    fn create_folder(&self, folder: &Folder) -> Result<(), DiskError> {
        self.disk.create_folder(folder)
    }
    fn list(&self, folder: &Folder) -> Result<Vec<String>, DiskError> {
        self.disk.list(folder)
    }
    fn create(&self, name: &Name) -> Result<Box<dyn Appender>, DiskError> {
        if *name.folder() == Folder::CHECKPOINTS && self.full.load(Ordering::Relaxed) {
            let (path, source) = (name.to_string(), ErrorKind::StorageFull.into());
            return Err(DiskError { operation: Operation::Create, path, source });
        }
        Ok(Box::new(GatedFile(self.disk.create(name)?, self.clone())))
    }
    fn append(&self, name: &Name) -> Result<Box<dyn Appender>, DiskError> {
        Ok(Box::new(GatedFile(self.disk.append(name)?, self.clone())))
    }
    fn open(&self, name: &Name) -> Result<Arc<dyn Readable>, DiskError> {
        self.disk.open(name)
    }
    fn rename(&self, from: &Name, to: &Name) -> Result<(), DiskError> {
        self.disk.rename(from, to)
    }
    fn remove(&self, name: &Name) -> Result<(), DiskError> {
        self.disk.remove(name)
    }
    fn truncate(&self, name: &Name, len: u64) -> Result<(), DiskError> {
        self.disk.truncate(name, len)
    }
    fn rewrite(&self, name: &Name, from: u64) -> Result<(), DiskError> {
        self.disk.rewrite(name, from)
    }
    fn sync_folder(&self, folder: &Folder) -> Result<(), DiskError> {
        self.disk.sync_folder(folder)
    }
    fn random(&self, bytes: &mut [u8]) -> Result<(), DiskError> {
        self.disk.random(bytes)
    }
}
