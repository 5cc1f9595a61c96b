//! The own fields of profiles: those that no event of auth-service sets.

use chrono::NaiveDate;
use events::Role;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

/// The own fields of a student.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct StudentFields {
    /// Number of the identity card; unique among students.
    pub cin: Option<String>,
    /// Number at the university; unique.
    pub student_number: Option<String>,
    pub date_of_birth: Option<NaiveDate>,
    pub university: Option<String>,
    /// Course of study.
    pub program: Option<String>,
    /// Year of study.
    pub year_level: Option<i32>,
    /// What clients store.
    pub metadata: Map<String, Value>,
}

/// The own fields of an encadrant.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct EncadrantFields {
    /// Number of the identity card; unique among encadrants.
    pub cin: Option<String>,
    /// Where the encadrant works.
    pub establishment_id: Option<Uuid>,
    /// The hospital service of the encadrant.
    pub service_id: Option<Uuid>,
    pub position: Option<String>,
    /// Medical specialty; events call it `specialization`.
    pub speciality: Option<String>,
    /// What clients store.
    pub metadata: Map<String, Value>,
}

/// The numbers that only one person of a role may have.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Numbers {
    pub role: Role,
    /// Of the identity card.
    pub cin: Option<String>,
    /// At the university; students only.
    pub student_number: Option<String>,
}

/// A change of a student's own fields. A field that is `None` keeps its value.
#[derive(Clone, Debug, Default)]
pub(crate) struct StudentChange {
    pub cin: Option<Option<String>>,
    pub student_number: Option<Option<String>>,
    pub date_of_birth: Option<Option<NaiveDate>>,
    pub university: Option<Option<String>>,
    pub program: Option<Option<String>>,
    pub year_level: Option<Option<i32>>,
    pub metadata: Option<Map<String, Value>>,
}

/// A change of an encadrant's own fields. A field that is `None` keeps its value.
#[derive(Clone, Debug, Default)]
pub(crate) struct EncadrantChange {
    pub cin: Option<Option<String>>,
    pub establishment_id: Option<Option<Uuid>>,
    pub service_id: Option<Option<Uuid>>,
    pub position: Option<Option<String>>,
    pub speciality: Option<Option<String>>,
    pub metadata: Option<Map<String, Value>>,
}

impl StudentFields {
    /// Takes the values of a change, and returns the names of the fields that changed.
    pub(crate) fn apply(&mut self, change: StudentChange) -> Vec<String> {
        let mut changes = Changes::default();
        changes.set("cin", &mut self.cin, change.cin);
        changes.set(
            "student_number",
            &mut self.student_number,
            change.student_number,
        );
        changes.set(
            "date_of_birth",
            &mut self.date_of_birth,
            change.date_of_birth,
        );
        changes.set("university", &mut self.university, change.university);
        changes.set("program", &mut self.program, change.program);
        changes.set("year_level", &mut self.year_level, change.year_level);
        changes.set("metadata", &mut self.metadata, change.metadata);
        changes.0
    }

    /// The numbers that no other student may have.
    pub(crate) fn numbers(&self) -> Numbers {
        Numbers {
            role: Role::Student,
            cin: self.cin.clone(),
            student_number: self.student_number.clone(),
        }
    }
}

impl EncadrantFields {
    /// Takes the values of a change, and returns the names that events have for the fields that changed.
    pub(crate) fn apply(&mut self, change: EncadrantChange) -> Vec<String> {
        let mut changes = Changes::default();
        changes.set("cin", &mut self.cin, change.cin);
        changes.set(
            "establishment_id",
            &mut self.establishment_id,
            change.establishment_id,
        );
        changes.set("service_id", &mut self.service_id, change.service_id);
        changes.set("position", &mut self.position, change.position);
        changes.set("specialization", &mut self.speciality, change.speciality);
        changes.set("metadata", &mut self.metadata, change.metadata);
        changes.0
    }

    /// The numbers that no other encadrant may have.
    pub(crate) fn numbers(&self) -> Numbers {
        Numbers {
            role: Role::Encadrant,
            cin: self.cin.clone(),
            student_number: None,
        }
    }
}

#[derive(Default)]
pub(super) struct Changes(pub(super) Vec<String>);

impl Changes {
    pub(super) fn set<T: PartialEq>(&mut self, name: &str, field: &mut T, new: Option<T>) {
        if let Some(new) = new.filter(|new| new != field) {
            *field = new;
            self.0.push(name.to_owned());
        }
    }
}
