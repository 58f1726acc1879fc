//! The scenarios of each kind of lock.

use std::borrow::Cow;
use std::time::Duration;

use super::{
    AsyncShape, CondvarShape, Draw, KeyedShape, OnceShape, ReentrantShape, Role, RwShape, Scenario,
    Section, SemaphoreShape, Shape,
};
use crate::sides::Access;
use crate::subject::LockKind;

const HOLD: Duration = Duration::from_micros(500);
const BURST: Duration = Duration::from_millis(20);

fn scenario(name: &'static str, threads: u32, shape: Shape) -> Scenario {
    Scenario { name: Cow::Borrowed(name), threads, shape, role: Role::Mark }
}

fn steps(name: &'static str, threads: u32, inside: u32, outside: u32) -> Scenario {
    scenario(name, threads, Shape::Steps { inside, outside })
}

fn scaling(name: &'static str, threads: u32) -> Scenario {
    Scenario { role: Role::Scaling, ..steps(name, threads, 20, 60) }
}

/// `threads` threads of which each reads `read_percent` percent of the time. The work goes by the
/// number of threads, so that the name says it all.
pub(super) fn rw(threads: u32, read_percent: u32) -> Scenario {
    let inside = match threads {
        0..=2 => 2,
        3..=8 => 20,
        _ => 200,
    };
    let role = match (threads, read_percent) {
        (2, 99) | (8, 99 | 90 | 50) | (32, 95) => Role::Mark,
        (1 | 2, 100) | (2 | 8, 0) => Role::Apart,
        (1 | 2 | 8 | 32, 100 | 99 | 95 | 90 | 50) => Role::Scaling,
        _ => Role::Custom,
    };
    Scenario {
        name: format!("rw-{threads}-{read_percent}").into(),
        threads,
        shape: Shape::Rw(RwShape::Mixed { read_percent, inside }),
        role,
    }
}

fn rw_empty(name: &'static str, access: Access) -> Scenario {
    Scenario { role: Role::Cost, ..scenario(name, 1, Shape::Rw(RwShape::EmptyLoop(access))) }
}

/// Every scenario of a kind of lock, in the order of the tables.
pub fn catalogue(kind: LockKind) -> Vec<Scenario> {
    match kind {
        LockKind::Mutex => mutex_catalogue(),
        LockKind::Rwlock => rwlock_catalogue(),
        LockKind::Reentrant => reentrant_catalogue(),
        LockKind::Condvar => condvar_catalogue(),
        LockKind::Once => vec![
            scenario("once-call-1", 1, Shape::Once(OnceShape::Call)),
            scenario("once-call-8", 8, Shape::Once(OnceShape::Call)),
        ],
        LockKind::OnceLock => vec![
            scenario("once-get-1", 1, Shape::Once(OnceShape::Get)),
            scenario("once-get-8", 8, Shape::Once(OnceShape::Get)),
        ],
        LockKind::Keyed => keyed_catalogue(),
        LockKind::Semaphore => semaphore_catalogue(),
        LockKind::Async => async_catalogue(),
    }
}

/// The work is that of `mixed-8`.
fn async_catalogue() -> Vec<Scenario> {
    let tasks = |name, all, threads, section| {
        let shape = AsyncShape::Turns { inside: 20, outside: 60, section, threads };
        scenario(name, all, Shape::Async(shape))
    };
    let alone = scenario("async-uncontended", 1, Shape::Async(AsyncShape::EmptyLoop));
    vec![
        Scenario { role: Role::Cost, ..alone },
        tasks("async-8", 8, 0, Section::Plain),
        tasks("async-1k", 1_000, 0, Section::Plain),
        tasks("async-100k", 100_000, 0, Section::Plain),
        tasks("async-hold-8", 8, 0, Section::Held),
        tasks("async-hold-1k", 1_000, 0, Section::Held),
        tasks("async-hold-100k", 100_000, 0, Section::Held),
        tasks("async-mixed-4+4", 8, 4, Section::Plain),
    ]
}

