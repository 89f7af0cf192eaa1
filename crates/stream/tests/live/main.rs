//! The live engine on a disk that fails, loses power and flips bits: what comes back must equal
//! the specification over what was acknowledged.
#![expect(clippy::disallowed_methods, reason = "a test may time what it waits for")]

#[cfg(test)]
mod crashes;
#[cfg(test)]
mod damage;
#[cfg(test)]
mod definitions;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod gated;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod restarts;
#[cfg(test)]
mod stopping;
#[cfg(test)]
mod story;
#[cfg(test)]
mod world;
