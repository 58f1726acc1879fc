//! Cache lines: who has a copy, and how long it takes another core to get one.
//!
//! A line has one owner, which may write it, or any number of readers. A request takes part of a
//! transfer to reach whoever has the line; until then that core goes on using it, and so gets several
//! operations done for each transfer. Requests are served one after the other, in random order, and this
//! is what makes a lock collapse that many threads poll.

use crate::machine::Costs;
use crate::rng::Rng;
use crate::time::Ps;

/// A transfer takes up to this part more or less. Without it two cores fall into step, and one of them
/// may find a lock held for ever.
const SPREAD: f64 = 0.3;

/// Names a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LineId(pub u32);

/// More caches than this are refused by `Machine::check`.
pub const MOST_CACHES: usize = 256;

/// A set of caches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Caches([u64; MOST_CACHES / 64]);

impl Caches {
    const NONE: Caches = Caches([0; MOST_CACHES / 64]);

    fn only(cache: usize) -> Caches {
        let mut set = Caches::NONE;
        set.insert(cache);
        set
    }

    fn insert(&mut self, cache: usize) {
        self.0[cache / 64] |= 1 << (cache % 64);
    }

    fn contains(&self, cache: usize) -> bool {
        self.0[cache / 64] & (1 << (cache % 64)) != 0
    }
}

/// What a core wants to do with a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Load.
    Read,
    /// Change by a locked instruction.
    Write,
}

/// Who may use a line.
#[derive(Debug, Clone, Copy)]
struct Copies {
    /// The cache that wrote it last; it has the only copy unless `shared`.
    writer: usize,
    shared: bool,
    holders: Caches,
    /// The sockets of the holders, a bit each.
    sockets: u64,
}

impl Copies {
    fn only(cache: usize, socket: u64) -> Copies {
        Copies { writer: cache, shared: false, holders: Caches::only(cache), sockets: socket }
    }

    fn is_owned_by(&self, cache: usize) -> bool {
        self.writer == cache && !self.shared
    }
}

/// One cache line.
#[derive(Debug, Clone)]
pub struct Line {
    copies: Copies,
    /// The copies there were before the last request, valid until it reaches them.
    before: Copies,
    leaves: Ps,
    /// When the last request is served.
    busy_until: Ps,
    /// When anybody used it last, and who.
    used: Ps,
    user: usize,
    /// Caches whose core executes its next look ahead of time, and until when: such a look is made again
    /// as soon as the line is written.
    watchers: Vec<(usize, Ps)>,
    rng: Rng,
}

impl Line {
    /// A line last written by cache 0.
    #[must_use]
    pub fn new(seed: u64) -> Line {
        let copies = Copies::only(0, 1);
        Line {
            copies,
            before: copies,
            leaves: 0,
            busy_until: 0,
            used: 0,
            user: 0,
            watchers: Vec::new(),
            rng: Rng::new(seed),
        }
    }

    /// Until when a request by `cache` has to compete with others that wait; `None` if it is served
    /// at once.
    #[must_use]
    pub fn contended_until(
        &self,
        cache: usize,
        access: Access,
        now: Ps,
        costs: &Costs,
    ) -> Option<Ps> {
        if self.busy_until <= now || (costs.one_cache && access == Access::Read) {
            return None;
        }
        let of = |copies: &Copies| match access {
            Access::Read => copies.holders.contains(cache),
            Access::Write => copies.is_owned_by(cache) || self.is_for(cache, costs),
        };
        let has_it = of(&self.copies) || (now < self.leaves && of(&self.before));
        (!has_it).then_some(self.busy_until)
    }

    /// When the last request for it is served.
    #[must_use]
    pub fn busy_until(&self) -> Ps {
        self.busy_until
    }

    /// Whether `cache` may write what it read: hardware threads with a common cache fight over a line that
    /// both use, but need not ask for it twice.
    fn is_for(&self, cache: usize, costs: &Costs) -> bool {
        costs.one_cache && self.user == cache && self.copies.holders.contains(cache)
    }

    /// The core of `cache` has looked, and until then it waits for its next look, which it executes ahead of
    /// time.
    pub fn watch(&mut self, cache: usize, until: Ps) {
        self.watchers.retain(|(watcher, _)| *watcher != cache);
        self.watchers.push((cache, until));
    }

    /// The line has been written by `cache` at `ready`: who watches it asks for it.
    fn call_watchers(&mut self, cache: usize, ready: Ps, costs: &Costs) {
        if self.watchers.is_empty() {
            return;
        }
        let mut watchers = std::mem::take(&mut self.watchers);
        watchers.retain(|(watcher, until)| *watcher != cache && ready < *until);
        for (watcher, _) in &watchers {
            self.fetch(*watcher, ready, costs);
        }
        self.watchers = watchers;
    }

    fn vary(&mut self, latency: Ps) -> Ps {
        (latency as f64 * (1.0 - SPREAD + 2.0 * SPREAD * self.rng.unit())) as Ps
    }

