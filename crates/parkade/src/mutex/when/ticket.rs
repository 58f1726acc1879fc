//! What those who wait show to those who look at their conditions.

use crate::task::TASK;
use core::{
    cell::UnsafeCell,
    marker::PhantomData,
    ptr::{self, NonNull},
};
use parkade_core::{DEFAULT_UNPARK_TOKEN, ParkRequest, ParkToken, shim::Cell};

/// A condition, and what it is about.
pub(super) struct Condition<T: ?Sized, F> {
    data: *const T,
    /// Access: by who holds the lock.
    condition: UnsafeCell<F>,
}

impl<T: ?Sized, F: FnMut(&T) -> bool> Condition<T, F> {
    /// # Safety
    /// Whoever calls the condition, here or through a ticket, holds the lock that protects `data`, and has no reference to it.
    pub(super) unsafe fn new(data: *const T, condition: F) -> Condition<T, F> {
        Condition { data, condition: UnsafeCell::new(condition) }
    }

    pub(super) fn is_true(&self) -> bool {
        // SAFETY: by `new` the caller holds the lock, so nobody else uses the condition.
        let condition = unsafe { &mut *self.condition.get() };
        // SAFETY: by `new` nobody changes the data.
        condition(unsafe { &*self.data })
    }

    /// # Safety
    /// 1. `this` is a `Condition<T, F>`, and alive.
    /// 2. As for `new`.
    unsafe fn call(this: *const ()) -> bool {
        // SAFETY: duty 1.
        unsafe { &*this.cast::<Condition<T, F>>() }.is_true()
    }
}

type Call = unsafe fn(*const ()) -> bool;

/// What is being done with a ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing.
    Idle,
    /// A holder of the lock may look at it at any time.
    Pinned,
    /// Pinned, and its owner has left the queue.
    Abandoned,
    /// The owner of an abandoned one may go.
    Done,
}

/// What has become of the ticket of a thread that has left the queue at its deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Departed {
    /// Nobody uses it.
    Free,
    /// A holder of the lock may be calling the condition.
    InUse,
}

/// Who waits with a ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    Thread,
    Task,
}

/// A pinned ticket; it is alive.
type Link = Option<NonNull<Ticket<'static>>>;

/// The place of one that waits in the hands of those who look at its condition.
pub(super) struct Ticket<'a> {
    call: Call,
    condition: *const (),
    owner: Owner,
    /// Whether all conditions with this `call` have the same answer: they know nothing but the data.
    knows: Knows,
    /// Access: under the bucket lock of the queue for conditions, but `Done` is written and read under that of the ticket's
    /// own address; by its owner also before it has parked and after it was unparked or is done.
    state: Cell<State>,
    /// The next in the chain. Access: by who has pinned it.
    next: Cell<Link>,
    borrowed: PhantomData<&'a ()>,
}

/// What a condition knows besides the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Knows {
    Nothing,
    Something,
}

impl<'a> Ticket<'a> {
    pub(super) fn of_condition<T: ?Sized, F: FnMut(&T) -> bool>(
        condition: &'a Condition<T, F>,
        owner: Owner,
    ) -> Ticket<'a> {
        // SAFETY: it is borrowed for as long.
        unsafe { Ticket::of_place(condition, owner) }
    }

    /// # Safety
    /// The condition is alive, and in its place, for as long as the ticket is used.
    pub(super) unsafe fn of_place<T: ?Sized, F: FnMut(&T) -> bool>(
        condition: *const Condition<T, F>,
        owner: Owner,
    ) -> Ticket<'a> {
        Ticket {
            owner,
            call: Condition::<T, F>::call,
            condition: condition.cast(),
            knows: if size_of::<F>() == 0 { Knows::Nothing } else { Knows::Something },
            state: Cell::new(State::Idle),
            next: Cell::new(None),
            borrowed: PhantomData,
        }
    }

    fn key(&self) -> usize {
        ptr::from_ref(self).addr()
    }

    pub(super) fn token(&self) -> ParkToken {
        let task = match self.owner {
            Owner::Thread => 0,
            Owner::Task => TASK,
        };
        ParkToken(ptr::from_ref(self).expose_provenance() | task)
    }

    pub(super) fn owner(&self) -> Owner {
        self.owner
    }

    /// # Safety
    /// The token is that of somebody in the queue for conditions, whose bucket lock the caller holds.
    pub(super) unsafe fn of<'t>(token: ParkToken) -> &'t Ticket<'t> {
        // SAFETY: the ticket outlives its owner's stay in the queue, and the owner cannot leave while the bucket
        // lock is held, nor afterwards while it is pinned; it is shared only.
        unsafe { &*ptr::with_exposed_provenance(token.0 & !TASK) }
    }

    /// The caller holds the bucket lock.
    pub(super) fn is_pinned(&self) -> bool {
        self.state.get() == State::Pinned
    }

    /// For its owner, who leaves the queue; the caller holds the bucket lock.
    pub(super) fn leave(&self) -> Departed {
        if !self.is_pinned() {
            return Departed::Free;
        }
        self.state.set(State::Abandoned);
        Departed::InUse
    }

    /// For its owner, who has left the queue while it was in use: waits until it is not.
    pub(super) fn wait_until_done(&self) {
        let pending = || self.state.get() != State::Done;
        // SAFETY: the key is our own address; the callbacks touch nothing else.
        let _ = unsafe {
            parkade_core::park_with(ParkRequest::new(self.key()), pending, || {}, |_| {})
        };
    }

    /// Its owner goes on; not a word of this to be read any more.
    pub(super) fn retire(&self) {
        // Tells the model checker: who still uses it races with this.
        if cfg!(loom) {
            self.state.set(State::Done);
            self.next.set(None);
        }
    }

    /// Calls the condition. A panic counts as true, for its owner will call it again.
    fn is_true(&self) -> bool {
        // SAFETY: a pinned ticket is alive, and so is the condition that it borrows; the caller holds the lock
        // and is about to let go, so it has no reference to the data.
        let call = || unsafe { (self.call)(self.condition) };
        // Under loom a panic is a model that has failed.
        if cfg!(loom) { call() } else { caught(call) }
    }
}

