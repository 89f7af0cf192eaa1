//! All files of a memory disk, their names, and the names that are not durable yet.

use std::collections::BTreeMap;
use std::io;

use super::Fault;
use super::inode::Inode;
use crate::{Folder, Name};

#[derive(Clone, Debug, Default)]
pub(super) struct World {
    pub inodes: Vec<Inode>,
    /// What the running process sees.
    names: BTreeMap<Name, usize>,
    /// What is durable.
    durable: BTreeMap<Name, usize>,
    /// What lies between, in order.
    pending: Vec<Change>,
    pub calls: u64,
    pub fault: Option<Fault>,
    pub dice: Dice,
}

#[derive(Clone, Debug)]
enum Change {
    Link(Name, usize),
    Unlink(Name),
    Rename { from: Name, to: Name, inode: usize },
}

impl Change {
    fn folder(&self) -> &Folder {
        match self {
            Change::Link(name, _) | Change::Unlink(name) => name.folder(),
            Change::Rename { to, .. } => to.folder(),
        }
    }

    fn apply(&self, names: &mut BTreeMap<Name, usize>) {
        match self {
            Change::Link(name, inode) => {
                names.insert(name.clone(), *inode);
            }
            Change::Unlink(name) => {
                names.remove(name);
            }
            Change::Rename { from, to, inode } => {
                names.remove(from);
                names.insert(to.clone(), *inode);
            }
        }
    }
}

/// Whether a call succeeds.
pub(super) enum Outcome {
    Succeed,
    Fail(io::ErrorKind),
    FailHalfDone(io::ErrorKind),
}

impl Outcome {
    pub fn check(self) -> Result<(), io::ErrorKind> {
        match self {
            Outcome::Succeed => Ok(()),
            Outcome::Fail(kind) | Outcome::FailHalfDone(kind) => Err(kind),
        }
    }
}

impl World {
    pub fn call(&mut self) -> Outcome {
        let number = self.calls;
        self.calls += 1;
        match self.fault {
            Some(fault) if number >= fault.first && number - fault.first < fault.calls => {
                if fault.half_done {
                    Outcome::FailHalfDone(fault.kind)
                } else {
                    Outcome::Fail(fault.kind)
                }
            }
            _ => Outcome::Succeed,
        }
    }

    pub fn find(&self, name: &Name) -> Option<usize> {
        self.names.get(name).copied()
    }

    pub fn inode(&self, name: &Name) -> Option<&Inode> {
        self.find(name).map(|inode| &self.inodes[inode])
    }

    pub fn inode_mut(&mut self, name: &Name) -> Option<&mut Inode> {
        self.find(name).map(|inode| &mut self.inodes[inode])
    }

    pub fn names(&self) -> impl Iterator<Item = &Name> {
        self.names.keys()
    }

    pub fn files(&self, folder: &Folder) -> Vec<String> {
        let inside = self.names.keys().filter(|name| name.folder() == folder);
        inside.map(|name| name.file().to_owned()).collect()
    }

    pub fn put(&mut self, name: &Name, content: &[u8]) {
        self.inodes.push(Inode::durable(content));
        let inode = self.inodes.len() - 1;
        self.names.insert(name.clone(), inode);
        self.durable.insert(name.clone(), inode);
    }

    pub fn create(&mut self, name: &Name) -> Result<usize, io::ErrorKind> {
        if self.names.contains_key(name) {
            return Err(io::ErrorKind::AlreadyExists);
        }
        self.inodes.push(Inode::default());
        let inode = self.inodes.len() - 1;
        self.change(Change::Link(name.clone(), inode));
        Ok(inode)
    }

    pub fn rename(&mut self, from: &Name, to: &Name) -> Result<(), io::ErrorKind> {
        let inode = self.find(from).ok_or(io::ErrorKind::NotFound)?;
        assert_eq!(from.folder(), to.folder(), "a file stays in its folder");
        self.change(Change::Rename { from: from.clone(), to: to.clone(), inode });
        Ok(())
    }

    pub fn remove(&mut self, name: &Name) -> Result<(), io::ErrorKind> {
        self.find(name).ok_or(io::ErrorKind::NotFound)?;
        self.change(Change::Unlink(name.clone()));
        Ok(())
    }

    fn change(&mut self, change: Change) {
        change.apply(&mut self.names);
        self.pending.push(change);
    }

    pub fn sync_folder(&mut self, folder: &Folder) {
        let (now, later) = std::mem::take(&mut self.pending)
            .into_iter()
            .partition::<Vec<_>, _>(|change| change.folder() == folder);
        now.iter().for_each(|change| change.apply(&mut self.durable));
        self.pending = later;
    }

    pub fn after_power_loss(&self, seed: u64) -> World {
        let mut dice = Dice(seed);
        let mut names = self.durable.clone();
        for change in &self.pending {
            if dice.below(2) == 0 {
                change.apply(&mut names);
            }
        }
        let inodes = self.inodes.iter().map(|inode| inode.after_power_loss(&mut dice)).collect();
        World { inodes, durable: names.clone(), names, calls: self.calls, dice, ..World::default() }
    }
}

/// A small generator of test randomness (SplitMix64, Steele, Lea and Flood 2014).
#[derive(Clone, Debug, Default)]
pub(super) struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number from 0 to `bound − 1`.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    pub fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[0]
    }
}
