//! Locking again on the thread that holds the lock: [`ReentrantMutex`] and its guards.

mod thread_id;

use crate::RawMutex;
pub use thread_id::RawThreadId;

/// The lock under [`ReentrantMutex`]: a [`RawMutex`], who holds it and how often.
pub type RawReentrantMutex = lock_api::RawReentrantMutex<RawMutex, RawThreadId>;

/// A mutex that the thread which holds it may lock again.
///
/// Each guard is one level, and the last one dropped unlocks. Since several guards of a thread reach the value
/// at once, they only share it: put it into a [`Cell`](std::cell::Cell) or [`RefCell`](std::cell::RefCell) to
/// change it, which need not be `Sync` for that.
///
/// * **Blocking, fairness, timeouts**: those of [`Mutex`](crate::Mutex) for whoever does not hold the lock;
///   whoever holds it never waits, and never fails to lock.
/// * **Whose it is**: the thread's that locked it, told by [`RawThreadId`], a number that no other thread ever
///   gets. So guards stay on their thread, with the feature `send_guard` too, and a guard that is forgotten
///   leaves the lock with its thread: that thread may lock it again, and when it has ended nobody may.
/// * **Fair unlocking**, [`bump`](lock_api::ReentrantMutexGuard::bump) and
///   [`unlocked`](lock_api::ReentrantMutexGuard::unlocked) let others in only where the guard is the last level:
///   `unlocked` gives up one level, whatever it is, and `bump` does nothing while there are others.
/// * **Panics**: no poisoning; a panic unlocks level by level. Locking panics at `usize::MAX` levels, which takes
///   as many forgotten guards; the lock stays as it was.
/// * **Cost**: three words beside the data. The first level costs what a [`Mutex`](crate::Mutex) does, a thread-local
///   load and plain stores; another level executes no locked instruction. Nothing allocates, ever; `new` is `const`.
/// * **Process**: as [`Mutex`](crate::Mutex).
///
/// ```
/// use parkade::ReentrantMutex;
/// use std::cell::RefCell;
///
/// struct Log(ReentrantMutex<RefCell<Vec<String>>>);
///
/// impl Log {
///     fn line(&self, text: &str) {
///         self.0.lock().borrow_mut().push(text.to_owned());
///     }
///
///     /// Nobody else's lines come between these.
///     fn lines(&self, texts: &[&str]) {
///         let _together = self.0.lock();
///         texts.iter().for_each(|text| self.line(text)); // locks again
///     }
/// }
///
/// let log = Log(ReentrantMutex::default());
/// std::thread::scope(|scope| {
///     scope.spawn(|| log.lines(&["a", "b"]));
///     scope.spawn(|| log.line("c"));
/// });
/// let lines = log.0.into_inner().into_inner();
/// assert!(lines == ["a", "b", "c"] || lines == ["c", "a", "b"]);
/// ```
///
/// A guard stays on its thread:
///
/// ```compile_fail,E0277
/// fn needs_send<T: Send>(_: T) {}
/// let lock = parkade::ReentrantMutex::new(0);
/// needs_send(lock.lock());
/// ```
///
/// It is shared with other threads only where the value may be:
///
/// ```compile_fail,E0277
/// fn needs_sync<T: Sync>(_: T) {}
/// let lock = parkade::ReentrantMutex::new(std::cell::Cell::new(0));
/// needs_sync(lock.lock());
/// ```
///
/// What it protects must be `Send` for the lock to be shared:
///
/// ```compile_fail,E0277
/// fn needs_sync<T: Sync>(_: T) {}
/// needs_sync(parkade::ReentrantMutex::new(std::rc::Rc::new(0)));
/// ```
///
/// It is only shared, never lent to be changed:
///
/// ```compile_fail,E0594
/// let lock = parkade::ReentrantMutex::new(0);
/// *lock.lock() = 1;
/// ```
pub type ReentrantMutex<T> = lock_api::ReentrantMutex<RawMutex, RawThreadId, T>;

/// Shared access to what a [`ReentrantMutex`] protects: one level, given up when dropped.
pub type ReentrantMutexGuard<'a, T> = lock_api::ReentrantMutexGuard<'a, RawMutex, RawThreadId, T>;

/// A [`ReentrantMutexGuard`] narrowed to a part of what is protected, made by
/// [`ReentrantMutexGuard::map`](lock_api::ReentrantMutexGuard::map).
pub type MappedReentrantMutexGuard<'a, T> =
    lock_api::MappedReentrantMutexGuard<'a, RawMutex, RawThreadId, T>;
