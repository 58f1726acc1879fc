//! Where the scheduler puts threads.

use std::hint::spin_loop;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::{CalibrateError, median, sys};

/// How long three busy threads share a processor before an idle one takes one of them; nothing if none does.
pub(super) fn pull(one: usize, two: usize) -> Result<Option<f64>, CalibrateError> {
    const THREADS: u32 = 3;
    const MOST: Duration = Duration::from_millis(100);
    let run = |_| {
        let ready = AtomicU32::new(0);
        let busy = || -> Result<Option<f64>, CalibrateError> {
            sys::pin(one)?;
            ready.fetch_add(1, Ordering::AcqRel);
            while ready.load(Ordering::Acquire) < THREADS {
                thread::yield_now();
            }
            // The processors have been like this for a while.
            let settled = Instant::now();
            while settled.elapsed() < Duration::from_millis(20) {
                spin_loop();
            }
            sys::allow(&[one, two])?;
            let begin = Instant::now();
            while begin.elapsed() < MOST {
                if sys::current()? == two {
                    return Ok(Some(begin.elapsed().as_nanos() as f64));
                }
            }
            Ok(None)
        };
        let moved: Result<Vec<_>, _> = thread::scope(|scope| {
            let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(busy)).collect();
            threads.into_iter().map(|t| t.join().expect("an experiment does not panic")).collect()
        });
        Ok(moved?.into_iter().flatten().min_by(f64::total_cmp))
    };
    let moves: Result<Vec<_>, CalibrateError> = (0..5).map(run).collect();
    let moves: Vec<f64> = moves?.into_iter().flatten().collect();
    Ok((!moves.is_empty()).then(|| median(moves)))
}

/// The part of the time for which a waker's processor may be busy and still keep those it wakes although
/// another one is idle: half of them stay there at that load.
pub(super) fn pack_below(one: usize, two: usize) -> Result<f64, CalibrateError> {
    const LOADS: [f64; 7] = [0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9];
    let mut limit = 0.0;
    for (at, load) in LOADS.into_iter().enumerate() {
        if stays(one, two, load)? < 0.5 {
            break;
        }
        limit = load + if at + 1 < LOADS.len() { (LOADS[at + 1] - load) / 2.0 } else { 0.0 };
    }
    Ok(limit)
}

/// The part of wake-ups after which the woken thread still runs on its waker's processor, which is busy for
/// that part of the time.
fn stays(one: usize, two: usize, load: f64) -> Result<f64, CalibrateError> {
    const PERIOD: Duration = Duration::from_millis(1);
    /// Periods before the first wake-up that counts: the scheduler's memory is 32 ms long.
    const SETTLE: u32 = 100;
    const SAMPLES: u32 = 24;
    let word = AtomicU32::new(0);
    let over = AtomicBool::new(false);
    let sleeper = || -> Result<u32, CalibrateError> {
        let mut stayed = 0;
        for round in 0..SAMPLES {
            // It must have run there last, and be free to go.
            sys::pin(one)?;
            sys::allow(&[one, two])?;
            while word.load(Ordering::Acquire) == round && !over.load(Ordering::Acquire) {
                sys::wait(&word, round);
            }
            stayed += u32::from(sys::current()? == one);
        }
        Ok(stayed)
    };
    let waker = || -> Result<(), CalibrateError> {
        let pinned = sys::pin(one);
        for period in 0..SETTLE + SAMPLES {
            let begin = Instant::now();
            while begin.elapsed() < PERIOD.mul_f64(load) {
                spin_loop();
            }
            if period >= SETTLE {
                word.fetch_add(1, Ordering::Release);
                sys::wake(&word);
            }
            thread::sleep(PERIOD.saturating_sub(begin.elapsed()));
        }
        over.store(true, Ordering::Release);
        sys::wake(&word);
        pinned
    };
    super::both(sleeper, waker).map(|(stayed, ())| f64::from(stayed) / f64::from(SAMPLES))
}
