//! The inbox: what callers ask of the engine thread, bounded in number and in bytes.
//!
//! ```text
//!   control ─▶ ▮           taken before all else: it must come through when nothing else can
//!   reads   ─▶ ▮▮          taken first while deliveries pile up, so that a read does not wait
//!   events  ─▶ ▮▮▮▮▮▮▮     for a backlog; deliveries get every so-many-th turn all the same
//! ```
//!
//! While few deliveries wait, these and reads are handled in the order of their arrival, so that
//! who hands an event over and then reads sees it.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::owner::{Lane, Message};

/// Bytes of events that may wait; a single larger delivery may wait alone.
pub(super) const EVENT_BYTES_MAX: usize = 256 << 20;
/// Reads overtake deliveries when more than this many wait.
const IN_ORDER_MAX: usize = 64;
/// Reads that are answered in a row while deliveries wait.
const READS_IN_A_ROW: usize = 32;

/// Why a message was not taken, which is given back.
pub(super) enum Refused {
    Full(Message),
    /// The engine is gone.
    Closed(Message),
}

/// What the engine thread finds.
pub(super) enum Next {
    Message(Message),
    Nothing,
    /// No handle is left and nothing waits.
    Abandoned,
}

pub(super) struct Inbox {
    lanes: Mutex<Lanes>,
    /// Something came in, or the last handle went away.
    arrived: Condvar,
    /// A delivery was taken out, or the engine is gone.
    room: Condvar,
    /// Messages per lane.
    messages_max: usize,
}

#[derive(Default)]
struct Lanes {
    control: VecDeque<Message>,
    reads: VecDeque<(u64, Message)>,
    events: VecDeque<(u64, usize, Message)>,
    event_bytes: usize,
    /// Numbers messages in the order of their arrival.
    arrivals: u64,
    reads_in_a_row: usize,
    closed: bool,
    abandoned: bool,
}

impl std::fmt::Debug for Inbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inbox").field("messages_max", &self.messages_max).finish_non_exhaustive()
    }
}

impl Inbox {
    pub(super) fn new(messages_max: usize) -> Inbox {
        Inbox {
            lanes: Mutex::default(),
            arrived: Condvar::new(),
            room: Condvar::new(),
            messages_max: messages_max.max(1),
        }
    }

    /// Puts a message into its lane.
    pub(super) fn offer(&self, message: Message) -> Result<(), Refused> {
        let mut lanes = self.lanes();
        if lanes.closed {
            return Err(Refused::Closed(message));
        }
        if !lanes.has_room(&message, self.messages_max) {
            return Err(Refused::Full(message));
        }
        lanes.push(message);
        drop(lanes);
        self.arrived.notify_one();
        Ok(())
    }

    /// As [`Inbox::offer`], but waits for room.
    pub(super) fn put(&self, message: Message) -> Result<(), Message> {
        let mut lanes = self.lanes();
        while !lanes.closed && !lanes.has_room(&message, self.messages_max) {
            lanes = self.room.wait(lanes).unwrap_or_else(PoisonError::into_inner);
        }
        if lanes.closed {
            return Err(message);
        }
        lanes.push(message);
        drop(lanes);
        self.arrived.notify_one();
        Ok(())
    }

