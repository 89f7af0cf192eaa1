//! A layout, compiled: where each thing lies in a row, and what each cell must hold.

use std::sync::Arc;

use millrace_event::{Physical, Span, Type};

use crate::readings::{SQUARES_WORDS, SUM_WORDS};
use crate::{Function, Layout, Window};

/// What a cell must keep, as bits.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Needs(u16);

impl Needs {
    pub(crate) const SUM: Needs = Needs(1);
    pub(crate) const SQUARES: Needs = Needs(2);
    pub(crate) const MIN: Needs = Needs(4);
    pub(crate) const MAX: Needs = Needs(8);
    pub(crate) const DISTINCT: Needs = Needs(16);
    pub(crate) const FIRST: Needs = Needs(32);
    pub(crate) const LAST: Needs = Needs(64);

    pub(crate) fn has(self, other: Needs) -> bool {
        self.0 & other.0 != 0
    }
    pub(crate) fn within(self, other: Needs) -> bool {
        self.0 & !other.0 == 0
    }
    pub(crate) fn or(self, other: Needs) -> Needs {
        Needs(self.0 | other.0)
    }

    fn of(function: Function) -> Needs {
        match function {
            Function::Count => Needs(0),
            Function::Sum | Function::Mean => Needs::SUM,
            Function::Stddev | Function::Variance => Needs::SUM.or(Needs::SQUARES),
            Function::Min => Needs::MIN,
            Function::Max => Needs::MAX,
            Function::Distinct => Needs::DISTINCT,
            Function::First => Needs::FIRST,
            Function::Last | Function::LastN(_) => Needs::LAST,
        }
    }
}

/// What the word of an argument means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// No argument is read: events are counted.
    None,
    Word,
    Float,
    /// An index into the key state's dictionary.
    Text,
}

/// One argument under one filter: what is read from a row in one go.
#[derive(Clone, Debug)]
pub(crate) struct Lane {
    /// The flags a row must have (filter true) and the ones it must not (argument null).
    pub(crate) wanted: u64,
    pub(crate) unwanted: u64,
    /// The argument's word within a row; 0 is the event's own time.
    pub(crate) slot: usize,
    pub(crate) kind: Kind,
    pub(crate) needs: Needs,
    /// The most rows that `last(e, n)` of any window needs; 1 for `last(e)`.
    pub(crate) last_n: u32,
    /// This lane's cells, by ascending window.
    pub(crate) cells: Vec<usize>,
    /// Whether every row is selected.
    pub(crate) takes_all: bool,
    pub(crate) way: Way,
    /// Its queues in an index.
    pub(crate) places: Places,
}

/// How a lane's cells are found by a walk over few rows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Way {
    /// Every row counts, and nothing else is asked.
    Count,
    /// Counts, sums and extremes of whole words.
    Words,
    /// Distinct members and nothing beyond the count.
    Members,
    /// Anything else.
    General,
}

/// A lane over a window: the state that aggregations share.
#[derive(Clone, Debug)]
pub(crate) struct Cell {
    pub(crate) lane: usize,
    pub(crate) window: usize,
    pub(crate) needs: Needs,
    /// Where a busy key holds what the cell needs.
    pub(crate) places: Places,
    /// Where the record of a read holds it, in words: a sum takes two, the lower first, and those
    /// of its squares, where they are needed, four behind it.
    pub(crate) record: Places,
}

/// The places of a cell's (or a lane's) parts: in an index, each in a list of its own; in the
/// record of a read, all in one. A place is meaningful only where the part is needed.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Places {
    pub(crate) count: usize,
    pub(crate) sum: usize,
    pub(crate) members: usize,
    pub(crate) min: usize,
    pub(crate) max: usize,
}

/// How many parts of each kind an index has.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sizes {
    pub(crate) counts: usize,
    pub(crate) sums: usize,
    pub(crate) members: usize,
    /// Fronts of windows in queues, and the queues.
    pub(crate) fronts: usize,
    pub(crate) queues: usize,
    /// Whether sums need more than themselves: squares, or amounts that cannot be added.
    pub(crate) wide_sums: bool,
}

