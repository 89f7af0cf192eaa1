//! Who pays, and where.

use crate::numpy_random::NumpyRandom;
use crate::settings::Settings;

/// The sides of the square on which everybody lives.
const SIDE: f64 = 100.0;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    x: f64,
    y: f64,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Customer {
    place: Place,
    pub mean_amount: f64,
    /// Payments a day.
    pub rate: f64,
}

pub(crate) fn customers(settings: &Settings) -> Vec<Customer> {
    let mut random = NumpyRandom::new(settings.salt);
    (0..settings.customers)
        .map(|_| Customer {
            place: place(&mut random),
            mean_amount: random.uniform(5.0, 100.0),
            rate: random.uniform(0.0, 4.0),
        })
        .collect()
}

pub(crate) fn terminals(settings: &Settings) -> Vec<Place> {
    let mut random = NumpyRandom::new(settings.salt + 1);
    (0..settings.terminals).map(|_| place(&mut random)).collect()
}

fn place(random: &mut NumpyRandom) -> Place {
    Place { x: random.uniform(0.0, SIDE), y: random.uniform(0.0, SIDE) }
}

impl Customer {
    /// The terminals that are closer than `radius`, by their numbers, into `out`.
    pub fn reach(&self, terminals: &[Place], radius: f64, out: &mut Vec<u32>) {
        out.clear();
        for (number, terminal) in (0..).zip(terminals) {
            let (x, y) = (self.place.x - terminal.x, self.place.y - terminal.y);
            if (x * x + y * y).sqrt() < radius {
                out.push(number);
            }
        }
    }
}
