//! `millrace bench`.

use crate::exit::Failure;

#[derive(clap::Args, Debug)]
pub struct Args {}

pub fn bench(_args: &Args) -> Result<(), Failure> {
    Err(Failure::usage("there is no benchmark to run in this build"))
}
