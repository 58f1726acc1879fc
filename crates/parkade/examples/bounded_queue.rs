//! A queue with room for a few: producers and consumers say what they wait for, and nobody notifies anybody.
//!
//! Prints:
//! ```text
//! 3 producers sent 300 parcels, 2 consumers received 300
//! the scales agree: 14850
//! nobody came within 10 ms any more
//! ```

use std::{collections::VecDeque, thread, time::Duration};

use parkade::{Mutex, prelude::*};

/// How many there is room for.
const ROOM: usize = 4;

#[derive(Default)]
struct State {
    parcels: VecDeque<u32>,
    closed: bool,
}

/// A queue that makes those wait who find it full, or empty.
#[derive(Default)]
struct BoundedQueue {
    state: Mutex<State>,
}

impl BoundedQueue {
    fn send(&self, parcel: u32) {
        let mut state = self.state.lock_when(|state| state.parcels.len() < ROOM);
        state.parcels.push_back(parcel);
    }

    /// The next one, or `None` once all are taken and no more come.
    fn receive(&self) -> Option<u32> {
        let mut state = self.state.lock_when(|state| !state.parcels.is_empty() || state.closed);
        state.parcels.pop_front()
    }

    /// As `receive`, for those who have not got for ever.
    fn receive_within(&self, patience: Duration) -> Option<u32> {
        let mut state =
            self.state.try_lock_when_for(|state| !state.parcels.is_empty(), patience)?;
        state.parcels.pop_front()
    }

    /// No more will come; returns when all are taken.
    fn close(&self) {
        let mut state = self.state.lock();
        state.closed = true;
        state.wait_until(|state| state.parcels.is_empty());
    }
}

fn main() {
    let queue = BoundedQueue::default();
    let (mut received, mut weight) = (0, 0);

    thread::scope(|scope| {
        let consumers = [(); 2].map(|()| {
            scope.spawn(|| {
                let mut mine = Vec::new();
                while let Some(parcel) = queue.receive() {
                    mine.push(parcel);
                }
                mine
            })
        });
        let producers = [0, 1, 2].map(|producer| {
            let queue = &queue;
            scope.spawn(move || {
                for parcel in (0..300).filter(|parcel| parcel % 3 == producer) {
                    queue.send(parcel % 100);
                }
            })
        });
        for producer in producers {
            producer.join().unwrap();
        }
        queue.close();
        for consumer in consumers {
            let mine = consumer.join().unwrap();
            received += mine.len();
            weight += mine.iter().sum::<u32>();
        }
    });

    println!("3 producers sent 300 parcels, 2 consumers received {received}");
    println!("the scales agree: {weight}");
    if queue.receive_within(Duration::from_millis(10)).is_none() {
        println!("nobody came within 10 ms any more");
    }
}
