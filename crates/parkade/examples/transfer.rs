//! Two locks at once, named in either order: transfers between accounts, in both directions.
//!
//! `lock_many` takes them in an order of its own, so no two transfers wait for each other. Nobody has to
//! remember which account comes first, and an account named twice is an error, not a deadlock.
//!
//! Prints:
//! ```text
//! from an account to itself: the same lock is at positions 0 and 1 of the set
//! busy: the lock at position 1 of the set could not be had in time
//! 4000 transfers, total 3000
//! ```

use std::{error::Error, thread, time::Duration};

use parkade::{Mutex, lock_many, many::DuplicateLock, try_lock_many_for};

struct Account {
    balance: Mutex<i64>,
}

/// The money is never seen outside both accounts, nor in both.
fn transfer(from: &Account, to: &Account, amount: i64) -> Result<(), DuplicateLock> {
    let (mut from, mut to) = lock_many((&from.balance, &to.balance))?;
    *from -= amount;
    *to += amount;
    Ok(())
}

/// Waits for both accounts together for no longer than `patience`.
fn transfer_soon(from: &Account, to: &Account, patience: Duration) -> Result<(), Box<dyn Error>> {
    let (mut from, mut to) = try_lock_many_for((&from.balance, &to.balance), patience)?;
    *from -= 1;
    *to += 1;
    Ok(())
}

/// Of one moment: all accounts are locked.
fn total(accounts: &[Account]) -> i64 {
    let balances: Vec<_> = accounts.iter().map(|account| &account.balance).collect();
    let balances = lock_many(balances).expect("an account stands in the bank once");
    balances.iter().map(|balance| **balance).sum()
}

fn main() {
    let bank: Vec<_> = (0..3).map(|_| Account { balance: Mutex::new(1_000) }).collect();

    if let Err(error) = transfer(&bank[0], &bank[0], 5) {
        println!("from an account to itself: {error}");
    }
    {
        let _audit = bank[1].balance.lock();
        if let Err(error) = transfer_soon(&bank[0], &bank[1], Duration::from_millis(1)) {
            println!("busy: {error}");
        }
    }

    let transfers: usize = thread::scope(|scope| {
        let workers = [(0, 1), (1, 0), (1, 2), (2, 0)].map(|(from, to)| {
            let bank = &bank[..];
            scope.spawn(move || {
                let done = |amount: &i64| transfer(&bank[from], &bank[to], *amount).is_ok();
                let transfers = (0..1_000).filter(done).count();
                assert_eq!(total(bank), 3_000, "while others go on");
                transfers
            })
        });
        workers.into_iter().map(|worker| worker.join().expect("a worker failed")).sum()
    });
    println!("{transfers} transfers, total {}", total(&bank));
}
