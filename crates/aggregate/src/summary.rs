//! What a key state keeps of rows that went: tiles and the lifetime summary.

use std::collections::VecDeque;

use millrace_event::{EventId, EventTime};

use crate::Window;
use crate::key_state::KeyState;
use crate::partial::Partial;
use crate::position::Horizon;
use crate::read::Scratch;
use crate::rows::boundary;
use crate::shape::{Kind, Shape};

/// What is left of rows that went.
#[derive(Clone, Debug, Default)]
pub(crate) struct Removed {
    /// Per cell of a summarised window, in the order of [`Shape::summary_cells`].
    pub(crate) summaries: Vec<Summary>,
    /// Rows up to here went early because of [`crate::ROWS_PER_KEY_MAX`].
    pub(crate) truncated_to: Option<EventTime>,
}

/// The removed events of one cell.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Summary {
    Lifetime(Partial),
    /// By start; the tile `s` covers `(s, s + every]`.
    Tiles(VecDeque<(i64, Partial)>),
}

impl Shape {
    pub(crate) fn summary_cells(&self) -> impl Iterator<Item = usize> + '_ {
        let summarised = |c: &usize| self.summarised.contains(&self.cells[*c].window);
        (0..self.cells.len()).filter(summarised)
    }
}

impl KeyState {
    /// Adds a removed event to the tiles and the lifetime summary.
    pub(crate) fn summarise(
        &mut self,
        shape: &Shape,
        words: &[u64],
        id: &EventId,
        horizon: Horizon,
    ) {
        let removed = self.extra().removed();
        if removed.summaries.is_empty() {
            removed.summaries = shape
                .summary_cells()
                .map(|c| match shape.layout.windows[shape.cells[c].window] {
                    Window::Lifetime => Summary::Lifetime(Partial::default()),
                    Window::Sliding { .. } => Summary::Tiles(VecDeque::new()),
                })
                .collect();
        }
        let time = EventTime(words[0] as i64);
        for (cell, summary) in shape.summary_cells().zip(&mut removed.summaries) {
            let lane = &shape.lanes[shape.cells[cell].lane];
            if !lane.selects(shape, words) {
                continue;
            }
            let word = lane.word(words);
            match (summary, &shape.layout.windows[shape.cells[cell].window]) {
                (Summary::Lifetime(partial), _) => partial.add(lane, time, id, word),
                (Summary::Tiles(tiles), window) => {
                    let Window::Sliding { every: Some(every), .. } = window else { continue };
                    let oldest = boundary(window, horizon.exact_from);
                    while tiles.front().is_some_and(|t| t.0 < oldest) {
                        tiles.pop_front();
                    }
                    let start = EventTime(time.0 - 1).floor_to(*every).0;
                    if start < oldest {
                        continue;
                    }
                    let at = tiles.partition_point(|t| t.0 < start);
                    if tiles.get(at).is_none_or(|t| t.0 != start) {
                        tiles.insert(at, (start, Partial::default()));
                    }
                    tiles[at].1.add(lane, time, id, word);
                }
            }
        }
    }

    /// Adds what was removed from the rows, and marks what can no longer be known.
    pub(crate) fn add_summaries(
        &self,
        shape: &Shape,
        t: EventTime,
        high: usize,
        horizon: Horizon,
        scratch: &mut Scratch,
    ) {
        let removed = self.removed_to(horizon);
        for (cell, c) in shape.cells.iter().enumerate() {
            let window = &shape.layout.windows[c.window];
            scratch.cells[cell].limited = match window {
                Window::Sliding { every: None, .. } => boundary(window, t) < removed.0,
                Window::Sliding { every: Some(_), .. } => t < horizon.exact_from,
                Window::Lifetime => t < horizon.removed_to,
            };
        }
        let Some(extra) = self.extra.as_ref().filter(|e| !e.summaries().is_empty()) else { return };
        let words = self.words(shape);
        let rows = words.view(shape.stride);
        for (cell, summary) in shape.summary_cells().zip(extra.summaries()) {
            let c = &shape.cells[cell];
            let lane = &shape.lanes[c.lane];
            let contents = &mut scratch.cells[cell];
            let selected = (scratch.lows[c.window]..high)
                .map(|row| rows.row(row))
                .filter(|row| lane.selects(shape, row))
                .map(|row| lane.word(row));
            match summary {
                Summary::Lifetime(partial) => contents.add_older(lane, partial, selected),
                Summary::Tiles(tiles) => {
                    let old_end = boundary(&shape.layout.windows[c.window], t);
                    let mut total = Partial::default();
                    let inside = tiles.partition_point(|tile| tile.0 < old_end);
                    tiles.iter().skip(inside).for_each(|tile| total.merge(lane, &tile.1));
                    contents.add_older(lane, &total, selected);
                }
            }
        }
    }
}

impl Summary {
    pub(crate) fn bytes(&self) -> usize {
        size_of::<Summary>()
            + match self {
                Summary::Lifetime(partial) => partial.heap_bytes(),
                Summary::Tiles(tiles) => {
                    tiles.capacity() * size_of::<(i64, Partial)>()
                        + tiles.iter().map(|t| t.1.heap_bytes()).sum::<usize>()
                }
            }
    }
}

pub(crate) fn text_partials<'a>(
    shape: &'a Shape,
    removed: &'a mut Option<Box<Removed>>,
) -> impl Iterator<Item = &'a mut Partial> {
    shape
        .summary_cells()
        .zip(removed.iter_mut().flat_map(|removed| &mut removed.summaries))
        .filter(|(cell, _)| shape.lanes[shape.cells[*cell].lane].kind == Kind::Text)
        .flat_map(|(_, summary)| match summary {
            Summary::Lifetime(partial) => std::slice::from_mut(partial).iter_mut().collect(),
            Summary::Tiles(tiles) => tiles.iter_mut().map(|t| &mut t.1).collect::<Vec<_>>(),
        })
}
