//! Evidence that locks work where a thread or the process is nearly gone: in destructors of
//! thread-local values, in key destructors of the C library, and in `atexit` handlers.

mod support;

use std::{
    sync::{
        Barrier,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread,
    time::Duration,
};

use parkade::{FairMutex, Mutex, RwLock};
use support::{Watchdog, Witness, can_bias, make_biased, words};

const THREADS: usize = 8;
const TURNS: u64 = 10;

static LOCK: Mutex<Witness> = Mutex::new(Witness::new());
static FAIR: FairMutex<Witness> = FairMutex::new(Witness::new());
static SHARED: RwLock<Witness> = RwLock::new(Witness::new());

/// Uses all locks so that several threads in it at once have to wait.
fn contend() {
    let inside = || thread::sleep(Duration::from_micros(30));
    for _ in 0..TURNS {
        LOCK.lock().section(inside);
        FAIR.lock().section(inside);
        if let Some(guard) = LOCK.try_lock_for(Duration::from_micros(50)) {
            guard.check();
        }
        SHARED.write().section(inside);
        // Enough for slots to be used, if writers leave it alone for so long.
        (0..256).for_each(|_| SHARED.read().check());
        drop(SHARED.try_write_for(Duration::from_micros(50)));
    }
}

/// Contends in its destructor.
struct Late {
    drops: &'static AtomicU64,
}

impl Drop for Late {
    fn drop(&mut self) {
        contend();
        self.drops.fetch_add(1, Relaxed);
    }
}

/// Ends threads together, each after `body`.
fn threads_end_after(case: &'static str, body: impl Fn() + Sync) {
    let end = Barrier::new(THREADS);
    let watchdog = Watchdog::new(case, THREADS);
    thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|index| {
                let progress = watchdog.thread(index);
                let (end, body) = (&end, &body);
                scope.spawn(move || {
                    body();
                    end.wait();
                    progress.step();
                    // What comes after the closure has no step of its own: the count stays open.
                    progress
                })
            })
            .collect();
        // A scope alone waits for the closures only; a join waits for the destructors too.
        for thread in threads {
            drop(thread.join().expect("a thread failed"));
        }
    });
}

#[test]
fn in_a_value_older_than_the_first_wait() {
    static DROPS: AtomicU64 = AtomicU64::new(0);
    thread_local! {
        static LATE: Late = const { Late { drops: &DROPS } };
    }
    threads_end_after("thread-local value, then lock", || {
        LATE.with(|_| {});
        contend();
    });
    assert_eq!(DROPS.load(Relaxed), THREADS as u64);
}

#[test]
fn in_a_value_younger_than_the_first_wait() {
    static DROPS: AtomicU64 = AtomicU64::new(0);
    thread_local! {
        static LATE: Late = const { Late { drops: &DROPS } };
    }
    threads_end_after("lock, then thread-local value", || {
        contend();
        LATE.with(|_| {});
    });
    assert_eq!(DROPS.load(Relaxed), THREADS as u64);
}

#[test]
fn in_a_thread_that_never_locked_before() {
    static DROPS: AtomicU64 = AtomicU64::new(0);
    thread_local! {
        static LATE: Late = const { Late { drops: &DROPS } };
    }
    threads_end_after("thread-local value alone", || LATE.with(|_| {}));
    assert_eq!(DROPS.load(Relaxed), THREADS as u64);
}

/// A thread's first biased read is its last act, and so it is with more threads than can have slots at a
/// time: what one leaves serves another.
#[test]
fn slots_are_leased_in_a_destructor() {
    static BIASED: RwLock<u32> = RwLock::new(7);
    static IN_SLOTS: AtomicU64 = AtomicU64::new(0);
    struct ReadsLate;
    impl Drop for ReadsLate {
        fn drop(&mut self) {
            let reading = BIASED.read();
            assert_eq!(*reading, 7);
            assert!(BIASED.try_write().is_none());
            IN_SLOTS.fetch_add(u64::from(words(&BIASED).starts_with("0 readers")), Relaxed);
        }
    }
    thread_local! {
        static LATE: ReadsLate = const { ReadsLate };
    }
    make_biased(&BIASED);
    for _ in 0..1_500 {
        thread::spawn(|| LATE.with(|_| {})).join().unwrap();
    }
    assert!(BIASED.try_write().is_some());
    let in_slots = IN_SLOTS.load(Relaxed);
    println!("{in_slots} of 1500 threads read by a slot");
    assert!(!can_bias() || in_slots > 750, "{in_slots}");
}

#[cfg(target_os = "linux")]
mod c_library {
    use super::*;

    /// These run after the destructors of Rust's thread-local values.
    #[test]
    fn in_a_key_destructor() {
        static DROPS: AtomicU64 = AtomicU64::new(0);
        extern "C" fn destructor(_: *mut libc::c_void) {
            contend();
            DROPS.fetch_add(1, Relaxed);
        }
        let mut key = 0;
        // SAFETY: `key` is ours; the destructor ignores its argument.
        let result = unsafe { libc::pthread_key_create(&raw mut key, Some(destructor)) };
        assert_eq!(result, 0);
        threads_end_after("key destructor", || {
            contend();
            let not_null = std::ptr::dangling::<u8>().cast();
            // SAFETY: the key is valid, and nobody follows the pointer.
            assert_eq!(unsafe { libc::pthread_setspecific(key, not_null) }, 0);
        });
        assert_eq!(DROPS.load(Relaxed), THREADS as u64);
    }

    const CHILD: &str = "PARKADE_TEST_LATE_EXIT";
    const FINISHED: &[u8] = b"late exit: contended and finished\n";

    #[test]
    fn in_an_atexit_handler() {
        let program = std::env::current_exe().unwrap();
        let output = std::process::Command::new(program)
            .args(["--exact", "c_library::late_exit", "--nocapture"])
            .env(CHILD, "1")
            .output()
            .unwrap();
        let stdout = String::from_utf8_lossy(&output.stdout);
        let stderr = String::from_utf8_lossy(&output.stderr);
        let finished = output.stdout.windows(FINISHED.len()).any(|part| part == FINISHED);
        assert!(output.status.success() && finished, "{}\n{stdout}\n{stderr}", output.status);
    }

    /// The program of the test above; run with the others it does nothing.
    #[test]
    fn late_exit() {
        extern "C" fn handler() {
            contend();
            // SAFETY: the bytes are valid for their length. Rust's own stdout is closed by now.
            unsafe { libc::write(1, FINISHED.as_ptr().cast(), FINISHED.len()) };
        }
        if std::env::var_os(CHILD).is_none() {
            return;
        }
        // SAFETY: no pointers.
        unsafe { libc::alarm(60) };
        // SAFETY: the handler calls nothing that is gone at exit; that is the claim under test.
        assert_eq!(unsafe { libc::atexit(handler) }, 0);
        for _ in 0..3 {
            // Never joined: they contend with the handler until the process ends.
            thread::spawn(|| {
                loop {
                    contend();
                }
            });
        }
        contend();
    }
}
