//! Evidence that `Barrier` and `WaitGroup` do what those they replace do: one body, run over `std`'s, crossbeam's and
//! Parkade's, must observe the same.

mod support;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    thread,
};

use support::{Log, assert_same, wait_until, watched_test};

/// What all barriers offer.
trait Barrier: Send + Sync + 'static {
    const NAME: &'static str;

    fn new(parties: usize) -> Self;
    /// Whether the caller leads.
    fn wait(&self) -> bool;
}

macro_rules! barriers {
    ($($name:literal: $barrier:ty, $result:ident => $leads:expr;)+) => {$(
        impl Barrier for $barrier {
            const NAME: &'static str = $name;

            fn new(parties: usize) -> Self {
                <$barrier>::new(parties)
            }

            fn wait(&self) -> bool {
                let $result = self.wait();
                $leads
            }
        }
    )+};
}

barriers! {
    "std": std::sync::Barrier, result => result.is_leader();
    "parkade": parkade::Barrier, result => result.unwrap().is_leader();
    "parkade::poison": parkade::poison::Barrier, result => result.is_leader();
}

/// Threads that come in turn, as far as that can be seen from outside, and whether they lead.
fn meetings<B: Barrier>() -> (&'static str, Log) {
    let mut log = Log::new();
    for parties in [0, 1, 2, 5] {
        let barrier = Arc::new(B::new(parties));
        let passed = Arc::new(AtomicU32::new(0));
        for generation in 0..3_u32 {
            let spawn = |_| {
                let (barrier, passed) = (Arc::clone(&barrier), Arc::clone(&passed));
                thread::spawn(move || {
                    let leads = barrier.wait();
                    passed.fetch_add(1, Relaxed);
                    leads
                })
            };
            let threads: Vec<_> = (1..parties.max(1)).map(spawn).collect();
            let before = passed.load(Relaxed);
            let others = before == generation * (parties.max(1) as u32 - 1);
            let led = barrier.wait();
            let leaders = threads.into_iter().map(|thread| thread.join().unwrap());
            let leaders = leaders.filter(|&leads| leads).count() + usize::from(led);
            log.push(format!("{parties}: nobody too early {others}, {leaders} leader"));
        }
    }
    (B::NAME, log)
}

#[test]
fn barriers() {
    let _watched = watched_test();
    assert_same(&[
        meetings::<std::sync::Barrier>(),
        meetings::<parkade::Barrier>(),
        meetings::<parkade::poison::Barrier>(),
    ]);
}

/// The results print the same.
#[test]
fn barrier_results() {
    let theirs = std::sync::Barrier::new(1);
    let ours = parkade::poison::Barrier::new(1);
    assert_eq!(format!("{theirs:?} {:?}", theirs.wait()), format!("{ours:?} {:?}", ours.wait()));
}

/// What all groups offer.
trait WaitGroup: Clone + Default + std::fmt::Debug + Send + 'static {
    const NAME: &'static str;

    fn wait(self);
}

macro_rules! groups {
    ($($name:literal: $group:ty;)+) => {$(
        impl WaitGroup for $group {
            const NAME: &'static str = $name;

            fn wait(self) {
                self.wait();
            }
        }
    )+};
}

groups! {
    "crossbeam": crossbeam_utils::sync::WaitGroup;
    "parkade": parkade::WaitGroup;
}

fn groups<G: WaitGroup>() -> (&'static str, Log) {
    let mut log = Log::new();
    G::default().wait();
    log.push("alone".into());

    let (group, done) = (G::default(), Arc::new(AtomicU32::new(0)));
    for number in 0..6 {
        let (member, done) = (group.clone(), Arc::clone(&done));
        thread::spawn(move || {
            let another = member.clone();
            drop(member);
            done.fetch_add(1, Relaxed);
            assert!(number != 3, "on purpose");
            // A thread that waits is done, for the others.
            if number % 2 == 0 {
                another.wait();
            }
        });
    }
    group.wait();
    log.push(format!("{} done", done.load(Relaxed)));

    // Who waits at the same time goes on at the same time.
    let (group, through) = (G::default(), Arc::new(AtomicU32::new(0)));
    let threads = [(); 3].map(|()| {
        let (member, through) = (group.clone(), Arc::clone(&through));
        thread::spawn(move || {
            member.wait();
            through.fetch_add(1, Relaxed);
        })
    });
    log.push(format!("{} too early", through.load(Relaxed)));
    drop(group);
    wait_until(|| through.load(Relaxed) == 3);
    log.push(format!(
        "{} failed",
        threads.map(|t| t.join().is_err()).iter().filter(|&&e| e).count()
    ));
    (G::NAME, log)
}

#[test]
fn wait_groups() {
    let _watched = watched_test();
    assert_same(&[groups::<crossbeam_utils::sync::WaitGroup>(), groups::<parkade::WaitGroup>()]);
}
