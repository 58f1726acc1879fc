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
    /// Store.
    Write,
    /// Change by a locked instruction, during which the line stays.
    Modify,
}

/// How a request for a line goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// The access is done at that time.
    Done(Ps),
    /// The request competes again then with all that wait for the line.
    Compete(Ps),
    /// The request gets to who has the line at that time; ask again then.
    Travel(Ps, Ticket),
}

/// A request that is on its way to who has the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticket {
    number: u64,
    /// How long the line takes once it leaves.
    rest: Ps,
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
    /// Until when it is on its way, or a request to it.
    busy_until: Ps,
    /// In a common cache: until when a locked instruction keeps it.
    locked_until: Ps,
    /// How long after it a request that waits gets the line.
    gap: Ps,
    /// The last request's.
    ticket: u64,
    /// When anybody used it last.
    used: Ps,
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
            locked_until: 0,
            gap: 0,
            ticket: 0,
            used: 0,
            rng: Rng::new(seed),
        }
    }

    /// Until when somebody waits for it or for its turn.
    #[must_use]
    pub fn busy_until(&self) -> Ps {
        self.busy_until
    }

    fn vary(&mut self, latency: Ps) -> Ps {
        (latency as f64 * (1.0 - SPREAD + 2.0 * SPREAD * self.rng.unit())) as Ps
    }

    /// `cache` wants to use the line at `now`. After [`Answer::Travel`] it asks again with the ticket.
    pub fn ask(
        &mut self,
        cache: usize,
        access: Access,
        ticket: Option<Ticket>,
        now: Ps,
        costs: &Costs,
    ) -> Answer {
        if costs.one_cache {
            return self.ask_in_common_cache(cache, access, ticket, now, costs);
        }
        if self.must_compete(cache, access, now) {
            return Answer::Compete(self.busy_until);
        }
        let ready = match access {
            Access::Read => self.fetch(cache, now, costs),
            Access::Write | Access::Modify => self.own(cache, now, costs),
        };
        Answer::Done(self.access(access, ready, costs))
    }

    /// When an access is done that has the line at `ready`.
    fn access(&mut self, access: Access, ready: Ps, costs: &Costs) -> Ps {
        self.used = self.used.max(ready);
        match access {
            Access::Read => ready + costs.load,
            Access::Write => ready + costs.store,
            Access::Modify => {
                self.locked_until = self.locked_until.max(ready + costs.rmw);
                ready + costs.rmw
            }
        }
    }

    // Caches of their own.

    /// Whether a request by `cache` has to compete with others that wait.
    fn must_compete(&self, cache: usize, access: Access, now: Ps) -> bool {
        if self.busy_until <= now {
            return false;
        }
        let of = |copies: &Copies| match access {
            Access::Read => copies.holders.contains(cache),
            Access::Write | Access::Modify => copies.is_owned_by(cache),
        };
        !(of(&self.copies) || (now < self.leaves && of(&self.before)))
    }

    /// When `cache` has a copy.
    fn fetch(&mut self, cache: usize, now: Ps, costs: &Costs) -> Ps {
        if now < self.leaves && self.before.holders.contains(cache) {
            return now;
        }
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

    /// When `cache` may write.
    fn own(&mut self, cache: usize, now: Ps, costs: &Costs) -> Ps {
        if now < self.leaves && self.before.is_owned_by(cache) {
            return now;
        }
        let begin = now.max(self.busy_until);
        if self.copies.is_owned_by(cache) {
            return begin;
        }
        // To write a shared line is to invalidate the other copies, wherever they are.
        let latency = self.vary(costs.transfer(self.copies.sockets, cache, self.used, now));
        self.before = self.copies;
        self.leaves = begin + (latency as f64 * costs.reach) as Ps;
        self.copies = Copies::only(cache, costs.socket_bit(cache));
        self.busy_until = begin + latency;
        self.busy_until
    }

    // Hardware threads with a common cache, which a hypervisor may show as cores.

    /// There are no copies: whoever uses the line, to read or to write, has it. Who has it keeps it during a
    /// locked instruction, and during the next one if that follows at once, so that a poller hardly ever finds
    /// a lock free that is locked again at once.
    fn ask_in_common_cache(
        &mut self,
        cache: usize,
        access: Access,
        ticket: Option<Ticket>,
        now: Ps,
        costs: &Costs,
    ) -> Answer {
        if let Some(ticket) = ticket.filter(|ticket| ticket.number == self.ticket) {
            return self.arrived(cache, access, ticket, now, costs);
        }
        if self.copies.is_owned_by(cache) {
            return Answer::Done(self.access(access, now, costs));
        }
        if self.busy_until > now {
            return Answer::Compete(self.busy_until);
        }
        let latency = self.vary(costs.transfer(self.copies.sockets, cache, self.used, now));
        let way = (latency as f64 * costs.reach) as Ps;
        self.busy_until = now + latency;
        self.ticket += 1;
        Answer::Travel(now + way, Ticket { number: self.ticket, rest: latency - way })
    }

    /// The request is where the line is.
    fn arrived(
        &mut self,
        cache: usize,
        access: Access,
        ticket: Ticket,
        now: Ps,
        costs: &Costs,
    ) -> Answer {
        if now < self.locked_until + self.gap {
            self.gap = self.rng.below(2 * costs.lets_go.max(1));
            let leaves = self.locked_until.max(now) + self.gap;
            self.busy_until = leaves + ticket.rest;
            return Answer::Travel(leaves, ticket);
        }
        self.ticket += 1;
        self.busy_until = now + ticket.rest;
        self.copies = Copies::only(cache, costs.socket_bit(cache));
        Answer::Done(self.access(access, self.busy_until, costs))
    }
}

