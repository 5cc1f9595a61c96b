//! Whether a task does what it is there for, as readiness wants to know it.

use std::sync::{Arc, Mutex};

/// The state of a task, shared between the task and whoever asks.
#[derive(Clone, Debug)]
pub struct Status(Arc<Mutex<Option<String>>>);

impl Status {
    pub(crate) fn starting() -> Self {
        Self(Arc::new(Mutex::new(Some("starting".into()))))
    }

    pub(crate) fn healthy(&self) {
        self.set(None);
    }

    pub(crate) fn unhealthy(&self, reason: impl Into<String>) {
        self.set(Some(reason.into()));
    }

    fn set(&self, state: Option<String>) {
        *self.0.lock().expect("no holder of this lock panics") = state;
    }

    /// Whether the task is well.
    ///
    /// # Errors
    /// One readable reason why it is not.
    pub fn check(&self) -> Result<(), String> {
        match &*self.0.lock().expect("no holder of this lock panics") {
            None => Ok(()),
            Some(reason) => Err(reason.clone()),
        }
    }
}
