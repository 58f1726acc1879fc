//! What time and chance decide outside of models, a model decides.

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
}

static CLAIMS: AtomicBool = AtomicBool::new(false);
static RETURNS: AtomicBool = AtomicBool::new(true);

impl Model {
    /// Fixes the decisions for the models that run next in this process.
    pub fn fix(self) {
        CLAIMS.store(matches!(self, Model::Claims | Model::ClaimsAndReturns), Relaxed);
        RETURNS.store(matches!(self, Model::Returns | Model::ClaimsAndReturns), Relaxed);
    }
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
