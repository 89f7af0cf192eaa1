//! The example from outside.

#[cfg(test)]
mod events;
#[cfg(test)]
mod project;
#[cfg(test)]
mod reference;
