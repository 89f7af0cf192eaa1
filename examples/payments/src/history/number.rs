use millrace_event::EventTime;

use crate::draft::{Fresh, Source};

/// Numbers in the order of first appearance, without gaps. So a number tells when somebody first
/// came, which is no secret, and not whether the rules made them up for a fraud.
#[derive(Clone, Debug)]
pub(crate) struct Numbers {
    pub cards: Numbering,
    pub devices: Numbering,
    pub ips: Numbering,
}

impl Numbers {
    /// For all that were handed out.
    pub fn new(fresh: &Fresh) -> Numbers {
        Numbers {
            cards: Numbering::new(fresh.cards),
            devices: Numbering::new(fresh.devices),
            ips: Numbering::new(fresh.ips),
        }
    }
}

/// From the numbers of the world's books to public ones.
#[derive(Clone, Debug)]
pub(crate) struct Numbering {
    public: Vec<Option<u32>>,
    /// By public number: when it first appeared.
    first_seen: Vec<EventTime>,
}

impl Numbering {
    fn new(sources: u32) -> Numbering {
        Numbering { public: vec![None; sources as usize], first_seen: Vec::new() }
    }

    /// The public number, and whether it is given out now.
    pub fn number(&mut self, source: Source, at: EventTime) -> (u32, bool) {
        let place = &mut self.public[source as usize];
        match *place {
            Some(number) => (number, false),
            None => {
                let number = self.first_seen.len() as u32;
                *place = Some(number);
                self.first_seen.push(at);
                (number, true)
            }
        }
    }

    /// The public number of somebody who was seen before this time.
    pub fn seen_before(&self, source: Source, at: EventTime) -> Option<u32> {
        let number = (*self.public.get(source as usize)?)?;
        (*self.first_seen.get(number as usize)? < at).then_some(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_follow_first_appearance() {
        let mut numbering = Numbering::new(3);
        assert_eq!(numbering.number(2, EventTime(10)), (0, true));
        assert_eq!(numbering.number(0, EventTime(20)), (1, true));
        assert_eq!(numbering.number(2, EventTime(30)), (0, false));
        assert_eq!(numbering.seen_before(0, EventTime(20)), None);
        assert_eq!(numbering.seen_before(0, EventTime(21)), Some(1));
        assert_eq!(numbering.seen_before(1, EventTime(99)), None);
        assert_eq!(numbering.seen_before(7, EventTime(99)), None);
    }
}