fn keyed_catalogue() -> Vec<Scenario> {
    let keyed =
        |name, keys, draw| scenario(name, 8, Shape::Keyed(KeyedShape { keys, draw, inside: 20 }));
    vec![
        keyed("keyed-8-1", 1, Draw::Uniform),
        keyed("keyed-8-16", 16, Draw::Uniform),
        keyed("keyed-8-16-zipf", 16, Draw::Zipf),
        keyed("keyed-8-1k", 1_000, Draw::Uniform),
        keyed("keyed-8-1k-zipf", 1_000, Draw::Zipf),
        keyed("keyed-8-1m", 1_000_000, Draw::Uniform),
        keyed("keyed-8-1m-zipf", 1_000_000, Draw::Zipf),
    ]
}

/// The work is that of `mixed-8`.
fn semaphore_catalogue() -> Vec<Scenario> {
    let semaphore = |name, threads, shape| scenario(name, threads, Shape::Semaphore(shape));
    let (inside, outside) = (20, 60);
    let steps =
        |name, permits| semaphore(name, 8, SemaphoreShape::Steps { permits, inside, outside });
    let weighted = SemaphoreShape::Weighted { permits: 8, most: 4, inside, outside };
    vec![
        Scenario { role: Role::Cost, ..semaphore("sem-empty", 1, SemaphoreShape::EmptyLoop) },
        steps("sem-8-2", 2),
        steps("sem-8-4", 4),
        semaphore("sem-8-8-weighted", 8, weighted),
    ]
}

fn rwlock_catalogue() -> Vec<Scenario> {
    let grid = [1, 2, 8, 32].into_iter().flat_map(|threads| {
        let writes_only = [2, 8].contains(&threads).then_some(0);
        [100, 99, 95, 90, 50]
            .into_iter()
            .chain(writes_only)
            .map(move |percent| rw(threads, percent))
    });
    let alone =
        [rw_empty("rw-empty-read", Access::Read), rw_empty("rw-empty-write", Access::Write)];
    alone.into_iter().chain(grid).collect()
}

fn reentrant_catalogue() -> Vec<Scenario> {
    let alone = |name, shape| {
        let shape = Shape::Reentrant(shape);
        Scenario { role: Role::Cost, ..scenario(name, 1, shape) }
    };
    vec![
        alone("reentrant-empty", ReentrantShape::EmptyLoop),
        alone("reentrant-nested", ReentrantShape::Nested),
    ]
}

fn condvar_catalogue() -> Vec<Scenario> {
    let condvar = |name, threads, shape| scenario(name, threads, Shape::Condvar(shape));
    vec![
        condvar("cv-ping-pong-2", 2, CondvarShape::PingPong),
        condvar("cv-queue-8", 8, CondvarShape::Queue { capacity: 16, outside: 200 }),
        condvar("cv-all-33", 33, CondvarShape::Broadcast),
    ]
}

fn mutex_catalogue() -> Vec<Scenario> {
    vec![
        Scenario { role: Role::Cost, ..scenario("empty-loop", 1, Shape::EmptyLoop) },
        scenario("uncontended", 1, Shape::Solo),
        steps("short-2", 2, 2, 0),
        steps("short-4", 4, 2, 0),
        steps("short-16", 16, 2, 0),
        steps("short-64", 64, 2, 0),
        steps("mixed-2", 2, 20, 60),
        steps("mixed-8", 8, 20, 60),
        steps("mixed-32", 32, 20, 60),
        steps("cs2us-8", 8, 2_000, 2_000),
        steps("cs20us-8", 8, 20_000, 5_000),
        scenario("long-8", 8, Shape::SleepInside { hold: HOLD }),
        scenario("burst-8", 8, Shape::Burst { on: BURST, off: BURST }),
        scenario("hog-6", 6, Shape::Hog { hold: HOLD }),
        scenario("many-32x2", 32, Shape::Many { locks: 2 }),
        scenario("many-32x64", 32, Shape::Many { locks: 64 }),
        scenario("many-32x1000", 32, Shape::Many { locks: 1000 }),
        scaling("mixed-1", 1),
        scaling("mixed-4", 4),
        scaling("mixed-16", 16),
        scaling("mixed-64", 64),
    ]
}
