//! What `parkade bench` measures, against whom, and how.
//!
//! * [`scenario`]: the named workloads. A scenario is a struct; nothing is positional.
//! * [`subject`]: Parkade and its rivals behind one trait for each kind of lock, always
//!   monomorphised: the worker loops are generic over the lock, so that each lock's fast path is
//!   inlined as in a user's program.
//! * [`variant`]: a subject with settings of its own, as `parkade bench --sweep` makes them.
//! * [`harness`]: runs one scenario on one subject for a given time.
//! * [`run`]: interleaves subjects round by round.
//! * [`report`] and [`stats`]: the raw figures (the JSON schema) and what is made of them.
//! * [`suites`]: benchmarks published by others, repeated with their own metrics.
//!
//! # What "wait" means here
//!
//! The *wait* of an operation is the duration of its lock call, from just before the call until
//! the first instruction inside the section. Time during which the scheduler has taken the
//! processor away from the caller in the middle of the call counts: a caller cannot tell it from
//! waiting. The longest wait of a round is the longer of
//!
//! 1. the longest *sampled* wait: every operation where a section is long enough for the clock
//!    not to matter ([`scenario::Sampling::Every`]), otherwise one of 16 or 64 operations on average at
//!    random distances, and
//! 2. the longest *watched* wait: each worker publishes, with two plain stores per operation,
//!    whether it is inside a lock call and which one. A watcher looks every
//!    [`harness::WATCH_PERIOD`]; a call seen twice has lasted at least the time in between.
//!    That catches every wait longer than two periods, including those which never end.
//!
//! Both are lower bounds of the true maximum and short of it by at most two watch periods, so
//! comparisons take longest waits below that as equal. The report also holds an upper bound, the
//! longest time between two sampled acquisitions of the same thread. Every subject is measured
//! in the same way.

//! # How a round runs
//!
//! All threads meet at a barrier and then at a flag; the round's time runs from the first thread
//! through it until the stop flag, which every loop reads at every operation (the empty loops:
//! every 1024; readers alone: every 64). Operations are counted by each thread for itself.
//! Processor time and context switches are the workers' own, without the watcher's.
//!
//! Locks of one round use the same random choices; their order within a scenario is drawn anew
//! in every round. All ratios are made within a round, and the median over rounds is quoted. The
//! best rival of a round is the best of *all* rivals in that round, so noise works against
//! Parkade rather than for it.
//!
//! # Readers and writers
//!
//! In a scenario `rw-T-P` each of T threads draws at every operation whether it reads (in P of a
//! hundred) or writes; all locks of a round see the same draws. What readers and writers did is
//! kept apart: operations, those of each thread, and waits, sampled and watched as above. Where a
//! longest wait is compared it is the writers', for they are whom readers can starve. Where there
//! are readers only nobody waits, and nothing is timed.
//!
//! # Keys
//!
//! In a scenario `keyed-T-N` each of T threads draws one of N keys, locks it, works on the key's
//! value, and unlocks; draws are the same for all locks of a round and cost next to nothing ([`draw`]).
//! The values are beside the lock, so that all locks protect the same, and up to 16,384 of them on lines of
//! their own. A rival
//! that keeps other keys locked too ([`subject::Grain::Coarse`]) does less than is asked for: it has a
//! mark of its own and is neither best nor fairest rival. What a locked key takes in memory is measured
//! apart ([`memory`]).
//!
//! # Tasks
//!
//! In a scenario `async-...` tasks lock on a tokio runtime of two threads. A task gives way to others after each turn,
//! and in `async-hold-...` also under the lock; without that a thread of the runtime runs one task until it must wait, and
//! then nobody waits. Every turn is timed, so there is no watcher, and whoever waits at the end of the
//! round has his turn yet. Its processor time is the process's. When a task that has been woken is polled, the
//! runtime decides: longest waits are shown and not judged. What a task costs without a runtime is measured
//! apart ([`waiting`]).
//!
//! # Limits
//!
//! A round of a quarter of a second cannot show a wait of half a second: longest waits want
//! `--secs 0.7` or more. With more threads than processors part of every wait and of every
//! difference between threads is the scheduler's. In [`scenario::Shape::Hog`] throughput and
//! fairness are the victims', the hog is counted apart, and its waits count for the longest only.

#![deny(unsafe_code)]

pub mod clock;
pub mod draw;
pub mod harness;
pub mod machine;
pub mod memory;
pub mod report;
pub mod rng;
pub mod run;
pub mod scenario;
pub mod sides;
pub mod stats;
pub mod subject;
pub mod subjects;
pub mod suites;
pub mod variant;
pub mod waiting;
pub mod waits;
pub mod work;

mod os;
