//! The example from outside.

#[cfg(test)]
mod campaigns;
#[cfg(test)]
mod events;
#[cfg(test)]
mod forms;
#[cfg(test)]
mod honest;
#[cfg(test)]
mod injection;
#[cfg(test)]
mod project;
#[cfg(test)]
mod quantities;
#[cfg(test)]
mod statistics;
