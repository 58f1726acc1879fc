//! A small service on tokio: settings that are fetched once, by whoever needs them first; a table that is mostly read; requests that
//! are counted by a thread which knows nothing of tasks; and a shutdown that waits for those which are under way.
//!
//! Prints:
//! ```text
//! the settings were fetched 1 time
//! 40 requests served, 8 routes known
//! the thread has seen 40 requests
//! shut down with nothing left to do
//! ```

use parkade::{Mutex, OnceLock, RwLock, WaitGroup, prelude::*};
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    thread,
    time::Duration,
};

const REQUESTS: usize = 40;

struct Settings {
    greeting: String,
}

#[derive(Default)]
struct Service {
    settings: OnceLock<Settings>,
    fetched: AtomicUsize,
    routes: RwLock<BTreeMap<String, usize>>,
    served: Mutex<usize>,
}

impl Service {
    async fn fetch_settings(&self) -> Settings {
        self.fetched.fetch_add(1, Relaxed);
        // Others wait meanwhile, tasks and threads.
        tokio::time::sleep(Duration::from_millis(2)).await;
        Settings { greeting: "hello".into() }
    }

    async fn handle(&self, request: usize) -> String {
        let settings = self.settings.get_or_init_async(|| self.fetch_settings()).await;
        let path = format!("/{}", request % 8);
        let known = self.routes.read_async().await.contains_key(&path);
        if !known {
            self.routes.write_async().await.entry(path.clone()).or_insert(request);
        }
        *self.served.lock_async().await += 1;
        format!("{} from {path}", settings.greeting)
    }
}

fn main() {
    let service = Arc::new(Service::default());
    // A thread that blocks, on the lock that tasks wait for: no channel between two worlds.
    let watcher = thread::spawn({
        let service = Arc::clone(&service);
        move || *service.served.lock_when(|served| *served == REQUESTS)
    });

    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_time()
        .build()
        .unwrap();
    runtime.block_on(async {
        let under_way = WaitGroup::new();
        for request in 0..REQUESTS {
            let (service, under_way) = (Arc::clone(&service), under_way.clone());
            tokio::spawn(async move {
                let answer = service.handle(request).await;
                assert!(answer.starts_with("hello from /"));
                drop(under_way);
            });
        }
        under_way.wait_async().await;
    });

    println!("the settings were fetched {} time", service.fetched.load(Relaxed));
    let (served, routes) = (*service.served.lock(), service.routes.read().len());
    println!("{served} requests served, {routes} routes known");
    println!("the thread has seen {} requests", watcher.join().unwrap());
    println!("shut down with nothing left to do");
}
