//! Stacks that are kept for the next thread of a model.
//!
//! Loom gives each modelled thread a stack of its own and takes it away again, in each of the hundreds of thousands of
//! executions of a model. To map, guard, fault in and unmap those stacks takes longer than what runs on them. A program that
//! names this crate (`use parkade_stacks as _;`) keeps them: [`mmap`], [`mprotect`] and [`munmap`], which it then finds here
//! instead of in the C library, do what they do there, except that
//!
//! 1. a stack (`MAP_STACK`) that is unmapped stays mapped, and is what the next `mmap` of a stack of its length returns;
//! 2. its guard stays too, and is not made again.
//!
//! So whoever maps a stack here finds in it what its predecessor has left, not zeroes. Coroutines do not read what they have
//! not written. For the models of this workspace, which is why it is not published.

#[cfg(target_os = "linux")]
mod kept;
#[cfg(target_os = "linux")]
pub use kept::{mmap, mprotect, munmap};
