//! One function per lock that takes it and releases it, for `cargo xtask instructions` to count.
//!
//! `instr_subjects NAME TIMES` calls the function of that name so many times; without arguments it
//! lists the names.

use std::{cell::UnsafeCell, hint::black_box, thread};

macro_rules! subjects {
    ($($function:ident = $lock:ty;)+) => {
        const SUBJECTS: &[(&str, extern "C" fn())] = &[
            $((stringify!($function), $function),)+
            (stringify!(lock_unlock_std), lock_unlock_std),
            (stringify!(lock_unlock_pthread), lock_unlock_pthread),
            (stringify!(lock_unlock_nothing), lock_unlock_nothing),
        ];

        $(
            /// Takes and releases one lock.
            // SAFETY: no other symbol of this program has that name.
            #[unsafe(no_mangle)]
            #[inline(never)]
            pub extern "C" fn $function() {
                static LOCK: $lock = <$lock>::new(());
                drop(LOCK.lock());
            }
        )+
    };
}

subjects! {
    lock_unlock_parkade = parkade::Mutex<()>;
    lock_unlock_parkade_fair = parkade::FairMutex<()>;
    lock_unlock_parking_lot_012 = parking_lot_012::Mutex<()>;
    lock_unlock_parking_lot_013 = parking_lot_013::Mutex<()>;
    lock_unlock_saa = saa::Mutex<()>;
    lock_unlock_usync = usync::Mutex<()>;
}

/// As the others; poisoning included, since nobody gets std's lock without it.
// SAFETY: no other symbol of this program has that name.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn lock_unlock_std() {
    static LOCK: std::sync::Mutex<()> = std::sync::Mutex::new(());
    drop(LOCK.lock());
}

/// The mutex of the C library, where it may stay for good.
struct Pthread(UnsafeCell<libc::pthread_mutex_t>);

// SAFETY: the C library's functions may be called on it from any thread.
unsafe impl Sync for Pthread {}

/// As the others.
// SAFETY: no other symbol of this program has that name.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn lock_unlock_pthread() {
    static LOCK: Pthread = Pthread(UnsafeCell::new(libc::PTHREAD_MUTEX_INITIALIZER));
    // SAFETY: initialised, never moved, never destroyed.
    unsafe { libc::pthread_mutex_lock(LOCK.0.get()) };
    // SAFETY: as above, and just locked by this thread.
    unsafe { libc::pthread_mutex_unlock(LOCK.0.get()) };
}

/// What a call costs that does nothing.
// SAFETY: no other symbol of this program has that name.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn lock_unlock_nothing() {}

fn main() {
    let mut args = std::env::args().skip(1);
    let (Some(name), Some(times)) = (args.next(), args.next()) else {
        SUBJECTS.iter().for_each(|(name, _)| println!("{name}"));
        return;
    };
    let (_, subject) =
        SUBJECTS.iter().find(|(subject, _)| *subject == name).expect("a name from the list");
    let times: u32 = times.parse().expect("a number of calls");

    // With one thread the C library takes its locks without atomic instructions.
    thread::spawn(|| {
        loop {
            thread::park();
        }
    });
    for _ in 0..times {
        black_box(subject)();
    }
}
