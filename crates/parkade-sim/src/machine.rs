//! The machine: its shape and what things cost on it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::line::MOST_CACHES;
use crate::time::{MS, Ps, ps};

/// A figure and where it comes from: the program that measured it, a publication, or `fitted`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Param {
    /// The figure.
    pub value: f64,
    /// Where it comes from.
    pub source: String,
}

impl Param {
    /// A figure with its source.
    #[must_use]
    pub fn new(value: f64, source: impl Into<String>) -> Param {
        Param { value, source: source.into() }
    }
}

macro_rules! machine {
    ($($(#[$doc:meta])* $field:ident,)*) => {
        /// A machine. All durations are in nanoseconds. One set holds for all protocols.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct Machine {
            /// Its name on the command line.
            pub name: String,
            /// What it is.
            pub description: String,
            $($(#[$doc])* pub $field: Param,)*
        }

        impl Machine {
            /// Every figure with its name.
            #[must_use]
            pub fn params(&self) -> Vec<(&'static str, &Param)> {
                vec![$((stringify!($field), &self.$field)),*]
            }
        }
    };
}

machine! {
    /// Cores.
    cores,
    /// Hardware threads of a core, which share its cache.
    threads_per_core,
    /// Sockets; the cores are divided evenly.
    sockets,
    /// A load that hits the core's own cache.
    load_ns,
    /// A store, which the store buffer takes.
    store_ns,
    /// A locked instruction on a line that the core owns.
    rmw_ns,
    /// A line from another core of the socket, or the invalidation of its copies.
    transfer_near_ns,
    /// A line from another socket, or the invalidation of copies there.
    transfer_far_ns,
    /// The same for a line of this socket that nobody has used for `settle_ns`. Hardware threads of
    /// one core that a hypervisor shows as cores fight over a line in use, but share its cache.
    transfer_settled_ns,
    /// After how long nobody fights over a line any more.
    settle_ns,
    /// 1 if the cores are hardware threads with a common cache: who used a line last may write it.
    one_cache,
    /// In a common cache: how long after a locked instruction another thread gets the line, on average, unless
    /// the next one begins before.
    lets_go_ns,
    /// Part of a transfer that passes before the request reaches the core that has the line.
    request_part,
    /// How long a line that is shared already is occupied by serving one more reader.
    share_service_ns,
    /// A `pause` instruction.
    pause_ns,
    /// A read of the system's clock.
    clock_ns,
    /// A read of the time-stamp counter, by which the benchmark times operations.
    counter_ns,
    /// A multiply-add of the scenarios' busy work.
    work_step_ns,
    /// A floating-point step of parking_lot's benchmark.
    float_step_ns,
    /// How much of an operation's work out-of-order execution hides behind the work before it.
    overlap_ns,
    /// What the harness does around an operation: desk, stop flag, sampling.
    bookkeeping_ns,
    /// `sched_yield` with nobody else to run.
    yield_ns,
    /// A futex operation that wakes nobody because nobody sleeps.
    futex_ns,
    /// One that does not sleep because the word has changed.
    futex_wait_ns,
    /// The part of it during which the bucket is locked, so that operations on one futex queue.
    futex_bucket_ns,
    /// What waking a thread costs its waker, beyond `futex_ns`, if it queues on a busy core.
    wake_busy_ns,
    /// The same if an idle core must be interrupted.
    wake_idle_ns,
    /// A woken thread stays on the core it ran on last, if that is its waker's, although another one is idle,
    /// while that core was busy for less than this part of the time lately.
    pack_below,
    /// From the waker's call until the woken thread runs on a core that became idle lately.
    wake_latency_warm_ns,
    /// The same for a core that has slept longer than `idle_warm_ns`.
    wake_latency_cold_ns,
    /// The least of either, as a part of it: what is above is exponentially distributed.
    wake_latency_least,
    /// How long an idle core stays warm.
    idle_warm_ns,
    /// From one thread to the next on a core.
    switch_ns,
    /// A `membarrier` system call.
    membarrier_ns,
    /// What it costs each core that it interrupts.
    interrupt_ns,
    /// How much later than asked a sleeper runs.
    timer_late_ns,
    /// How long a thread runs before the tick may give its core to another.
    slice_ns,
    /// The period of the tick.
    tick_ns,
    /// After how long an idle core takes work from a busy one.
    pull_ns,
}

/// Why a machine cannot be simulated.
#[derive(Debug, thiserror::Error)]
pub enum MachineError {
    /// No machine of that name is stored.
    #[error("no machine `{name}`; stored are {stored}")]
    Unknown {
        /// The name asked for.
        name: String,
        /// The names there are.
        stored: String,
    },
    /// Its description does not parse.
    #[error("the description of machine `{name}`: {error}")]
    Syntax {
        /// Its file.
        name: String,
        /// What is wrong.
        error: serde_json::Error,
    },
    /// A figure is out of range.
    #[error("machine `{machine}`: {param} is {value}, not in {range}")]
    Range {
        /// The machine.
        machine: String,
        /// The figure's name.
        param: &'static str,
        /// The figure.
        value: f64,
        /// What it may be.
        range: &'static str,
    },
}

/// The stored machines: name and description file.
const STORED: &[(&str, &str)] = &[
    ("epyc-2", include_str!("../machines/epyc-2.json")),
    ("i9-10980xe", include_str!("../machines/i9-10980xe.json")),
    ("xeon-8580x2", include_str!("../machines/xeon-8580x2.json")),
];

impl Machine {
    /// The names of the stored machines.
    pub fn names() -> impl Iterator<Item = &'static str> {
        STORED.iter().map(|(name, _)| *name)
    }

    /// A stored machine.
    pub fn stored(name: &str) -> Result<Machine, MachineError> {
        let Some((_, text)) = STORED.iter().find(|(stored, _)| *stored == name) else {
            let stored = Machine::names().collect::<Vec<_>>().join(", ");
            return Err(MachineError::Unknown { name: name.into(), stored });
        };
        Machine::parse(name, text)
    }

    /// A machine from the text of its description.
    pub fn parse(name: &str, text: &str) -> Result<Machine, MachineError> {
        let machine: Machine = serde_json::from_str(text)
            .map_err(|error| MachineError::Syntax { name: name.into(), error })?;
        machine.check()?;
        Ok(machine)
    }

    /// The same machine with another number of cores on as many sockets.
    pub fn with_cores(&self, cores: u32) -> Result<Machine, MachineError> {
        let source = format!("asked for; {} has {}", self.name, self.cores.value);
        let machine = Machine { cores: Param::new(f64::from(cores), source), ..self.clone() };
        machine.check()?;
        Ok(machine)
    }

    fn check(&self) -> Result<(), MachineError> {
        let out = |param, value, range| {
            Err(MachineError::Range { machine: self.name.clone(), param, value, range })
        };
        for (param, &Param { value, .. }) in self.params() {
            if !(0.0..=1e10).contains(&value) {
                return out(param, value, "0..=1e10");
            }
        }
        for (param, value, most) in [
            ("cores", self.cores.value, MOST_CACHES as f64),
            ("threads_per_core", self.threads_per_core.value, 8.0),
            ("sockets", self.sockets.value, 64.0),
        ] {
            if value.fract() != 0.0 || !(1.0..=most).contains(&value) {
                return out(param, value, "1..=256 cores, 8 threads of each, 64 sockets");
            }
        }
        for (param, value) in [("tick_ns", self.tick_ns.value), ("slice_ns", self.slice_ns.value)] {
            if value < 1000.0 {
                return out(param, value, "1000..=1e10");
            }
        }
        Ok(())
    }

    /// How many threads run at the same time.
    #[must_use]
    pub fn cpus(&self) -> u32 {
        (self.cores.value * self.threads_per_core.value) as u32
    }

    /// The costs in simulated time.
    #[must_use]
    pub fn costs(&self) -> Costs {
        let of = |param: &Param| ps(param.value);
        let (cores, sockets) = (self.cores.value as usize, self.sockets.value as usize);
        Costs {
            cores,
            cpus: self.cpus() as usize,
            cores_per_socket: cores.div_ceil(sockets),
            load: of(&self.load_ns),
            store: of(&self.store_ns),
            rmw: of(&self.rmw_ns),
            near: of(&self.transfer_near_ns),
            far: of(&self.transfer_far_ns),
            settled: of(&self.transfer_settled_ns),
            settle: of(&self.settle_ns),
            one_cache: self.one_cache.value != 0.0,
            lets_go: of(&self.lets_go_ns),
            reach: self.request_part.value.clamp(0.0, 1.0),
            share_service: of(&self.share_service_ns),
            pause: of(&self.pause_ns),
            clock: of(&self.clock_ns),
            counter: of(&self.counter_ns),
            work_step: self.work_step_ns.value,
            float_step: self.float_step_ns.value,
            overlap: of(&self.overlap_ns),
            bookkeeping: of(&self.bookkeeping_ns),
            yields: of(&self.yield_ns),
            futex: of(&self.futex_ns),
            futex_wait: of(&self.futex_wait_ns),
            futex_bucket: of(&self.futex_bucket_ns),
            wake_busy: of(&self.wake_busy_ns),
            wake_idle: of(&self.wake_idle_ns),
            pack_below: self.pack_below.value,
            wake_warm: of(&self.wake_latency_warm_ns),
            wake_cold: of(&self.wake_latency_cold_ns),
            wake_least: self.wake_latency_least.value.min(1.0),
            idle_warm: of(&self.idle_warm_ns),
            switch: of(&self.switch_ns),
            membarrier: of(&self.membarrier_ns),
            interrupt: of(&self.interrupt_ns),
            timer_late: of(&self.timer_late_ns),
            slice: of(&self.slice_ns),
            tick: of(&self.tick_ns).min(100 * MS),
            pull: of(&self.pull_ns),
        }
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}), {} cores", self.name, self.description, self.cores.value)
    }
}

