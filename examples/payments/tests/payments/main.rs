//! The example from outside.

#[cfg(test)]
mod events;
#[cfg(test)]
mod forms;
#[cfg(test)]
mod injection;
#[cfg(test)]
mod project;
#[cfg(test)]
mod statistics;
