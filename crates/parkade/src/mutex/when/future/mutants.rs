//! Protocols that look right and are not. Each has to fail under loom: `cargo xtask weaken` runs them.

use super::model::{behind_a_task_that_is_not_polled, one_waits};
use crate::{RawMutex, requeue::Conditions};

/// A release that knows of no conditions.
fn release_without_a_look(raw: &RawMutex) {
    raw.release_looked(Conditions::AllFalse);
}

#[test]
#[ignore = "has to fail"]
fn release_and_move_no_task() {
    one_waits(release_without_a_look);
}

/// A release that puts tasks in line, and relies on them to look at the conditions of threads.
fn release_and_move_tasks_only(raw: &RawMutex) {
    raw.move_tasks();
    raw.release_looked(Conditions::AllFalse);
}

#[test]
#[ignore = "has to fail"]
fn move_a_task_and_look_at_no_thread() {
    behind_a_task_that_is_not_polled(release_and_move_tasks_only);
}
