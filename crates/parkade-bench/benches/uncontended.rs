//! The cost of a lock nobody else wants: `cargo bench -p parkade-bench --bench uncontended`.

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use parkade_bench::subject::{LockKind, RwSubject, Subject, TimedSubject};
#[cfg(target_os = "linux")]
use parkade_bench::subjects::Pthread;
use parkade_bench::subjects::{Parkade, ParkingLot012, ParkingLot013};
use parkade_bench::{with_rw_subject, with_subject};

fn lock_unlock(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("lock-unlock");
    for id in LockKind::Mutex.subjects() {
        with_subject!(id, S => {
            let lock = <S as Subject>::new(0);
            group.bench_function(id.name(), |bencher| {
                bencher.iter(|| S::with(&lock, |value| { black_box(value); }));
            });
        });
    }
    group.finish();
}

fn try_lock(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("try_lock");
    for id in LockKind::Mutex.subjects() {
        with_subject!(id, S => {
            let lock = <S as Subject>::new(0);
            group.bench_function(id.name(), |bencher| {
                bencher.iter(|| S::try_with(&lock, |value| { black_box(value); }));
            });
        });
    }
    group.finish();
}

fn try_lock_for(criterion: &mut Criterion) {
    fn one<S: TimedSubject>(criterion: &mut Criterion) {
        let lock = S::new(0);
        let patience = black_box(Duration::from_secs(1));
        criterion.bench_function(&format!("try_lock_for/{}", S::ID), |bencher| {
            bencher.iter(|| {
                S::with_for(&lock, patience, |value| {
                    black_box(value);
                })
            });
        });
    }
    one::<Parkade>(criterion);
    one::<ParkingLot012>(criterion);
    one::<ParkingLot013>(criterion);
    #[cfg(target_os = "linux")]
    one::<Pthread>(criterion);
}

fn read_and_write(criterion: &mut Criterion) {
    fn one<S: RwSubject>(criterion: &mut Criterion) {
        let lock = S::new(0);
        criterion.bench_function(&format!("read-unlock/{}", S::ID), |bencher| {
            bencher.iter(|| S::read(&lock, |value| *black_box(value)));
        });
        criterion.bench_function(&format!("write-unlock/{}", S::ID), |bencher| {
            bencher.iter(|| S::write(&lock, |value| *black_box(value)));
        });
    }
    for id in LockKind::Rwlock.subjects() {
        with_rw_subject!(id, S => one::<S>(criterion));
    }
}

criterion_group!(benches, lock_unlock, try_lock, try_lock_for, read_and_write);
criterion_main!(benches);
