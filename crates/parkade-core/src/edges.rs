//! The ledger of orderings of this crate; everything not named here is `Relaxed`, because a bucket
//! lock or one of these edges already carries it.

crate::orderings! {
    B1 = Acquire, "bucket lock taken at once or after waiting; pairs with B2: the queues under it";
    B2 = Release, "bucket lock released; pairs with B1";
    N1 = Release, "a node is notified, a thread's or a task's: the notifier's last access to it; pairs with N2 (the unpark token, and the notifier's reads of the node before its owner reuses the memory)";
    N2 = Acquire, "a waiter, or who polls or cancels a task, sees that it was notified; pairs with N1";
    F1 = SeqCst, "light fence; pairs with F2 (store buffering between a plain release and an announcement)";
    F2 = SeqCst, "heavy fence; pairs with F1";
    L1 = Release, "a reader slot is freed; pairs with L2 and L4: the reads under it";
    L2 = Acquire, "a scan looks at a reader slot; pairs with L1 and L3: the reads under what the slot held before";
    L3 = Release, "a reader slot is taken; pairs with L2: what the slot's last acquisition read, on whatever thread";
    L4 = Acquire, "the owner finds its reader slot free; pairs with L1: reads of a guard that was freed on another thread";
    S1 = SeqCst, "a queue is marked and its bucket noted, before a look whether the lookout sleeps; pairs with S2 (store buffering)";
    S2 = SeqCst, "the lookout says that it sleeps, before it looks for noted buckets again; pairs with S1 (store buffering)";
}
