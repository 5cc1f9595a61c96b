//! Gives a user another role: the profile of the former role counts no more, and that of the new role counts.

use super::{
    create::{encadrant_created, log_creation, student_created},
    update::{encadrant_updated, student_updated},
};
use crate::{
    domain::{Person, PersonChange, UserState, profile_id},
    store::{
        encadrants,
        people::{self, Changed, NewProfile},
        students,
    },
};
use events::{
    Role, UserId,
    profile::{EncadrantCreated, EncadrantUpdated, StudentUpdated},
};
use messaging::{Cause, EnqueueError, Transaction};

/// A user who has another role than before.
pub(super) struct Switch {
    cause: Cause,
    role: Option<Role>,
    /// The version of the user.
    version: i64,
    /// The person, as far as the event says it: for a user who never had a profile.
    person: Person,
    /// The names of the fields that changed with the role.
    changes: Vec<String>,
}

impl Switch {
    pub(super) fn new(cause: Cause, state: &UserState, change: &PersonChange) -> Self {
        let text = |field: &Option<String>| field.clone().unwrap_or_default();
        Self {
            cause,
            role: state.role,
            version: state.version,
            person: Person {
                user_id: state.user_id,
                email: text(&change.email),
                first_name: text(&change.first_name),
                last_name: text(&change.last_name),
                phone: change.phone.clone().flatten(),
                locale: change.locale.clone(),
            },
            changes: Vec::new(),
        }
    }

    /// Takes the changes of the profile that counts until now: they are announced together with its end.
    pub(super) fn note(&mut self, row: &Changed) {
        if row.is_active && row.person.user_id == self.user_id() {
            self.changes.clone_from(&row.changes);
        }
    }

    fn user_id(&self) -> UserId {
        self.person.user_id
    }

    /// Writes and announces it.
    pub(super) async fn run(mut self, tx: &mut Transaction) -> Result<(), EnqueueError> {
        if self.role != Some(Role::Student) {
            self.retire_student(tx).await?;
        }
        if self.role != Some(Role::Encadrant) {
            self.retire_encadrant(tx).await?;
        }
        // Readers keep the newest profile of a user: it is the one that counts.
        if let Some(latest) = people::latest(tx, self.user_id()).await? {
            self.version = self.version.max(latest.version + 1);
            self.person = latest.person;
        }
        match self.role {
            Some(Role::Student) => self.begin_student(tx).await,
            Some(Role::Encadrant) => self.begin_encadrant(tx).await,
            Some(Role::Admin) | None => Ok(()),
        }
    }

    fn changes(&self) -> Vec<String> {
        let own = self.changes.iter().cloned();
        own.chain(["is_active".to_owned()]).collect()
    }

    async fn retire_student(&self, tx: &mut Transaction) -> Result<(), EnqueueError> {
        let retired = students::set_active(tx, self.user_id(), false, self.version).await?;
        let Some(profile) = retired else {
            return Ok(());
        };
        let event = StudentUpdated {
            is_active: Some(false),
            ..student_updated(profile.id, profile.person, self.changes())
        };
        tx.enqueue(&self.cause, profile.version, event).await
    }

    async fn retire_encadrant(&self, tx: &mut Transaction) -> Result<(), EnqueueError> {
        let retired = encadrants::set_active(tx, self.user_id(), false, self.version).await?;
        let Some(profile) = retired else {
            return Ok(());
        };
        let speciality = encadrants::specialities(tx, &[profile.id]).await?;
        let speciality = speciality.into_values().next();
        let event = EncadrantUpdated {
            is_active: Some(false),
            ..encadrant_updated(profile.id, profile.person, speciality, self.changes())
        };
        tx.enqueue(&self.cause, profile.version, event).await
    }

    async fn begin_student(self, tx: &mut Transaction) -> Result<(), EnqueueError> {
        let returned = students::set_active(tx, self.user_id(), true, self.version).await?;
        let profile = match returned {
            Some(profile) => profile,
            None => {
                let profile = self.new_profile(Role::Student);
                students::insert(tx, std::slice::from_ref(&profile)).await?;
                log_creation(tx, &self.cause, "student", self.user_id());
                profile
            }
        };
        let event = student_created(profile.id.into(), profile.person);
        tx.enqueue(&self.cause, profile.version, event).await
    }

    async fn begin_encadrant(self, tx: &mut Transaction) -> Result<(), EnqueueError> {
        let returned = encadrants::set_active(tx, self.user_id(), true, self.version).await?;
        let profile = match returned {
            Some(profile) => profile,
            None => {
                let profile = self.new_profile(Role::Encadrant);
                encadrants::insert(tx, std::slice::from_ref(&profile)).await?;
                log_creation(tx, &self.cause, "encadrant", self.user_id());
                profile
            }
        };
        let speciality = encadrants::specialities(tx, &[profile.id]).await?;
        let event = EncadrantCreated {
            specialization: speciality.into_values().next(),
            ..encadrant_created(profile.id.into(), profile.person)
        };
        tx.enqueue(&self.cause, profile.version, event).await
    }

    fn new_profile(&self, role: Role) -> NewProfile<uuid::Uuid> {
        NewProfile {
            id: profile_id(self.user_id(), role),
            person: self.person.clone(),
            version: self.version,
        }
    }
}
