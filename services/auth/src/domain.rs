//! Valid values and pure rules: a value that exists is valid.

pub mod email;
pub mod password;
pub mod person;

pub use email::Email;
pub use password::Password;
pub use person::{Locale, PersonName, Phone};
