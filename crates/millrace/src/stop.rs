//! Ctrl-C and SIGTERM: the first asks for a clean end, the second ends at once.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::exit::{Exit, Failure};

/// Whether it was asked to stop. Cheap to clone; every clone sees the same.
#[derive(Clone, Debug)]
pub struct Stop {
    asked: watch::Receiver<bool>,
    ask: Arc<watch::Sender<bool>>,
}

impl Stop {
    /// Listens for the signals from now on, on a thread of its own.
    ///
    /// # Errors
    /// When the thread or the listeners cannot be had.
    pub fn on_signals() -> Result<Stop, Failure> {
        let failed = |e: std::io::Error| Failure::environment(format!("cannot hear signals: {e}"));
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_io().build().map_err(failed)?;
        let stop = Stop::new();
        let ask = Arc::clone(&stop.ask);
        let (mut interrupt, mut terminate) = {
            let _inside = runtime.enter();
            (
                signal(SignalKind::interrupt()).map_err(failed)?,
                signal(SignalKind::terminate()).map_err(failed)?,
            )
        };
        let listen = async move {
            let mut next = async || {
                tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
            };
            next().await;
            ask.send_replace(true);
            next().await;
            std::process::exit(i32::from(Exit::Interrupted.code()));
        };
        let run = move || runtime.block_on(listen);
        std::thread::Builder::new().name("signals".to_owned()).spawn(run).map_err(failed)?;
        Ok(stop)
    }

    /// One that only [`Stop::ask`] sets off.
    pub fn new() -> Stop {
        let (ask, asked) = watch::channel(false);
        Stop { asked, ask: Arc::new(ask) }
    }

    #[cfg(test)]
    pub fn ask(&self) {
        self.ask.send_replace(true);
    }

    pub fn is_asked(&self) -> bool {
        *self.asked.borrow()
    }

    /// Waits until it is asked.
    pub fn wait(&self) {
        while !self.sleep(Duration::from_secs(3_600)) {}
    }

    /// Sleeps this long, or until it is asked; returns whether it is.
    pub fn sleep(&self, duration: Duration) -> bool {
        const STEP: Duration = Duration::from_millis(20);
        let until = Instant::now() + duration;
        while !self.is_asked() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            std::thread::sleep(left.min(STEP));
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_clone_hears_it_and_sleepers_wake() {
        let stop = Stop::new();
        assert!(!stop.clone().sleep(Duration::from_millis(1)));
        let asker = stop.clone();
        let begun = Instant::now();
        let thread = std::thread::spawn(move || asker.ask());
        assert!(stop.sleep(Duration::from_secs(60)));
        assert!(stop.is_asked() && begun.elapsed() < Duration::from_secs(30));
        thread.join().unwrap();
    }
}
