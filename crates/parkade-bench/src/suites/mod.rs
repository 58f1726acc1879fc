//! Benchmarks published by others.
