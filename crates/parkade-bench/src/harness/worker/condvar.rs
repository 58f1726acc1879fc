//! The loops on condition variables. Whoever is notified is notified under the mutex, as in the examples of
//! std's and parking_lot's documentation.

use std::hint::black_box;
use std::sync::atomic::Ordering;

use super::{Outcome, Worker, granted, waiting};
use crate::harness::Padded;
use crate::scenario::CondvarShape;
use crate::sides::Access;
use crate::subject::{Call, CondvarSubject, Room};
use crate::waits::Due;

/// Where the threads of a shape wait that are served by the thread number 0.
const SERVED: Room = Room::First;
/// Where that thread waits.
const SERVER: Room = Room::Second;

impl Worker<'_> {
    /// As [`work`](Worker::work), with condition variables. When the run is to stop, somebody has to call all
    /// who wait ([`wake`]).
    pub(in crate::harness) fn work_condvar<S: CondvarSubject>(
        self,
        shape: CondvarShape,
        threads: u32,
        locks: &[Padded<S::Lock>],
    ) -> Outcome {
        let lock = &locks[0].0;
        self.timed(|worker| match (shape, worker.index) {
            (CondvarShape::PingPong, _) => worker.ping_pong::<S>(lock),
            (CondvarShape::Queue { capacity, outside }, 0) => {
                worker.produce::<S>(lock, capacity, outside);
            }
            (CondvarShape::Queue { outside, .. }, _) => worker.consume::<S>(lock, outside),
            (CondvarShape::Broadcast, 0) => worker.broadcast::<S>(lock, threads - 1),
            (CondvarShape::Broadcast, _) => worker.listen::<S>(lock, threads - 1),
        })
    }

    /// One operation: waits in `room` for `ready`, then runs `section`, unless the run stops meanwhile. The
    /// time it waits for what makes it ready is part of its wait.
    fn enter_when<S: CondvarSubject>(
        &mut self,
        lock: &S::Lock,
        room: Room,
        ready: impl Fn(u64) -> bool,
        section: impl FnOnce(&mut u64) -> Call,
    ) {
        let (desk, stop, clock) = (self.desk, &self.stage.stop.0, self.clock);
        desk.store(waiting(self.ops, Access::Write), Ordering::Relaxed);
        let asked = match self.samplers.write.due() {
            Due::Now => Some(clock.ticks()),
            Due::Later => None,
        };
        let (mut begun, mut done) = (None, false);
        S::when(
            lock,
            room,
            |value| ready(value) || stop.load(Ordering::Relaxed),
            |value| {
                begun = asked.map(|_| clock.ticks());
                desk.store(granted(self.ops), Ordering::Relaxed);
                done = ready(*value);
                if done { section(value) } else { Call::Nobody }
            },
        );
        if done {
            self.ops += 1;
            if let (Some(asked), Some(begun)) = (asked, begun) {
                self.samplers.write.record(asked, begun);
            }
        }
    }

    /// The value counts turns, and two threads take them in turn.
    fn ping_pong<S: CondvarSubject>(&mut self, lock: &S::Lock) {
        let mine = u64::from(self.index) % 2;
        let (here, there) = if mine == 0 { (SERVER, SERVED) } else { (SERVED, SERVER) };
        while self.goes_on() {
            let turn = |value: &mut u64| {
                *value = value.wrapping_add(1);
                Call::One(there)
            };
            self.enter_when::<S>(lock, here, |value| value % 2 == mine, turn);
        }
    }

    /// The value is the length of a queue.
    fn produce<S: CondvarSubject>(&mut self, lock: &S::Lock, capacity: u32, outside: u32) {
        let (work, mut own) = (self.work, 1);
        while self.goes_on() {
            own = work.run(own, outside);
            let put = |value: &mut u64| {
                *value += 1;
                Call::One(SERVED)
            };
            self.enter_when::<S>(lock, SERVER, |value| value < capacity.into(), put);
        }
        black_box(own);
    }

    fn consume<S: CondvarSubject>(&mut self, lock: &S::Lock, outside: u32) {
        let (work, mut own) = (self.work, 1);
        while self.goes_on() {
            let take = |value: &mut u64| {
                *value -= 1;
                Call::One(SERVER)
            };
            self.enter_when::<S>(lock, SERVED, |value| value > 0, take);
            own = work.run(own, outside);
        }
        black_box(own);
    }

    /// The value is the number of the broadcast, and how many of the others have heard it.
    fn broadcast<S: CondvarSubject>(&mut self, lock: &S::Lock, others: u32) {
        while self.goes_on() {
            let all_have_heard = |value| heard(value) == others;
            let next = |value: &mut u64| {
                *value = broadcast(number(*value).wrapping_add(1), 0);
                Call::All(SERVED)
            };
            // Nobody has missed the one before the first.
            let ready = |value| value == 0 || all_have_heard(value);
            self.enter_when::<S>(lock, SERVER, ready, next);
        }
    }

    fn listen<S: CondvarSubject>(&mut self, lock: &S::Lock, others: u32) {
        let mut last = 0;
        while self.goes_on() {
            let mut hears = last;
            let hear = |value: &mut u64| {
                hears = number(*value);
                let heard = heard(*value) + 1;
                *value = broadcast(hears, heard);
                if heard == others { Call::One(SERVER) } else { Call::Nobody }
            };
            self.enter_when::<S>(lock, SERVED, |value| number(value) != last, hear);
            last = hears;
        }
    }
}

fn broadcast(number: u32, heard: u32) -> u64 {
    (u64::from(number) << 32) | u64::from(heard)
}

fn number(value: u64) -> u32 {
    (value >> 32) as u32
}

fn heard(value: u64) -> u32 {
    value as u32
}

/// Calls all who wait, after the stop flag is set: whoever holds the mutex after us sees it, and whoever waits
/// now looks again.
pub(in crate::harness) fn wake<S: CondvarSubject>(lock: &S::Lock) {
    for room in [SERVED, SERVER] {
        S::when(lock, room, |_| true, |_| Call::All(room));
    }
}
