//! A disk in memory that can fail any call, lose power, and flip bits.
//!
//! It keeps apart what the running process sees and what would be there after a loss of power.
//! [`MemoryDisk::kill`] and [`MemoryDisk::power_loss`] make a second disk, as the next process
//! would find it, and leave the first one alone: a test may look at several ends of one story.
//!
//! A sync that is made to fail behaves like the worst kernels do: the unsynced bytes stay visible,
//! and no later sync makes them durable.

mod inode;
mod world;

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Appender, Disk, DiskError, Operation, Readable};
use crate::{Folder, Name};
use inode::Inode;
use world::{Outcome, World};

/// Which calls fail, and how.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fault {
    /// The first call that fails, counted from 0 over the life of the disk.
    pub first: u64,
    /// How many calls fail in a row.
    pub calls: u64,
    pub kind: io::ErrorKind,
    /// Whether a failing call has done part of its work: half of an append, all of a rename.
    pub half_done: bool,
}

/// A data directory in memory. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct MemoryDisk {
    world: Arc<Mutex<World>>,
}

impl MemoryDisk {
    pub fn new() -> MemoryDisk {
        MemoryDisk::default()
    }

    /// How many calls were made so far, failed ones included.
    pub fn calls(&self) -> u64 {
        self.world().calls
    }

    /// From now on these calls fail; `None` lets all succeed.
    pub fn set_fault(&self, fault: Option<Fault>) {
        self.world().fault = fault;
    }

    /// The disk as another process finds it after this one was killed: everything that was
    /// written is there, and what was not synced can still be lost with the power.
    #[must_use]
    pub fn kill(&self) -> MemoryDisk {
        let mut world = self.world().clone();
        world.fault = None;
        MemoryDisk { world: Arc::new(Mutex::new(world)) }
    }

    /// The disk after a loss of power: of everything that was not synced, the seed chooses what
    /// is left, down to sectors of 512 bytes and single names.
    #[must_use]
    pub fn power_loss(&self, seed: u64) -> MemoryDisk {
        MemoryDisk { world: Arc::new(Mutex::new(self.world().after_power_loss(seed))) }
    }

    /// Changes one bit of a file, as a failing disk would.
    ///
    /// # Panics
    /// When there is no such file or bit.
    pub fn flip_bit(&self, name: &Name, bit: u64) {
        let mut world = self.world();
        let inode = world.inode_mut(name).expect("only bits of existing files are flipped");
        inode.flip_bit(bit);
    }

    /// The content of a file, as the running process sees it.
    pub fn content(&self, name: &Name) -> Option<Vec<u8>> {
        self.world().inode(name).map(|inode| inode.data().to_vec())
    }

    /// The names of all files.
    pub fn names(&self) -> Vec<Name> {
        self.world().names().cloned().collect()
    }

    /// Puts a file there, durably.
    pub fn put(&self, name: &Name, content: &[u8]) {
        self.world().put(name, content);
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts the call and finds out whether it fails.
    fn call(
        &self,
        operation: Operation,
        path: &dyn std::fmt::Display,
    ) -> (MutexGuard<'_, World>, Outcome, impl Fn(io::ErrorKind) -> DiskError) {
        let mut world = self.world();
        let outcome = world.call();
        let path = format!("memory:{path}");
        let error = move |kind: io::ErrorKind| DiskError {
            operation,
            path: path.clone(),
            source: kind.into(),
        };
        (world, outcome, error)
    }

    /// A call whose whole work is one change, which a failing call may have done nevertheless.
    fn change(
        &self,
        operation: Operation,
        name: &dyn std::fmt::Display,
        work: impl FnOnce(&mut World) -> Result<(), io::ErrorKind>,
    ) -> Result<(), DiskError> {
        let (mut world, outcome, error) = self.call(operation, name);
        match outcome {
            Outcome::Succeed => work(&mut world).map_err(error),
            Outcome::Fail(kind) => Err(error(kind)),
            Outcome::FailHalfDone(kind) => {
                let _ = work(&mut world);
                Err(error(kind))
            }
        }
    }

    fn file(&self, name: &Name, inode: usize) -> MemoryFile {
        MemoryFile { disk: self.clone(), name: name.clone(), inode }
    }
}

impl Disk for MemoryDisk {
    fn create_folder(&self, folder: &Folder) -> Result<(), DiskError> {
        // Folders need no memory of their own: a file's name holds its folder.
        self.change(Operation::CreateFolder, folder, |_| Ok(()))
    }

    fn list(&self, folder: &Folder) -> Result<Vec<String>, DiskError> {
        let (world, outcome, error) = self.call(Operation::List, folder);
        outcome.check().map_err(error)?;
        Ok(world.files(folder))
    }

