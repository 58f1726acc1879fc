//! A lock per element: threads that work on different accounts never wait for each other.
//!
//! A mutex adds two bytes to what it guards, so a lock per element is affordable. Whoever needs
//! two elements at once takes the lower index first, which rules out a deadlock.
//!
//! Prints:
//! ```text
//! accounts: 8, total: 800
//! ```

use std::thread;

use parkade::Mutex;

/// Accounts that are locked one by one.
struct Bank {
    accounts: Vec<Mutex<u32>>,
}

impl Bank {
    fn transfer(&self, from: usize, to: usize, amount: u32) {
        assert_ne!(from, to, "one account cannot be locked twice");
        let mut low = self.accounts[from.min(to)].lock();
        let mut high = self.accounts[from.max(to)].lock();
        let (source, target) =
            if from < to { (&mut *low, &mut *high) } else { (&mut *high, &mut *low) };
        if let Some(rest) = source.checked_sub(amount) {
            *source = rest;
            *target += amount;
        }
    }

    fn total(&self) -> u32 {
        self.accounts.iter().map(|account| *account.lock()).sum()
    }
}

fn main() {
    let bank = Bank { accounts: (0..8).map(|_| Mutex::new(100)).collect() };

    thread::scope(|scope| {
        for worker in 0..4 {
            let bank = &bank;
            scope.spawn(move || {
                for round in 0..1_000 {
                    let from = (worker + round) % 8;
                    let to = (from + 1 + round % 7) % 8;
                    bank.transfer(from, to, 7);
                }
            });
        }
    });

    println!("accounts: {}, total: {}", bank.accounts.len(), bank.total());
}
