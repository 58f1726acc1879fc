//! What time and chance decide outside of models, a model decides.

use super::{Fencing, Period};
use core::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// Which decisions the models in this process take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Model {
    /// No woken loser claims; symmetric mode ends whenever it may.
    Returns,
    /// No woken loser claims; symmetric mode stays.
    Stays,
    /// Every woken loser claims; symmetric mode stays.
    Claims,
    /// Every woken loser claims; symmetric mode ends whenever it may.
    ClaimsAndReturns,
    /// No woken loser claims; a reader-writer lock is biased freely whenever it may.
    Biases,
    /// The same, and [`fence::compiler_only`](crate::fence::compiler_only) orders nothing between
    /// threads. Loom can only make it a full fence, which hides that others are missing: this is
    /// for models in which no light fence meets a heavy one.
    BiasesUnfenced,
    /// No woken loser claims; a reader-writer lock is biased with fences whenever it may, and stays so.
    BiasesFenced,
}

static CLAIMS: AtomicBool = AtomicBool::new(false);
static RETURNS: AtomicBool = AtomicBool::new(true);
static BIASES: AtomicBool = AtomicBool::new(false);
static FENCES: AtomicBool = AtomicBool::new(true);
static BIASES_FENCED: AtomicBool = AtomicBool::new(false);

impl Model {
    /// Fixes the decisions for the models that run next in this process.
    pub fn fix(self) {
        CLAIMS.store(matches!(self, Model::Claims | Model::ClaimsAndReturns), Relaxed);
        RETURNS.store(matches!(self, Model::Returns | Model::ClaimsAndReturns), Relaxed);
        BIASES.store(matches!(self, Model::Biases | Model::BiasesUnfenced), Relaxed);
        FENCES.store(self != Model::BiasesUnfenced, Relaxed);
        BIASES_FENCED.store(self == Model::BiasesFenced, Relaxed);
    }
}

/// Whether light fences are fences.
pub(crate) fn fences() -> bool {
    FENCES.load(Relaxed)
}

/// Whether a woken loser claims.
pub(super) fn claims() -> bool {
    CLAIMS.load(Relaxed)
}

/// Whether symmetric mode ends when it may.
#[must_use]
pub fn may_return_to_asymmetric() -> bool {
    RETURNS.load(Relaxed)
}

/// Every read of a lock's word asks for bias.
#[must_use]
pub fn counts_read() -> bool {
    BIASES.load(Relaxed) || BIASES_FENCED.load(Relaxed)
}

/// And gets it.
#[must_use]
pub fn grant_bias(_: usize, _: u32, _: Period) -> Option<Fencing> {
    if BIASES.load(Relaxed) {
        Some(Fencing::Free)
    } else {
        BIASES_FENCED.load(Relaxed).then_some(Fencing::Fenced)
    }
}

/// Models remember nothing of it.
pub fn bias_taken_back(_: usize, _: crate::Moment) {}

/// Nor of this.
pub fn fenced_bias_taken_back(_: usize, _: crate::Moment) {}

/// Fenced periods are never set free.
#[must_use]
pub fn counts_fenced_read(_: usize) -> bool {
    false
}

/// Unless a model does it.
#[must_use]
pub fn may_set_free(_: usize) -> bool {
    false
}

/// And what has begun goes on.
#[must_use]
pub fn fenced_bias_pays(_: usize) -> bool {
    BIASES_FENCED.load(Relaxed)
}
