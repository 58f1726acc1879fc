//! smoke
use parkade::{RwLock, RwLockUpgradableReadGuard, prelude::*};
use std::sync::Arc;
use std::time::{Duration, Instant};

#[test]
fn smoke() {
    for threads in [2, 4, 8, 16] {
        let lock = Arc::new(RwLock::new((0u64, 0u64)));
        let end = Instant::now() + Duration::from_millis(1500);
        let hs: Vec<_> = (0..threads)
            .map(|t| {
                let lock = lock.clone();
                std::thread::spawn(move || {
                    let mut n = 0u64;
                    let mut w = 0u64;
                    let mut r = t as u64 * 7919 + 1;
                    while Instant::now() < end {
                        for _ in 0..100 {
                            r = r
                                .wrapping_mul(6364136223846793005)
                                .wrapping_add(1442695040888963407);
                            match (r >> 33) % 100 {
                                0..=79 => {
                                    let g = lock.read();
                                    assert_eq!(g.0, g.1);
                                }
                                80..=84 => {
                                    let g = lock.read();
                                    let h = lock.read_recursive();
                                    assert_eq!(g.0, h.1);
                                }
                                85..=89 => {
                                    let mut g = lock.write();
                                    g.0 += 1;
                                    g.1 += 1;
                                    w += 1;
                                }
                                90..=91 => {
                                    let g = lock.upgradable_read();
                                    let mut g = RwLockUpgradableReadGuard::upgrade(g);
                                    g.0 += 1;
                                    g.1 += 1;
                                    w += 1;
                                }
                                92 => {
                                    if let Some(mut g) =
                                        lock.try_write_for(Duration::from_micros((r >> 20) % 1000))
                                    {
                                        g.0 += 1;
                                        g.1 += 1;
                                        w += 1;
                                    }
                                }
                                93 => {
                                    if let Some(g) =
                                        lock.try_read_for(Duration::from_micros((r >> 20) % 1000))
                                    {
                                        assert_eq!(g.0, g.1);
                                    }
                                }
                                94 => {
                                    if let Some(mut g) = lock.try_write() {
                                        g.0 += 1;
                                        g.1 += 1;
                                        w += 1;
                                    }
                                }
                                _ => {
                                    let mut g = lock.write();
                                    g.0 += 1;
                                    g.1 += 1;
                                    w += 1;
                                    let g = parkade::RwLockWriteGuard::downgrade(g);
                                    assert_eq!(g.0, g.1);
                                }
                            }
                            n += 1;
                        }
                    }
                    (n, w)
                })
            })
            .collect();
        let mut total = 0;
        let mut writes = 0;
        for h in hs {
            let (n, w) = h.join().unwrap();
            total += n;
            writes += w;
        }
        assert_eq!(lock.read().0, writes);
        eprintln!("{threads}: {total} ops {writes} writes");
    }
}
