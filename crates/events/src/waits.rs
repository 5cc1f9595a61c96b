//! The keys by which parked events wait for something that has not arrived.

use crate::{StudentId, UserId};
use std::fmt;

/// What a parked event waits for. The consumer that stores it releases the events that wait for the same key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct WaitsFor(String);

impl WaitsFor {
    /// A user whose creation has not arrived: `user:<id>`.
    pub fn user(id: UserId) -> Self {
        Self(format!("user:{id}"))
    }

    /// A student whose profile has not arrived: `student:<id>`.
    pub fn student(id: StudentId) -> Self {
        Self(format!("student:{id}"))
    }

    /// The key, as it is stored.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for WaitsFor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn stored_keys_keep_their_text() {
        let id = Uuid::nil();
        assert_eq!(WaitsFor::user(id.into()).as_str(), format!("user:{id}"));
        assert_eq!(
            WaitsFor::student(id.into()).to_string(),
            format!("student:{id}")
        );
    }
}
