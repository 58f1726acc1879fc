//! Whom a look wakes to compete: tasks, in their order, and the first thread.
//!
//! # Theory
//!
//! A task that was woken takes its permits when it is polled. Until then they are available, and yet *spoken for*: whoever is
//! woken for them too comes in vain. No bit says how many these are. But a look goes on until what is not spoken for is less than the
//! next task wants. So when `news` more come (or are spoken for no more), there are fewer than `news` and what the first task wants together,
//! and a look wakes tasks for as many at the most:
//!
//! * not for fewer, or a task could sleep though its permits are there;
//! * not for all there are: a hundred releases of one permit each, before anybody is polled, would wake five thousand
//!   tasks for a hundred permits; and those in vain queue again at the front, the last first.
//!
//! What is woken thus is woken in vain only where requests differ in size.
//!
//! Threads do not rely on tasks, so what is spoken for is nothing to them.

#![forbid(unsafe_code)]

use crate::task::REACH;
use parkade_core::FilterOp;

/// What a look has found to do so far.
#[derive(Debug, Clone, Copy)]
pub(super) struct Call {
    news: usize,
    /// For how many permits tasks are woken; known once there is a first task.
    limit: Option<usize>,
    spoken_for: usize,
    first: First,
    /// So many more that are not woken may stand before the thread.
    reach: u32,
}

/// Who was the first that it met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum First {
    Nobody,
    Task,
    /// Nobody behind it concerns this look: it looks once it has what it wants.
    Thread,
}

impl Call {
    /// For who has brought so many permits, or has spoken for them and does not want them.
    pub(super) fn with_news(news: usize) -> Call {
        Call { news, limit: None, spoken_for: 0, first: First::Nobody, reach: REACH }
    }

    /// For who has been relied on by others, and does not know what has come meanwhile.
    pub(super) fn with_all() -> Call {
        Call::with_news(usize::MAX)
    }

    /// Wakes threads alone.
    pub(super) fn threads() -> Call {
        Call { limit: Some(0), ..Call::with_news(0) }
    }

    /// Whether it has met a thread.
    pub(super) fn is_over(&self) -> bool {
        self.first == First::Thread
    }

    pub(super) fn thread(&mut self) -> FilterOp {
        self.first = First::Thread;
        FilterOp::Unpark
    }

    /// A task, first come, first served. If it is the first in line, permits that do not suffice accumulate for it.
    pub(super) fn task_in_order(&mut self, want: usize, permits: usize) -> FilterOp {
        if self.first == First::Nobody && want > permits {
            return FilterOp::Stop;
        }
        self.first = First::Task;
        if self.speaks_for(want, permits) {
            return FilterOp::Unpark;
        }
        // No task behind it is woken, however little it wants.
        self.limit = Some(0);
        self.pass()
    }

    /// A task, under barging. One for which there are too few keeps nobody waiting.
    pub(super) fn task_barging(&mut self, want: usize, permits: usize) -> FilterOp {
        if self.first == First::Nobody && want > permits {
            return FilterOp::Skip;
        }
        self.first = First::Task;
        if self.speaks_for(want, permits) { FilterOp::Unpark } else { self.pass() }
    }

    fn speaks_for(&mut self, want: usize, permits: usize) -> bool {
        if want > permits {
            return false;
        }
        let limit = *self.limit.get_or_insert(self.news.saturating_add(want - 1));
        let speaks = want <= permits.min(limit).saturating_sub(self.spoken_for);
        self.spoken_for += if speaks { want } else { 0 };
        speaks
    }

    fn pass(&mut self) -> FilterOp {
        if self.reach == 0 {
            return FilterOp::Stop;
        }
        self.reach -= 1;
        FilterOp::Skip
    }
}
