//! A payment as the rules make it, before it has an id and its place in time.

use crate::cents::Cents;
use crate::clock::Offset;
use crate::country::Country;
use crate::history::Kind;
use crate::id::{BinId, MerchantId};

/// A card, device or address by its number in the world's own books: numbers of cards that exist
/// come first, numbers handed out by [`Fresh`] after them. They are renumbered at the end, so that
/// no number tells who is behind it.
pub(crate) type Source = u32;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Draft {
    pub at: Offset,
    pub card: Source,
    pub device: Source,
    pub ip: Source,
    pub amount: Cents,
    pub merchant: MerchantId,
    pub bin: BinId,
    pub card_country: Country,
    pub ip_country: Country,
    pub kind: Kind,
    pub approved: bool,
}

/// Hands out cards, devices and addresses that nobody has used, and never the same twice.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fresh {
    pub cards: u32,
    pub devices: u32,
    pub ips: u32,
}

impl Fresh {
    pub fn card(&mut self) -> Source {
        take(&mut self.cards, 1)
    }

    pub fn device(&mut self) -> Source {
        take(&mut self.devices, 1)
    }

    pub fn ip(&mut self) -> Source {
        take(&mut self.ips, 1)
    }

    /// The first of so many addresses in a row.
    pub fn ip_range(&mut self, count: u32) -> Source {
        take(&mut self.ips, count)
    }
}

fn take(next: &mut u32, count: u32) -> Source {
    let first = *next;
    *next += count;
    first
}