    fn create(&self, name: &Name) -> Result<Box<dyn Appender>, DiskError> {
        let mut inode = None;
        self.change(Operation::Create, name, |world| {
            inode = Some(world.create(name)?);
            Ok(())
        })?;
        let inode = inode.expect("a change that succeeded did its work");
        Ok(Box::new(self.file(name, inode)))
    }

    fn append(&self, name: &Name) -> Result<Box<dyn Appender>, DiskError> {
        let (world, outcome, error) = self.call(Operation::Open, name);
        outcome.check().map_err(&error)?;
        let inode = world.find(name).ok_or_else(|| error(io::ErrorKind::NotFound))?;
        Ok(Box::new(self.file(name, inode)))
    }

    fn open(&self, name: &Name) -> Result<Arc<dyn Readable>, DiskError> {
        let (world, outcome, error) = self.call(Operation::Open, name);
        outcome.check().map_err(&error)?;
        let inode = world.find(name).ok_or_else(|| error(io::ErrorKind::NotFound))?;
        Ok(Arc::new(self.file(name, inode)))
    }

    fn rename(&self, from: &Name, to: &Name) -> Result<(), DiskError> {
        self.change(Operation::Rename, from, |world| world.rename(from, to))
    }

    fn remove(&self, name: &Name) -> Result<(), DiskError> {
        self.change(Operation::Remove, name, |world| world.remove(name))
    }

    fn truncate(&self, name: &Name, len: u64) -> Result<(), DiskError> {
        self.change(Operation::Truncate, name, |world| {
            let inode = world.inode_mut(name).ok_or(io::ErrorKind::NotFound)?;
            inode.truncate(usize::try_from(len).unwrap_or(usize::MAX));
            Ok(())
        })
    }

    fn rewrite(&self, name: &Name, from: u64) -> Result<(), DiskError> {
        self.change(Operation::Rewrite, name, |world| {
            let inode = world.inode_mut(name).ok_or(io::ErrorKind::NotFound)?;
            inode.rewrite(usize::try_from(from).unwrap_or(usize::MAX));
            Ok(())
        })
    }

    fn sync_folder(&self, folder: &Folder) -> Result<(), DiskError> {
        self.change(Operation::SyncFolder, folder, |world| {
            world.sync_folder(folder);
            Ok(())
        })
    }

    /// The same bytes in every run: a test that fails fails again.
    fn random(&self, bytes: &mut [u8]) -> Result<(), DiskError> {
        let (mut world, outcome, error) = self.call(Operation::Random, &"random");
        outcome.check().map_err(error)?;
        bytes.iter_mut().for_each(|byte| *byte = world.dice.byte());
        Ok(())
    }
}

#[derive(Debug)]
struct MemoryFile {
    disk: MemoryDisk,
    name: Name,
    inode: usize,
}

impl Appender for MemoryFile {
    fn append(&mut self, bytes: &[u8]) -> Result<(), DiskError> {
        let (mut world, outcome, error) = self.disk.call(Operation::Append, &self.name);
        let inode = &mut world.inodes[self.inode];
        match outcome {
            Outcome::Succeed => inode.append(bytes),
            Outcome::Fail(kind) => return Err(error(kind)),
            Outcome::FailHalfDone(kind) => {
                inode.append(&bytes[..bytes.len() / 2]);
                return Err(error(kind));
            }
        }
        Ok(())
    }

    fn sync(&mut self) -> Result<(), DiskError> {
        let (mut world, outcome, error) = self.disk.call(Operation::Sync, &self.name);
        let inode = &mut world.inodes[self.inode];
        match outcome {
            Outcome::Succeed => inode.sync(),
            Outcome::Fail(kind) => {
                inode.lose_unsynced();
                return Err(error(kind));
            }
            Outcome::FailHalfDone(kind) => {
                inode.sync();
                return Err(error(kind));
            }
        }
        Ok(())
    }
}

impl MemoryFile {
    fn read<T>(
        &self,
        operation: Operation,
        work: impl FnOnce(&Inode) -> T,
    ) -> Result<T, DiskError> {
        let (world, outcome, error) = self.disk.call(operation, &self.name);
        outcome.check().map_err(error)?;
        Ok(work(&world.inodes[self.inode]))
    }
}

impl Readable for MemoryFile {
    fn len(&self) -> Result<u64, DiskError> {
        self.read(Operation::Length, |inode| inode.data().len() as u64)
    }

    fn read_at(&self, position: u64, into: &mut [u8]) -> Result<usize, DiskError> {
        self.read(Operation::Read, |inode| {
            let start = usize::try_from(position).unwrap_or(usize::MAX);
            let rest = inode.data().get(start..).unwrap_or(&[]);
            let count = rest.len().min(into.len());
            into[..count].copy_from_slice(&rest[..count]);
            count
        })
    }
}
