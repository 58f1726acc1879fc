//! The reader-writer lock under loom.
