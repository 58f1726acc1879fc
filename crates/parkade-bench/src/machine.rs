//! Where a report was measured.

use serde::{Deserialize, Serialize};

/// The machine and system a report comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// Processors this process may use.
    pub cpus: usize,
    /// The processor's name, `unknown` if the system does not tell.
    pub cpu_model: String,
    /// The operating system and architecture, as `linux x86_64`.
    pub system: String,
    /// The kernel's release, `unknown` if the system does not tell.
    pub kernel: String,
    /// What the waits were measured with.
    pub clock: String,
}

impl Machine {
    /// This machine.
    pub fn this() -> Machine {
        let read = |path| std::fs::read_to_string(path).unwrap_or_default();
        let cpuinfo = read("/proc/cpuinfo");
        let model = cpuinfo
            .lines()
            .find(|line| line.starts_with("model name"))
            .and_then(|line| line.split_once(':'))
            .map_or("unknown", |(_, name)| name.trim());
        let kernel = read("/proc/sys/kernel/osrelease");
        Machine {
            cpus: std::thread::available_parallelism().map_or(1, Into::into),
            cpu_model: model.to_owned(),
            system: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
            kernel: if kernel.trim().is_empty() { "unknown".into() } else { kernel.trim().into() },
            clock: crate::clock::Clock::get().name().to_owned(),
        }
    }
}