/// A machine's figures as the engine uses them.
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "the fields of `Machine`, in picoseconds")]
pub struct Costs {
    pub cores: usize,
    pub cpus: usize,
    pub cores_per_socket: usize,
    pub load: Ps,
    pub store: Ps,
    pub rmw: Ps,
    pub near: Ps,
    pub far: Ps,
    pub settled: Ps,
    pub settle: Ps,
    pub one_cache: bool,
    pub lets_go: Ps,
    pub reach: f64,
    pub share_service: Ps,
    pub pause: Ps,
    pub clock: Ps,
    pub counter: Ps,
    pub work_step: f64,
    pub float_step: f64,
    pub overlap: Ps,
    pub bookkeeping: Ps,
    pub yields: Ps,
    pub futex: Ps,
    pub futex_wait: Ps,
    pub futex_bucket: Ps,
    pub wake_busy: Ps,
    pub wake_idle: Ps,
    pub pack_below: f64,
    pub wake_warm: Ps,
    pub wake_cold: Ps,
    pub wake_least: f64,
    pub idle_warm: Ps,
    pub switch: Ps,
    pub membarrier: Ps,
    pub interrupt: Ps,
    pub timer_late: Ps,
    pub slice: Ps,
    pub tick: Ps,
    pub pull: Ps,
}

impl Costs {
    /// The cache of a hardware thread. Siblings are numbered as Linux does: core by core first.
    #[must_use]
    pub fn cache(&self, cpu: usize) -> usize {
        cpu % self.cores
    }

    /// The socket of a cache, as a bit.
    #[must_use]
    pub fn socket_bit(&self, cache: usize) -> u64 {
        1 << self.socket(cache)
    }

    /// The socket of a cache.
    #[must_use]
    pub fn socket(&self, cache: usize) -> usize {
        cache / self.cores_per_socket
    }

    /// How long a line takes that is in those sockets and was used last at that time.
    #[must_use]
    pub fn transfer(&self, sockets: u64, to: usize, used: Ps, now: Ps) -> Ps {
        if sockets & !self.socket_bit(to) != 0 {
            self.far
        } else if now > used + self.settle {
            self.settled
        } else {
            self.near
        }
    }
}
