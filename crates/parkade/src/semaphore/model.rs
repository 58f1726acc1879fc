//! The semaphore under loom; each model's doc line says which transitions (`state.rs`) it covers.