    /// The next message, waiting for one at most so long; none from the lane of events when these
    /// are not wanted now.
    pub(super) fn next(&self, wait: Duration, events: bool) -> Next {
        let mut lanes = self.lanes();
        let mut until = None;
        loop {
            if let Some(message) = lanes.pop(events) {
                drop(lanes);
                self.room.notify_all();
                return Next::Message(message);
            }
            if lanes.abandoned && lanes.events.is_empty() {
                return Next::Abandoned;
            }
            let until = *until.get_or_insert_with(|| Instant::now() + wait);
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Next::Nothing;
            }
            let waited = self.arrived.wait_timeout(lanes, left);
            lanes = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// The last handle went away.
    pub(super) fn abandon(&self) {
        self.lanes().abandoned = true;
        self.arrived.notify_all();
    }

    /// The engine takes nothing more: whoever waits or comes later is told so.
    pub(super) fn close(&self) {
        let left =
            std::mem::replace(&mut *self.lanes(), Lanes { closed: true, ..Lanes::default() });
        self.room.notify_all();
        left.control.into_iter().for_each(Message::fail);
        left.reads.into_iter().for_each(|(_, message)| message.fail());
        left.events.into_iter().for_each(|(_, _, message)| message.fail());
    }

    /// Whether the engine is gone.
    pub(super) fn is_closed(&self) -> bool {
        self.lanes().closed
    }

    fn lanes(&self) -> MutexGuard<'_, Lanes> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lanes {
    fn has_room(&self, message: &Message, messages_max: usize) -> bool {
        match message.lane() {
            // An end is asked for once, and must be heard.
            Lane::Control => {
                matches!(message, Message::Close(_)) || self.control.len() < messages_max
            }
            Lane::Reads => self.reads.len() < messages_max,
            Lane::Events => {
                let bytes = self.event_bytes.saturating_add(message.bytes());
                let fits = self.event_bytes == 0 || bytes <= EVENT_BYTES_MAX;
                self.events.len() < messages_max && fits
            }
        }
    }

    fn push(&mut self, message: Message) {
        self.arrivals += 1;
        match message.lane() {
            Lane::Control => self.control.push_back(message),
            Lane::Reads => self.reads.push_back((self.arrivals, message)),
            Lane::Events => {
                let bytes = message.bytes();
                self.event_bytes += bytes;
                self.events.push_back((self.arrivals, bytes, message));
            }
        }
    }

    fn pop(&mut self, events: bool) -> Option<Message> {
        if let Some(message) = self.control.pop_front() {
            return Some(message);
        }
        if events && self.is_turn_of_events() {
            let (_, bytes, message) = self.events.pop_front()?;
            self.event_bytes -= bytes;
            self.reads_in_a_row = 0;
            return Some(message);
        }
        let (_, message) = self.reads.pop_front()?;
        self.reads_in_a_row += 1;
        Some(message)
    }

    fn is_turn_of_events(&self) -> bool {
        match (self.reads.front(), self.events.front()) {
            (_, None) => false,
            (None, Some(_)) => true,
            (Some((read, _)), Some((event, _, _))) => {
                let in_order = self.events.len() <= IN_ORDER_MAX && event < read;
                in_order || self.reads_in_a_row >= READS_IN_A_ROW
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read() -> Message {
        Message::Status(Box::new(|_| {}))
    }

    fn event() -> Message {
        Message::Confirm(0)
    }

    fn order(inbox: &Inbox) -> String {
        let mut order = String::new();
        while let Next::Message(message) = inbox.next(Duration::ZERO, true) {
            order.push(match message.lane() {
                Lane::Control => 'c',
                Lane::Reads => 'r',
                Lane::Events => 'e',
            });
        }
        order
    }

    fn put(inbox: &Inbox, messages: impl IntoIterator<Item = Message>) {
        messages.into_iter().for_each(|m| assert!(inbox.offer(m).is_ok()));
    }

    #[test]
    fn a_short_queue_is_in_order_and_in_a_long_one_reads_go_first() {
        let inbox = Inbox::new(1_000);
        put(&inbox, [event(), read(), event(), read()]);
        assert_eq!(order(&inbox), "erer");
        put(&inbox, (0..=IN_ORDER_MAX).map(|_| event()));
        put(&inbox, [read(), read()]);
        assert_eq!(order(&inbox), format!("rr{}", "e".repeat(IN_ORDER_MAX + 1)));
    }

    #[test]
    fn events_get_their_turn_between_reads() {
        let inbox = Inbox::new(1_000);
        put(&inbox, (0..IN_ORDER_MAX + 2).map(|_| event()));
        put(&inbox, (0..READS_IN_A_ROW + 2).map(|_| read()));
        let (reads, events) = ("r".repeat(READS_IN_A_ROW), "e".repeat(IN_ORDER_MAX + 1));
        assert_eq!(order(&inbox), format!("{reads}err{events}"));
    }

    #[test]
    fn each_lane_is_full_at_its_limit_and_reads_go_on_without_events() {
        let inbox = Inbox::new(2);
        put(&inbox, [event(), event(), read(), read()]);
        assert!(matches!(inbox.offer(event()), Err(Refused::Full(Message::Confirm(_)))));
        assert!(matches!(inbox.offer(read()), Err(Refused::Full(Message::Status(_)))));
        for _ in 0..2 {
            assert!(matches!(inbox.next(Duration::ZERO, false), Next::Message(Message::Status(_))));
        }
        assert!(matches!(inbox.next(Duration::ZERO, false), Next::Nothing));
        assert!(matches!(inbox.next(Duration::ZERO, true), Next::Message(_)));
    }

    #[test]
    fn what_controls_the_engine_comes_through_a_full_inbox_and_while_events_wait() {
        let inbox = Inbox::new(1);
        put(&inbox, [event(), read(), Message::Checkpoint(Box::new(|_| {}))]);
        let another = Message::Checkpoint(Box::new(|_| {}));
        assert!(matches!(inbox.offer(another), Err(Refused::Full(Message::Checkpoint(_)))));
        put(&inbox, [Message::Close(Box::new(|_| {}))]);
        for _ in 0..2 {
            let next = inbox.next(Duration::ZERO, false);
            assert!(matches!(next, Next::Message(m) if matches!(m.lane(), Lane::Control)));
        }
        assert_eq!(order(&inbox), "er");
    }

    #[test]
    fn who_waits_for_room_is_told_when_the_engine_is_gone() {
        let inbox = Inbox::new(1);
        put(&inbox, [event()]);
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| inbox.put(event()).is_err());
            std::thread::sleep(Duration::from_millis(50));
            inbox.close();
            assert!(waiting.join().unwrap());
        });
    }

    #[test]
    fn whoever_waits_is_told_that_the_engine_is_gone() {
        let inbox = Inbox::new(1);
        let (told, hear) = std::sync::mpsc::channel();
        put(&inbox, [Message::Status(Box::new(move |r| told.send(r.is_err()).unwrap()))]);
        inbox.close();
        assert_eq!(hear.recv(), Ok(true));
        assert!(matches!(inbox.offer(read()), Err(Refused::Closed(_))));
        assert!(inbox.put(event()).is_err());
    }

    #[test]
    fn the_thread_ends_when_every_handle_is_gone_and_nothing_waits() {
        let inbox = Inbox::new(1);
        put(&inbox, [event()]);
        inbox.abandon();
        assert!(matches!(inbox.next(Duration::ZERO, true), Next::Message(_)));
        assert!(matches!(inbox.next(Duration::from_secs(9), true), Next::Abandoned));
    }
}
