//! SQL over this service's own tables.

pub mod encadrants;
pub mod students;

use crate::domain::Person;
use uuid::Uuid;

/// New profiles as columns, for `unnest`.
struct Columns {
    user_ids: Vec<Uuid>,
    emails: Vec<String>,
    first_names: Vec<String>,
    last_names: Vec<String>,
    phones: Vec<Option<String>>,
}

impl Columns {
    fn of<'a>(people: impl Iterator<Item = &'a Person> + Clone) -> Self {
        Self {
            user_ids: people.clone().map(|person| person.user_id.as_uuid()).collect(),
            emails: people.clone().map(|person| person.email.clone()).collect(),
            first_names: people.clone().map(|person| person.first_name.clone()).collect(),
            last_names: people.clone().map(|person| person.last_name.clone()).collect(),
            phones: people.map(|person| person.phone.clone()).collect(),
        }
    }
}
