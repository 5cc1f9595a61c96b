//! The kinds of notifications, and which of them a user may switch off.

use super::WELCOME;
use events::{
    Event as _,
    internships::{
        EvaluationCreated, EvaluationUpdated, GradeAssigned, StageAccepted, StageCancelled,
        StageCompleted, StageCreated, StageRejected, StageStarted,
    },
};

/// The kind of what an administrator writes.
pub(crate) const NOTICE: &str = "notice";

/// A kind of notifications.
#[derive(Debug)]
pub(crate) struct Kind {
    /// The name, as stored.
    pub name: &'static str,
    /// It cannot be switched off: the user must act, or a decision about the user was taken; or it comes once.
    pub mandatory: bool,
}

/// All of them, in the order of their names.
pub(crate) const KINDS: [Kind; 11] = [
    optional(EvaluationCreated::KEY),
    optional(EvaluationUpdated::KEY),
    mandatory(GradeAssigned::KEY),
    mandatory(NOTICE),
    mandatory(StageAccepted::KEY),
    mandatory(StageCancelled::KEY),
    optional(StageCompleted::KEY),
    mandatory(StageCreated::KEY),
    mandatory(StageRejected::KEY),
    optional(StageStarted::KEY),
    mandatory(WELCOME),
];

const fn mandatory(name: &'static str) -> Kind {
    Kind {
        name,
        mandatory: true,
    }
}

const fn optional(name: &'static str) -> Kind {
    Kind {
        name,
        mandatory: false,
    }
}
