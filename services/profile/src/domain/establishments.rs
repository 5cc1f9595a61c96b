//! Establishments and their hospital services.

use super::fields::Changes;
use serde_json::{Map, Value};
use uuid::Uuid;

/// What an establishment is.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct EstablishmentFields {
    /// Unique.
    pub code: Option<String>,
    /// Never empty.
    pub name: String,
    /// What it is, such as `CHU`.
    pub kind: Option<String>,
    /// The province.
    pub wilaya: Option<String>,
    pub city: Option<String>,
    /// The postal address.
    pub address: Option<String>,
    pub email: Option<String>,
    pub phone: Option<String>,
    /// What clients store.
    pub metadata: Map<String, Value>,
}

/// A change of an establishment. A field that is `None` keeps its value.
#[derive(Clone, Debug, Default)]
pub(crate) struct EstablishmentChange {
    pub code: Option<Option<String>>,
    pub name: Option<String>,
    pub kind: Option<Option<String>>,
    pub wilaya: Option<Option<String>>,
    pub city: Option<Option<String>>,
    pub address: Option<Option<String>>,
    pub email: Option<Option<String>>,
    pub phone: Option<Option<String>>,
    pub metadata: Option<Map<String, Value>>,
}

/// What a hospital service is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ServiceFields {
    /// The establishment that it belongs to.
    pub establishment_id: Uuid,
    /// Unique in the establishment, in any case.
    pub name: String,
    /// What it does.
    pub description: Option<String>,
    /// How many students it takes at a time.
    pub capacity: Option<i32>,
    /// What clients store.
    pub metadata: Map<String, Value>,
}

/// A change of a hospital service. A field that is `None` keeps its value.
#[derive(Clone, Debug, Default)]
pub(crate) struct ServiceChange {
    pub establishment_id: Option<Uuid>,
    pub name: Option<String>,
    pub description: Option<Option<String>>,
    pub capacity: Option<Option<i32>>,
    pub metadata: Option<Map<String, Value>>,
}

impl EstablishmentFields {
    /// Takes the values of a change, and returns the names of the fields that changed.
    pub(crate) fn apply(&mut self, change: EstablishmentChange) -> Vec<String> {
        let mut changes = Changes::default();
        changes.set("code", &mut self.code, change.code);
        changes.set("name", &mut self.name, change.name);
        changes.set("type", &mut self.kind, change.kind);
        changes.set("wilaya", &mut self.wilaya, change.wilaya);
        changes.set("city", &mut self.city, change.city);
        changes.set("address", &mut self.address, change.address);
        changes.set("email", &mut self.email, change.email);
        changes.set("phone", &mut self.phone, change.phone);
        changes.set("metadata", &mut self.metadata, change.metadata);
        changes.0
    }
}

impl ServiceFields {
    /// Takes the values of a change, and returns the names of the fields that changed.
    pub(crate) fn apply(&mut self, change: ServiceChange) -> Vec<String> {
        let mut changes = Changes::default();
        changes.set(
            "establishment_id",
            &mut self.establishment_id,
            change.establishment_id,
        );
        changes.set("name", &mut self.name, change.name);
        changes.set("description", &mut self.description, change.description);
        changes.set("capacity", &mut self.capacity, change.capacity);
        changes.set("metadata", &mut self.metadata, change.metadata);
        changes.0
    }
}
