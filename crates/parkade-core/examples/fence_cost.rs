//! What a heavy fence costs the thread that calls it, and a bystander that only computes.
//! `cargo run --release -p parkade-core --example fence_cost`

use parkade_core::fence;
use std::{
    hint::black_box,
    sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    thread,
    time::{Duration, Instant},
};

const RUN: Duration = Duration::from_millis(500);

/// Nanoseconds per call, the median of many batches.
fn cost_of(fence: fn()) -> f64 {
    let mut batches: Vec<f64> = (0..101)
        .map(|_| {
            let start = Instant::now();
            (0..100).for_each(|_| fence());
            start.elapsed().as_nanos() as f64 / 100.0
        })
        .collect();
    batches.sort_by(f64::total_cmp);
    batches[batches.len() / 2]
}

/// Steps that a computing thread makes while this one runs `beside`.
fn bystander(beside: impl FnOnce()) -> u64 {
    let (stop, steps) = (AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut value = 1_u64;
            while !stop.load(Relaxed) {
                for _ in 0..1000 {
                    value = black_box(value.wrapping_mul(3).wrapping_add(1));
                }
                steps.fetch_add(1000, Relaxed);
            }
        });
        beside();
        stop.store(true, Relaxed);
    });
    steps.into_inner()
}

/// Heavy fences at a steady rate for the length of a run.
fn fences_every(pause: Duration) {
    let start = Instant::now();
    while start.elapsed() < RUN {
        fence::heavy();
        let next = Instant::now() + pause;
        while Instant::now() < next {
            thread::sleep(next.saturating_duration_since(Instant::now()));
        }
    }
}

fn main() {
    println!("strategy: {:?}", fence::strategy());
    println!("light fence: {:.1} ns", cost_of(fence::light));
    println!("heavy fence, alone: {:.0} ns", cost_of(fence::heavy));
    let mut beside = 0.0;
    bystander(|| beside = cost_of(fence::heavy));
    println!("heavy fence, beside a running thread: {beside:.0} ns");

    let mut ratios: [Vec<f64>; 2] = [Vec::new(), Vec::new()];
    for _ in 0..5 {
        let quiet = bystander(|| thread::sleep(RUN)) as f64;
        for (rate, pause) in [Duration::from_millis(1), Duration::ZERO].into_iter().enumerate() {
            ratios[rate].push(bystander(|| fences_every(pause)) as f64 / quiet);
        }
    }
    for (name, ratios) in ["1,000 a second", "without pause"].iter().zip(&mut ratios) {
        ratios.sort_by(f64::total_cmp);
        println!("bystander beside heavy fences {name}: {:.3}x its speed", ratios[2]);
    }
}
