//! An unrelated busy process beside a run.

use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result};

/// The hidden subcommand that makes noise.
pub(crate) const COMMAND: &str = "noise";

/// A child which keeps one processor busy until this value is dropped.
#[derive(Debug)]
pub(crate) struct Noise(Child);

impl Noise {
    /// Starts it.
    pub(crate) fn start() -> Result<Noise> {
        let program = std::env::current_exe().context("cannot find this program's file")?;
        let child = Command::new(program)
            .arg(COMMAND)
            // The child ends when this pipe does, so also when we are killed.
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .context("cannot start the busy process")?;
        Ok(Noise(child))
    }
}

impl Drop for Noise {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        // Nothing can be done about a child that is gone already.
        let _ = self.0.wait();
    }
}

/// Keeps a processor busy until the input ends.
pub(crate) fn make() {
    let ended = Arc::new(AtomicBool::new(false));
    let reader = {
        let ended = Arc::clone(&ended);
        std::thread::spawn(move || {
            // An error ends the noise as well as the end of the input does.
            let _ = std::io::stdin().read_to_end(&mut Vec::new());
            ended.store(true, Ordering::Relaxed);
        })
    };
    while !ended.load(Ordering::Relaxed) {
        std::hint::spin_loop();
    }
    let _ = reader.join();
}