/// What `call` returns, or true if it panics.
fn caught(call: impl FnOnce() -> bool) -> bool {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    // Whatever a panic has left half done is in the condition itself, and its owner is going to panic too.
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|payload| {
        // To drop it may panic again. What that leaves is leaked.
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
            core::mem::forget(payload);
        }
        true
    })
}

/// Pinned tickets, in the order of their queue.
pub(super) struct Chain<'a> {
    first: Link,
    last: Link,
    pinned: PhantomData<&'a ()>,
}

impl<'a> Chain<'a> {
    pub(super) fn new() -> Chain<'a> {
        Chain { first: None, last: None, pinned: PhantomData }
    }

    fn append(&mut self, ticket: &Ticket<'_>) {
        ticket.next.set(None);
        let link = Some(NonNull::from(ticket).cast());
        match self.last {
            // SAFETY: whoever is in a chain is pinned, so alive.
            Some(last) => unsafe { last.as_ref() }.next.set(link),
            None => self.first = link,
        }
        self.last = link;
    }

    /// Pins a ticket of a queue whose bucket lock the caller holds.
    pub(super) fn pin(&mut self, ticket: &'a Ticket<'_>) {
        debug_assert_eq!(ticket.state.get(), State::Idle, "two holders look at once");
        ticket.state.set(State::Pinned);
        self.append(ticket);
    }

    /// Those in the chain. The next is read before one is handed out.
    pub(super) fn iter(&self) -> impl Iterator<Item = &'a Ticket<'a>> {
        let mut next = self.first;
        core::iter::from_fn(move || {
            // SAFETY: it is pinned, so alive.
            let ticket: &'a Ticket<'a> = unsafe { next?.cast().as_ref() };
            next = ticket.next.get();
            Some(ticket)
        })
    }

    /// Unpins all; those that were abandoned are returned. The caller holds the bucket lock. Once it has let go, the others
    /// may be gone.
    pub(super) fn unpin(&self) -> Chain<'a> {
        let mut abandoned = Chain::new();
        for ticket in self.iter() {
            match ticket.state.get() {
                State::Abandoned => abandoned.append(ticket),
                state => {
                    debug_assert_eq!(state, State::Pinned);
                    ticket.state.set(State::Idle);
                }
            }
        }
        abandoned
    }

    /// Tells the owners of abandoned tickets that they may go.
    pub(super) fn let_go(&self) {
        for ticket in self.iter() {
            let done = |_| {
                ticket.state.set(State::Done);
                DEFAULT_UNPARK_TOKEN
            };
            // SAFETY: the key is the ticket's address; the callback only touches it.
            unsafe { parkade_core::unpark_one(ticket.key(), done) };
        }
    }
}

/// How many answers are remembered. A bounded queue has two conditions; more is a guess.
const REMEMBERED: usize = 4;

/// The conditions that are false, of those that know nothing but the data: they need not be called again for every
/// thread.
pub(super) struct Answers {
    known: [Option<Call>; REMEMBERED],
    oldest: usize,
}

impl Answers {
    pub(super) fn none() -> Answers {
        Answers { known: [None; REMEMBERED], oldest: 0 }
    }

    pub(super) fn is_true(&mut self, ticket: &Ticket<'_>) -> bool {
        if ticket.knows == Knows::Something {
            return ticket.is_true();
        }
        let same = |known: &Call| ptr::fn_addr_eq(*known, ticket.call);
        if self.known.iter().flatten().any(same) {
            return false;
        }
        let is_true = ticket.is_true();
        if !is_true {
            self.known[self.oldest] = Some(ticket.call);
            self.oldest = (self.oldest + 1) % REMEMBERED;
        }
        is_true
    }
}
