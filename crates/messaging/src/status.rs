//! The state of a task, for readiness.

use std::sync::{Arc, Mutex};

/// The state of a task, shared by the task and its readers.
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

    /// Whether the task works.
    ///
    /// # Errors
    /// Returns one readable reason why it does not.
    pub fn check(&self) -> Result<(), String> {
        match &*self.0.lock().expect("no holder of this lock panics") {
            None => Ok(()),
            Some(reason) => Err(reason.clone()),
        }
    }
}
