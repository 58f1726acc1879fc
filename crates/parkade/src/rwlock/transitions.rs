//! Every change of the two words (`state.rs`, `period.rs`), as data: the tests hold it against the code, the walks
//! and the models.
#![forbid(unsafe_code)]

use crate::transition::{Transition, row};

/// Every change of the words. `id` is what comments and models cite.
pub(super) const TRANSITIONS: &[Transition] = &[
    row(
        "T1",
        "+READER, +UPGRADABLE, +EXCLUSIVE or +PENDING; of the designated thread also -WAKING -claims",
        "anybody whom nothing keeps out; Acquire",
        "rw_readers_and_writer, rw_writers_and_reader",
    ),
    row(
        "T2",
        "PENDING -> EXCLUSIVE, -BIASED unless the period goes on",
        "PENDING, without readers; Acquire",
        "rw_drain, rw_bias",
    ),
    row(
        "T3",
        "-PENDING -DRAIN_PARKED, +UPGRADABLE if it upgraded",
        "PENDING that gives up",
        "rw_drain_gives_up, rw_upgrade_lets_in",
    ),
    row(
        "T4",
        "UPGRADABLE -> PENDING",
        "the upgradable reader; Acquire",
        "rw_upgrade, rw_try_upgrade",
    ),
    row(
        "T5",
        "EXCLUSIVE -> READER or UPGRADABLE",
        "the writer; Release",
        "rw_downgrade, rw_out_of_turn",
    ),
    row("T6", "UPGRADABLE -> READER", "the upgradable reader", "rw_downgrade"),
    row("R1", "-READER", "a counted reader; Release", "rw_readers_and_writer"),
    row("R2", "-EXCLUSIVE", "the writer; Release", "rw_readers_and_writer"),
    row("R3", "-UPGRADABLE", "the upgradable reader; Release", "rw_upgrade, rw_wake_upgradable"),
    row(
        "R4",
        "R1, R2 or R3, +WAKING +CLAIM_EXCLUSIVE",
        "a holder, under the bucket lock; Release",
        "rw_fair, rw_fair_upgradable, rw_fair_gives_up",
    ),
    row(
        "P1",
        "+PARKED, of the designated thread also -WAKING",
        "a parker, under the bucket lock",
        "rw_wake, rw_upgradable_barges",
    ),
    row(
        "P3",
        "PARKED as the queue is, +WAKING",
        "whoever changed the queue, under the bucket lock",
        "rw_wake, rw_out_of_turn",
    ),
    row("P4", "-WAKING -claims", "the designated thread that gives up", "rw_designated_gives_up"),
    row("C1", "+CLAIM_SHARED or +CLAIM_EXCLUSIVE", "the designated thread", "rw_claim"),
    row(
        "C2",
        "-claims",
        "a claimer that times out, under the bucket lock",
        "rw_queue_deadline, rw_fair_gives_up",
    ),
    row(
        "D1",
        "+DRAIN_PARKED",
        "PENDING, under the drain queue's lock",
        "rw_drain, rw_bias_last_wakes",
    ),
    row(
        "D2",
        "-DRAIN_PARKED",
        "whoever took PENDING off the drain queue, under its lock",
        "rw_drain, rw_bias_last_wakes",
    ),
    row(
        "G1",
        "+BIASED, then bias: 0 -> number + ACTIVE (+ FENCED)",
        "a counted reader; Release",
        "rw_bias_begins, rw_bias_again",
    ),
    row(
        "G2",
        "bias: +ACTIVE",
        "a counted reader; or the writer that is about to leave a fenced period; Release",
        "rw_bias_resumes, rw_fenced_goes_on, rw_fenced_left_off",
    ),
    row(
        "G3",
        "bias: -ACTIVE, then a heavy fence, or in a fenced period a full one",
        "PENDING",
        "rw_bias, rw_fenced",
    ),
    row("G4", "bias: 0", "the writer, after a T2 that cleared BIASED", "rw_bias_again"),
    row(
        "G5",
        "bias: -FENCED",
        "a reader in a slot while ACTIVE, or PENDING after a heavy fence",
        "rw_fenced_set_free, rw_fenced_last_wakes",
    ),
];
