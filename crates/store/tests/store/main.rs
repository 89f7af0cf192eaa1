//! What the store promises, tried on a disk that fails, forgets and lies, and on a real one.

#[cfg(test)]
mod bit_flips;
#[cfg(test)]
mod checkpoint_model;
#[cfg(test)]
mod end;
#[cfg(test)]
mod golden;
#[cfg(test)]
mod io_faults;
#[cfg(test)]
mod keys;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod log_model;
#[cfg(test)]
mod real_disk;
#[cfg(test)]
mod state;