#[cfg(test)]
mod tests {
    use super::{Access, Answer, Line};
    use crate::machine::{Costs, Machine};
    use crate::time::Ps;

    /// Transfers vary; the rest must be exact.
    fn about(time: Ps, expected: Ps) -> bool {
        time.abs_diff(expected) <= expected / 3
    }

    /// When an access is done that nobody disturbs.
    fn done(line: &mut Line, cache: usize, access: Access, now: Ps, costs: &Costs) -> Ps {
        let (mut at, mut ticket) = (now, None);
        loop {
            match line.ask(cache, access, ticket, at, costs) {
                Answer::Done(at) => return at,
                Answer::Compete(again) => (at, ticket) = (again, None),
                Answer::Travel(again, mine) => (at, ticket) = (again, Some(mine)),
            }
        }
    }

    #[test]
    fn an_owner_writes_cheaply_and_others_fetch() {
        let costs = Machine::stored("i9-10980xe").unwrap().costs();
        let mut line = Line::new(1);
        assert_eq!(done(&mut line, 0, Access::Modify, 0, &costs), costs.rmw);
        let begin = 1000;
        let fetched = done(&mut line, 1, Access::Modify, begin, &costs) - begin - costs.rmw;
        assert!(about(fetched, costs.near), "{fetched}");
        // The request has not reached cache 0 yet.
        let again = line.ask(0, Access::Modify, None, begin + 1, &costs);
        assert_eq!(again, Answer::Done(begin + 1 + costs.rmw));
        // Now it has, and cache 0 must fetch the line back once it has arrived there.
        let half = begin + fetched / 2 + fetched / 4;
        let back = done(&mut line, 0, Access::Modify, half, &costs) - begin - fetched - costs.rmw;
        assert!(about(back, costs.near), "{back}");
    }

    #[test]
    fn in_a_common_cache_a_line_stays_during_locked_instructions_that_follow_each_other() {
        let costs = Machine::stored("epyc-2").unwrap().costs();
        let mut line = Line::new(1);
        let Answer::Travel(there, ticket) = line.ask(1, Access::Read, None, 0, &costs) else {
            panic!("cache 0 has the line")
        };
        let first = done(&mut line, 0, Access::Modify, there - 1, &costs);
        let Answer::Travel(again, _) = line.ask(1, Access::Read, Some(ticket), there, &costs)
        else {
            panic!("a locked instruction is in progress")
        };
        assert!((first..=first + 2 * costs.lets_go).contains(&again), "{again}");
        let second = done(&mut line, 0, Access::Modify, first, &costs);
        let Answer::Travel(again, _) = line.ask(1, Access::Read, Some(ticket), again, &costs)
        else {
            panic!("another one is in progress")
        };
        assert!(again >= second);
        let got = line.ask(1, Access::Read, Some(ticket), again, &costs);
        assert_eq!(got, Answer::Done(line.busy_until() + costs.load));
        // Who has read it may write it.
        let write = line.ask(1, Access::Modify, None, line.busy_until(), &costs);
        assert_eq!(write, Answer::Done(line.busy_until() + costs.rmw));
    }

    #[test]
    fn readers_of_a_written_line_queue() {
        let costs = Machine::stored("i9-10980xe").unwrap().costs();
        let mut line = Line::new(1);
        let served: Vec<_> =
            (1..10).map(|cache| done(&mut line, cache, Access::Read, 0, &costs)).collect();
        assert!(about(served[0], costs.near));
        assert!(about(served[8], 2 * costs.near + 7 * costs.share_service));
        // Reading again is free, writing is not.
        let later = 10 * served[8];
        assert_eq!(done(&mut line, 3, Access::Read, later, &costs), later + costs.load);
        assert!(done(&mut line, 3, Access::Modify, later, &costs) > later + costs.near / 2);
    }
}