/// How an aggregate's value is made from its cell.
#[derive(Clone, Debug)]
pub(crate) struct Output {
    pub(crate) cell: usize,
    pub(crate) kind: Kind,
    pub(crate) function: Function,
    /// `10^scale` for decimals, 2³² for float sums, 1 otherwise: what a unit of the sum is.
    pub(crate) unit: u128,
    pub(crate) ty: Type,
    pub(crate) input: Option<Type>,
}

impl Output {
    fn can_wait(&self) -> bool {
        match self.function {
            Function::Count
            | Function::Sum
            | Function::Mean
            | Function::Stddev
            | Function::Variance
            | Function::Distinct => true,
            Function::Min | Function::Max => self.kind != Kind::Text,
            Function::First | Function::Last | Function::LastN(_) => false,
        }
    }
}

impl Lane {
    /// Whether what is read is the event's own time: it is the same for all events of a moment.
    pub(crate) fn is_time(&self) -> bool {
        self.kind == Kind::Word && self.slot == 0
    }

    fn way(&self) -> Way {
        let ends = Needs::MIN.or(Needs::MAX);
        if self.needs == Needs::default() && self.takes_all {
            Way::Count
        } else if self.needs.within(Needs::SUM.or(ends)) && self.kind != Kind::Float {
            Way::Words
        } else if self.needs == Needs::DISTINCT {
            Way::Members
        } else {
            Way::General
        }
    }
}

/// A [`Layout`] made ready for key states: row format, lanes, cells. Shared by all keys of a group.
#[derive(Clone, Debug)]
pub struct Shape {
    pub(crate) layout: Arc<Layout>,
    /// Words of a row: the time, the flags where there are any, then the arguments.
    pub(crate) stride: usize,
    /// Flags: bit `i` is filter `i`, bit `32 + i` is "argument `i` is null".
    pub(crate) has_flags: bool,
    /// The word of each argument within a row; `None` when only its nullness matters.
    pub(crate) slots: Vec<Option<usize>>,
    pub(crate) lanes: Vec<Lane>,
    pub(crate) cells: Vec<Cell>,
    pub(crate) outputs: Vec<Output>,
    /// Per window, its cells.
    pub(crate) cells_of: Vec<Vec<usize>>,
    /// Per window, those cells of a busy key that change when a row leaves it.
    pub(crate) moving_of: Vec<Vec<usize>>,
    /// What the index of a busy key consists of.
    pub(crate) sizes: Sizes,
    /// Per place of members, the argument they come from.
    pub(crate) member_inputs: Vec<usize>,
    /// Words of the record of a read, see [`Cell::record`].
    pub(crate) record_words: usize,
    /// Whether values can wait in [`crate::Readings`] until they are made into columns.
    pub(crate) deferred: bool,
    /// Per cell, its outputs.
    pub(crate) outputs_of: Vec<Vec<usize>>,
    /// Per window, its width in µs; 0 for the lifetime.
    pub(crate) widths: Vec<i64>,
    /// Whether each window lies within the next and none needs more than rows.
    pub(crate) nested: bool,
    /// The longest window that must be answered from rows.
    pub(crate) raw_width: Span,
    /// Windows answered from tiles or from the lifetime summary, beyond the rows.
    pub(crate) summarised: Vec<usize>,
    /// Whether the order of equal times matters to a value, so that ids are kept with all rows.
    pub(crate) ordered: bool,
    /// Whether a row holds indexes into a dictionary of strings.
    pub(crate) has_text: bool,
}