    /// When a load by `cache` that begins at `now` has its value.
    pub fn load(&mut self, cache: usize, now: Ps, costs: &Costs) -> Ps {
        let ready = self.fetch(cache, now, costs);
        self.used = self.used.max(ready);
        ready + costs.load
    }

    /// When `cache` has a copy.
    fn fetch(&mut self, cache: usize, now: Ps, costs: &Costs) -> Ps {
        if costs.one_cache {
            // It is here; but the other one may no longer write it as if it were alone.
            self.user = cache;
            self.copies.shared |= self.copies.writer != cache;
            self.copies.holders.insert(cache);
            return now;
        }
        if now < self.leaves && self.before.holders.contains(cache) {
            return now;
        }
        self.user = cache;
        if self.copies.holders.contains(cache) {
            // The copy may still be on its way, if a store has asked for it.
            let here = if self.copies.is_owned_by(cache) { self.busy_until } else { now };
            return now.max(here);
        }
        let begin = now.max(self.busy_until);
        let latency =
            self.vary(costs.transfer(costs.socket_bit(self.copies.writer), cache, self.used, now));
        if !self.copies.shared {
            self.before = self.copies;
            self.leaves = begin + (latency as f64 * costs.reach) as Ps;
        }
        // Once shared, the last-level cache serves further readers by itself.
        let service = if self.copies.shared { costs.share_service } else { latency };
        self.busy_until = begin + service;
        self.copies.shared = true;
        self.copies.holders.insert(cache);
        self.copies.sockets |= costs.socket_bit(cache);
        begin + latency
    }

    /// When a read-modify-write by `cache` that begins at `now` is done.
    pub fn modify(&mut self, cache: usize, now: Ps, costs: &Costs) -> Ps {
        self.own(cache, now, costs) + costs.rmw
    }

    /// When others can see a store by `cache` that asks for the line at `now`.
    pub fn store(&mut self, cache: usize, now: Ps, costs: &Costs) -> Ps {
        self.own(cache, now, costs) + costs.store
    }

    fn use_until(&mut self, cache: usize, ready: Ps) {
        self.used = self.used.max(ready);
        self.user = cache;
    }

    /// When `cache` may write.
    fn own(&mut self, cache: usize, now: Ps, costs: &Costs) -> Ps {
        if now < self.leaves && self.before.is_owned_by(cache) {
            self.used = self.used.max(now);
            return now;
        }
        let begin = now.max(self.busy_until);
        if self.copies.is_owned_by(cache) {
            self.use_until(cache, begin);
            return begin;
        }
        let socket = costs.socket_bit(cache);
        if self.is_for(cache, costs) {
            self.copies = Copies::only(cache, socket);
            self.use_until(cache, begin);
            self.call_watchers(cache, begin, costs);
            return begin;
        }
        // To write a shared line is to invalidate the other copies, wherever they are.
        let latency = self.vary(costs.transfer(self.copies.sockets, cache, self.used, now));
        self.before = self.copies;
        self.leaves = begin + (latency as f64 * costs.reach) as Ps;
        self.copies = Copies::only(cache, socket);
        let ready = begin + latency;
        self.busy_until = ready;
        self.use_until(cache, ready);
        self.call_watchers(cache, ready, costs);
        ready
    }
}

#[cfg(test)]
mod tests {
    use super::Line;
    use crate::machine::Machine;
    use crate::time::Ps;

    /// Transfers vary; the rest must be exact.
    fn about(time: Ps, expected: Ps) -> bool {
        time.abs_diff(expected) <= expected / 3
    }

    #[test]
    fn an_owner_writes_cheaply_and_others_fetch() {
        let costs = Machine::stored("i9-10980xe").unwrap().costs();
        let mut line = Line::new(1);
        assert_eq!(line.modify(0, 0, &costs), costs.rmw);
        let begin = 1000;
        let fetched = line.modify(1, begin, &costs) - begin - costs.rmw;
        assert!(about(fetched, costs.near), "{fetched}");
        // The request has not reached cache 0 yet.
        assert_eq!(line.modify(0, begin + 1, &costs), begin + 1 + costs.rmw);
        // Now it has, and cache 0 must fetch the line back once it has arrived there.
        let back = line.modify(0, begin + fetched / 2, &costs) - begin - fetched - costs.rmw;
        assert!(about(back, costs.near), "{back}");
    }

    #[test]
    fn readers_of_a_written_line_queue() {
        let costs = Machine::stored("i9-10980xe").unwrap().costs();
        let mut line = Line::new(1);
        let served: Vec<_> = (1..10).map(|cache| line.load(cache, 0, &costs)).collect();
        assert!(about(served[0], costs.near));
        assert!(about(served[8], 2 * costs.near + 7 * costs.share_service));
        // Reading again is free, writing is not.
        let later = 10 * served[8];
        assert_eq!(line.load(3, later, &costs), later + costs.load);
        assert!(line.modify(3, later, &costs) > later + costs.near / 2);
    }
}
