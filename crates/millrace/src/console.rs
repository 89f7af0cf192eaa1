//! What people see: lines on standard output, notes and progress on standard error.

use std::fmt::Arguments;
use std::io::{self, IsTerminal as _, Write as _};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::exit::Failure;

/// Prints a line of a command's result to standard output.
macro_rules! say {
    () => { $crate::console::line(format_args!("")) };
    ($($text:tt)*) => { $crate::console::line(format_args!($($text)*)) };
}

/// Prints a remark to standard error: not part of the result.
macro_rules! note {
    ($($text:tt)*) => { $crate::console::remark(format_args!($($text)*)) };
}

pub(crate) use {note, say};

pub fn line(text: Arguments<'_>) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}").and_then(|()| out.flush()).map_err(Failure::output)
}

/// Writes bytes as they are to standard output.
pub fn bytes(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(bytes).and_then(|()| out.flush()).map_err(Failure::output)
}

pub fn remark(text: Arguments<'_>) {
    // Nobody is there to hear that standard error is gone.
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Whether standard output shows to a person.
pub fn is_terminal() -> bool {
    io::stdout().is_terminal()
}

/// A bar on standard error where that is a terminal, and nothing elsewhere. `total` may count
/// anything: what is shown is the share of it.
pub fn progress(what: &str, total: u64) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(total), target());
    let template = "{msg} [{bar:32}] {percent:>3} %, {eta} left";
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style.progress_chars("=> "));
    }
    bar.set_message(what.to_owned());
    bar
}

/// As [`progress`], for work whose length is not known.
pub fn spinner(what: &str) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, target());
    bar.set_message(what.to_owned());
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}

fn target() -> ProgressDrawTarget {
    if io::stderr().is_terminal() {
        ProgressDrawTarget::stderr_with_hz(8)
    } else {
        ProgressDrawTarget::hidden()
    }
}

/// `1234567` as `1,234,567`.
pub fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A count with its noun: `1 test`, `2 tests`.
pub fn counted(n: usize, noun: &str) -> String {
    let ending = if n == 1 { "" } else { "s" };
    format!("{} {noun}{ending}", grouped(n as u64))
}

/// Events per second, of a count and the time it took.
pub fn rate(count: u64, took: Duration) -> u64 {
    (count as f64 / took.as_secs_f64().max(1e-9)) as u64
}

/// A length of time for people: `850 µs`, `12.3 ms`, `4.2 s`.
pub fn duration(d: Duration) -> String {
    match d.as_micros() {
        0..1_000 => format!("{} µs", d.as_micros()),
        1_000..1_000_000 => format!("{:.1} ms", d.as_secs_f64() * 1e3),
        _ => format!("{:.1} s", d.as_secs_f64()),
    }
}

/// Bytes for people, in units of 1,024.
pub fn size(bytes: u64) -> String {
    const UNITS: [(u64, &str); 4] =
        [(1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    match UNITS.iter().find(|(unit, _)| bytes >= *unit) {
        Some((unit, name)) => format!("{:.1} {name}", bytes as f64 / *unit as f64),
        None => format!("{bytes} B"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_for_people() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!(counted(1, "row"), "1 row");
        assert_eq!(counted(2_000, "row"), "2,000 rows");
        assert_eq!(size(1_023), "1023 B");
        assert_eq!(size(3 << 29), "1.5 GiB");
        let [a, b, c] = [999, 12_345, 4_200_000].map(Duration::from_micros).map(duration);
        assert_eq!([a.as_str(), &b, &c], ["999 µs", "12.3 ms", "4.2 s"]);
        assert_eq!(rate(1_000, Duration::from_millis(500)), 2_000);
    }
}
