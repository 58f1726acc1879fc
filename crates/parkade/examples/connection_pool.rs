//! A pool of connections for tasks: a semaphore limits how many there are in use, and a keyed mutex sees to it that no tenant has
//! two sessions at a time, without a lock per tenant that would have to be made and thrown away.
//!
//! Prints:
//! ```text
//! 60 queries of 6 tenants, 3 connections, never more in use at once: true
//! no tenant had two sessions at once: true
//! a query that gave up has left nothing behind: 3 connections, 0 locks of tenants
//! ```

use parkade::{Mutex, Semaphore, keyed::KeyedMutex, prelude::*};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

const CONNECTIONS: usize = 3;
const TENANTS: usize = 6;

struct Connection;

struct Pool {
    /// How many may be taken out of `idle`.
    permits: Semaphore,
    idle: Mutex<Vec<Connection>>,
    sessions: KeyedMutex<usize>,
    in_use: AtomicUsize,
    busy: [AtomicBool; TENANTS],
    kept: AtomicBool,
}

impl Pool {
    fn new() -> Pool {
        Pool {
            permits: Semaphore::new(CONNECTIONS),
            idle: Mutex::new((0..CONNECTIONS).map(|_| Connection).collect()),
            sessions: KeyedMutex::new(),
            in_use: AtomicUsize::new(0),
            busy: Default::default(),
            kept: AtomicBool::new(true),
        }
    }

    /// Waits first for the tenant and then for a connection: who waits for his turn with a tenant keeps no connection from others.
    async fn query(&self, tenant: usize) {
        let session = self.sessions.lock_async(&tenant).await.sendable();
        let permit = self.permits.acquire_async().await.expect("never closed");
        let connection = self.idle.lock().pop().expect("one for each permit");

        let in_use = self.in_use.fetch_add(1, Relaxed) + 1;
        let alone = !self.busy[tenant].swap(true, Relaxed);
        if in_use > CONNECTIONS || !alone {
            self.kept.store(false, Relaxed);
        }
        tokio::time::sleep(Duration::from_micros(200)).await;
        self.busy[tenant].store(false, Relaxed);
        self.in_use.fetch_sub(1, Relaxed);

        self.idle.lock().push(connection);
        drop((permit, session));
    }
}

fn main() {
    let pool = Arc::new(Pool::new());
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_time()
        .build()
        .unwrap();
    runtime.block_on(async {
        let queries: Vec<_> = (0..60)
            .map(|query| {
                let pool = Arc::clone(&pool);
                tokio::spawn(async move { pool.query(query % TENANTS).await })
            })
            .collect();
        for query in queries {
            query.await.unwrap();
        }
        let kept = pool.kept.load(Relaxed);
        println!("60 queries of 6 tenants, 3 connections, never more in use at once: {kept}");
        println!("no tenant had two sessions at once: {kept}");

        // A query that has waited too long is dropped, wherever it waits.
        let session = pool.sessions.lock_async(&0).await.sendable();
        let late = tokio::time::timeout(Duration::from_millis(5), pool.query(0)).await;
        assert!(late.is_err());
        drop(session);
        let (connections, locks) = (pool.permits.available_permits(), pool.sessions.len());
        println!(
            "a query that gave up has left nothing behind: {connections} connections, {locks} locks of tenants"
        );
    });
}
