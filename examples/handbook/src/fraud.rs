//! Which payments are fraud: three scenarios, one after the other. A later one takes over what an
//! earlier one marked. Each payment's own amount is looked at before any is multiplied.

use crate::cents::Cents;
use crate::draft::Draft;
use crate::numpy_random::NumpyRandom;
use crate::python_random::PythonRandom;
use crate::settings::Settings;
use crate::transaction::Scenario;

const LARGE: Cents = Cents(22_000);
const TERMINALS_A_DAY: usize = 2;
const TERMINAL_DAYS: u32 = 28;
const CUSTOMERS_A_DAY: usize = 3;
const CUSTOMER_DAYS: u32 = 14;
/// How much more is paid with a customer's stolen card.
const CUSTOMER_FACTOR: u64 = 5;

/// The scenario of each of the payments, which are in order of time. Amounts change.
pub(crate) fn mark(settings: &Settings, drafts: &mut [Draft]) -> Vec<Option<Scenario>> {
    let is_large = |draft: &Draft| draft.amount > LARGE;
    let mut marks: Vec<Option<Scenario>> =
        drafts.iter().map(|draft| is_large(draft).then_some(Scenario::LargeAmount)).collect();
    // Nobody draws on the last day.
    let last_day = drafts.last().map_or(0, Draft::day);
    mark_terminals(settings, last_day, drafts, &mut marks);
    mark_customers(settings, last_day, drafts, &mut marks);
    marks
}

fn mark_terminals(
    settings: &Settings,
    last_day: u32,
    drafts: &[Draft],
    marks: &mut [Option<Scenario>],
) {
    let rows = Rows::by(settings.terminals, drafts, |draft| draft.terminal);
    for day in 0..last_day {
        let mut random = NumpyRandom::new(settings.day_seed(day));
        for terminal in random.choice::<TERMINALS_A_DAY>(settings.terminals) {
            for row in rows.from(terminal, day, TERMINAL_DAYS, drafts) {
                marks[row as usize] = Some(Scenario::Terminal);
            }
        }
    }
}

fn mark_customers(
    settings: &Settings,
    last_day: u32,
    drafts: &mut [Draft],
    marks: &mut [Option<Scenario>],
) {
    let rows = Rows::by(settings.customers, drafts, |draft| draft.customer);
    for day in 0..last_day {
        let seed = settings.day_seed(day);
        let customers = NumpyRandom::new(seed).choice::<CUSTOMERS_A_DAY>(settings.customers);
        let mut all: Vec<u32> = customers
            .into_iter()
            .flat_map(|customer| rows.from(customer, day, CUSTOMER_DAYS, drafts))
            .collect();
        all.sort_unstable();
        for row in PythonRandom::new(u64::from(seed)).sample_third(&all) {
            // A row that is drawn on several days is multiplied as often.
            drafts[row as usize].amount.0 *= CUSTOMER_FACTOR;
            marks[row as usize] = Some(Scenario::Customer);
        }
    }
}

/// The rows of each customer, or of each terminal, in order of time.
struct Rows {
    rows: Vec<u32>,
    /// Where each one's rows begin, and behind the last one the end.
    starts: Vec<usize>,
}

impl Rows {
    fn by(count: u32, drafts: &[Draft], key: impl Fn(&Draft) -> u32) -> Rows {
        let mut rows: Vec<u32> = (0..drafts.len() as u32).collect();
        rows.sort_by_key(|row| key(&drafts[*row as usize]));
        let starts = (0..=count)
            .map(|number| rows.partition_point(|row| key(&drafts[*row as usize]) < number))
            .collect();
        Rows { rows, starts }
    }

    /// One's rows of `days` days, the first of which is `day`.
    fn from<'a>(
        &'a self,
        number: u32,
        day: u32,
        days: u32,
        drafts: &'a [Draft],
    ) -> impl Iterator<Item = u32> + 'a {
        let number = number as usize;
        let own = &self.rows[self.starts[number]..self.starts[number + 1]];
        let from = own.partition_point(|row| drafts[*row as usize].day() < day);
        let to = own.partition_point(|row| drafts[*row as usize].day() < day + days);
        own[from..to].iter().copied()
    }
}