impl Shape {
    pub fn new(layout: Arc<Layout>) -> Shape {
        let nullable = layout.inputs.iter().any(|i| i.expr.nullable);
        let has_flags = nullable || !layout.filters.is_empty();
        let mut shape = Shape {
            stride: 1 + usize::from(has_flags),
            has_flags,
            slots: vec![None; layout.inputs.len()],
            lanes: Vec::new(),
            cells: Vec::new(),
            outputs: Vec::new(),
            cells_of: vec![Vec::new(); layout.windows.len()],
            moving_of: vec![Vec::new(); layout.windows.len()],
            sizes: Sizes::default(),
            member_inputs: Vec::new(),
            record_words: 0,
            deferred: false,
            outputs_of: Vec::new(),
            widths: Vec::new(),
            nested: true,
            raw_width: Span(0),
            summarised: Vec::new(),
            ordered: false,
            has_text: false,
            layout,
        };
        shape.place_arguments();
        shape.build_cells();
        shape.outputs_of = vec![Vec::new(); shape.cells.len()];
        for (output, o) in shape.outputs.iter().enumerate() {
            shape.outputs_of[o.cell].push(output);
        }
        for (cell, c) in shape.cells.iter().enumerate() {
            shape.cells_of[c.window].push(cell);
            let moves = c.needs.has(Needs::SUM.or(Needs::DISTINCT));
            if moves || !shape.lanes[c.lane].takes_all {
                shape.moving_of[c.window].push(cell);
            }
        }
        for (index, window) in shape.layout.windows.iter().enumerate() {
            match window {
                Window::Sliding { width, every: None } => {
                    shape.nested &= shape.widths.last().is_none_or(|before| before < &width.0);
                    shape.widths.push(width.0);
                    shape.raw_width = shape.raw_width.max(*width);
                }
                Window::Sliding { every: Some(_), .. } | Window::Lifetime => {
                    shape.nested = false;
                    shape.widths.push(0);
                    shape.summarised.push(index);
                }
            }
        }
        shape.deferred = shape.nested && shape.outputs.iter().all(Output::can_wait);
        for lane in &mut shape.lanes {
            lane.way = lane.way();
        }
        shape.place_parts();
        shape
    }

    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Words that a read leaves in [`crate::Readings`].
    pub fn record_words(&self) -> usize {
        self.record_words
    }

    /// Whether the order of equal times matters: every event then needs its id.
    pub fn needs_ids(&self) -> bool {
        self.ordered
    }

    /// Whether reads may go to [`crate::Readings`]: windows are nested, and no value needs the
    /// strings or the order of a key's events.
    pub fn is_deferred(&self) -> bool {
        self.deferred
    }

    fn place_arguments(&mut self) {
        for (index, input) in self.layout.inputs.iter().enumerate() {
            let read = self
                .layout
                .aggregates
                .iter()
                .any(|a| a.input == Some(index) && a.function != Function::Count);
            if read && self.layout.time_input == Some(index) {
                self.slots[index] = Some(0);
            } else if read {
                self.slots[index] = Some(self.stride);
                self.stride += 1;
                self.has_text |= input.ty().physical() == Physical::Text;
            }
        }
    }

    fn build_cells(&mut self) {
        let layout = Arc::clone(&self.layout);
        let mut order: Vec<usize> = (0..layout.aggregates.len()).collect();
        // Cells of one lane stand together.
        order.sort_by_key(|i| {
            let a = &layout.aggregates[*i];
            (a.filter, a.input, a.window)
        });
        let mut cell_of = vec![0; layout.aggregates.len()];
        let mut lane_key = None;
        for index in order {
            let aggregate = &layout.aggregates[index];
            let key = (aggregate.filter, aggregate.input);
            if lane_key != Some(key) {
                lane_key = Some(key);
                let lane = self.lane(aggregate.filter, aggregate.input);
                self.lanes.push(lane);
            }
            cell_of[index] = self.cell(aggregate.window, aggregate.function);
        }
        self.outputs = layout
            .aggregates
            .iter()
            .zip(cell_of)
            .map(|(a, cell)| {
                let input = a.input.map(|i| layout.inputs[i].ty().clone());
                let kind = self.lanes[self.cells[cell].lane].kind;
                Output {
                    cell,
                    kind,
                    function: a.function,
                    unit: unit(&input),
                    ty: a.ty.clone(),
                    input,
                }
            })
            .collect();
        let order_matters = |l: &Lane| l.needs.has(Needs::FIRST.or(Needs::LAST)) && !l.is_time();
        self.ordered = self.lanes.iter().any(order_matters);
    }

    /// Gives every part of an index its place.
    fn place_parts(&mut self) {
        fn next(size: &mut usize, needed: bool) -> usize {
            next_words(size, 1, needed)
        }
        fn next_words(size: &mut usize, words: usize, needed: bool) -> usize {
            let place = *size;
            *size += if needed { words } else { 0 };
            place
        }
        let sizes = &mut self.sizes;
        for lane in &mut self.lanes {
            lane.places.min = next(&mut sizes.queues, lane.needs.has(Needs::MIN));
            lane.places.max = next(&mut sizes.queues, lane.needs.has(Needs::MAX));
        }
        for cell in &mut self.cells {
            let lane = &self.lanes[cell.lane];
            let sums = cell.needs.has(Needs::SUM);
            cell.places = Places {
                count: next(&mut sizes.counts, !lane.takes_all),
                sum: next(&mut sizes.sums, sums),
                members: next(&mut sizes.members, cell.needs.has(Needs::DISTINCT)),
                min: next(&mut sizes.fronts, cell.needs.has(Needs::MIN)),
                max: next(&mut sizes.fronts, cell.needs.has(Needs::MAX)),
            };
            let words = &mut self.record_words;
            let squares = cell.needs.has(Needs::SQUARES);
            cell.record = Places {
                count: next(words, true),
                sum: next_words(words, SUM_WORDS + if squares { SQUARES_WORDS } else { 0 }, sums),
                min: next(words, cell.needs.has(Needs::MIN)),
                max: next(words, cell.needs.has(Needs::MAX)),
                members: next(words, cell.needs.has(Needs::DISTINCT)),
            };
            if cell.needs.has(Needs::DISTINCT) {
                let input = self.slots.iter().position(|slot| *slot == Some(lane.slot));
                self.member_inputs.push(input.unwrap_or(usize::MAX));
            }
            sizes.wide_sums |= sums && lane.kind == Kind::Float;
            sizes.wide_sums |= cell.needs.has(Needs::SQUARES);
        }
    }

    fn lane(&self, filter: Option<usize>, input: Option<usize>) -> Lane {
        let slot = input.and_then(|i| self.slots[i]);
        let kind = match (slot, input.map(|i| self.layout.inputs[i].ty().physical())) {
            (None, _) | (_, None | Some(Physical::Nested)) => Kind::None,
            (Some(_), Some(Physical::Word)) => Kind::Word,
            (Some(_), Some(Physical::Float)) => Kind::Float,
            (Some(_), Some(Physical::Text)) => Kind::Text,
        };
        let null_bit = input
            .filter(|i| self.layout.inputs[*i].expr.nullable)
            .map_or(0, |i| 1u64 << (Layout::FILTERS_MAX + i));
        Lane {
            wanted: filter.map_or(0, |f| 1u64 << f),
            unwanted: null_bit,
            slot: slot.unwrap_or(0),
            kind,
            needs: Needs::default(),
            last_n: 0,
            cells: Vec::new(),
            takes_all: filter.is_none() && null_bit == 0,
            way: Way::General,
            places: Places::default(),
        }
    }

    /// The last lane's cell for this window, with what the function needs added.
    fn cell(&mut self, window: usize, function: Function) -> usize {
        let needs = Needs::of(function);
        let lane_index = self.lanes.len() - 1;
        let lane = &mut self.lanes[lane_index];
        lane.needs = lane.needs.or(needs);
        lane.last_n = lane.last_n.max(match function {
            Function::LastN(n) => n,
            Function::Last => 1,
            Function::Count
            | Function::Sum
            | Function::Mean
            | Function::Min
            | Function::Max
            | Function::Stddev
            | Function::Variance
            | Function::Distinct
            | Function::First => 0,
        });
        let known = lane.cells.iter().copied().find(|c| self.cells[*c].window == window);
        let cell = known.unwrap_or_else(|| {
            lane.cells.push(self.cells.len());
            self.cells.push(Cell {
                lane: lane_index,
                window,
                needs: Needs::default(),
                places: Places::default(),
                record: Places::default(),
            });
            self.cells.len() - 1
        });
        self.cells[cell].needs = self.cells[cell].needs.or(needs);
        cell
    }
}

fn unit(input: &Option<Type>) -> u128 {
    match input {
        Some(Type::Decimal(scale)) => 10u128.pow(u32::from(*scale)),
        Some(Type::Float) => 1 << crate::exact::FLOAT_UNIT_BITS,
        Some(
            Type::Bool
            | Type::Int
            | Type::String
            | Type::Timestamp
            | Type::Duration
            | Type::Key(_)
            | Type::List(_)
            | Type::Map(_, _),
        )
        | None => 1,
    }
}
