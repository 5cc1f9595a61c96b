//! The events that profile-service publishes about establishments and their hospital services.

use crate::{EstablishmentId, Event, ServiceId, text_or_empty};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// An establishment: a hospital, a clinic, a university.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Establishment {
    /// The establishment.
    pub establishment_id: EstablishmentId,
    /// Its code, which no other establishment has.
    #[serde(default)]
    pub code: Option<String>,
    /// Empty when not known.
    #[serde(default, deserialize_with = "text_or_empty")]
    pub name: String,
    /// What it is, such as `CHU`.
    #[serde(default, rename = "type")]
    pub kind: Option<String>,
    /// The province.
    #[serde(default)]
    pub wilaya: Option<String>,
    /// The postal address.
    #[serde(default)]
    pub address: Option<String>,
    /// The e-mail of the establishment.
    #[serde(default)]
    pub email: Option<String>,
    /// The phone of the establishment.
    #[serde(default)]
    pub phone: Option<String>,
}

/// A hospital service: a department of an establishment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HospitalService {
    /// The hospital service.
    pub service_id: ServiceId,
    /// The establishment that it belongs to.
    pub establishment_id: EstablishmentId,
    /// Empty when not known.
    #[serde(default, deserialize_with = "text_or_empty")]
    pub name: String,
    /// What it does.
    #[serde(default)]
    pub description: Option<String>,
    /// How many students it takes at a time.
    #[serde(default)]
    pub capacity: Option<i32>,
}

macro_rules! events {
    ($( $(#[$doc:meta])+ $name:ident, $key:literal: $field:ident: $about:ty = $id:ident; )+) => {$(
        $(#[$doc])+
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
        pub struct $name {
            #[expect(missing_docs, reason = "its type says it")]
            #[serde(flatten)]
            pub $field: $about,
        }

        impl Event for $name {
            const KEY: &'static str = $key;

            fn aggregate_id(&self) -> Uuid {
                self.$field.$id.as_uuid()
            }

            fn sample() -> Self {
                Self { $field: <$about>::sample() }
            }
        }
    )+};
}

events! {
    /// An establishment was created.
    EstablishmentCreated, "establishment.created": establishment: Establishment = establishment_id;
    /// An establishment was deleted, with what was known of it.
    EstablishmentDeleted, "establishment.deleted": establishment: Establishment = establishment_id;
    /// A hospital service was created.
    ServiceCreated, "service.created": service: HospitalService = service_id;
    /// A hospital service was deleted, with what was known of it.
    ServiceDeleted, "service.deleted": service: HospitalService = service_id;
}

/// An establishment changed: one event for each change, with the whole establishment after it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EstablishmentUpdated {
    #[expect(missing_docs, reason = "its type says it")]
    #[serde(flatten)]
    pub establishment: Establishment,
    /// The names of the fields that changed.
    #[serde(default, alias = "updated_fields")]
    pub changes: Vec<String>,
}

impl Event for EstablishmentUpdated {
    const KEY: &'static str = "establishment.updated";

    fn aggregate_id(&self) -> Uuid {
        self.establishment.establishment_id.as_uuid()
    }

    fn sample() -> Self {
        Self {
            establishment: Establishment {
                phone: Some("+213 21 23 55 56".into()),
                ..Establishment::sample()
            },
            changes: vec!["phone".into()],
        }
    }
}

/// A hospital service changed: one event for each change, with the whole service after it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ServiceUpdated {
    #[expect(missing_docs, reason = "its type says it")]
    #[serde(flatten)]
    pub service: HospitalService,
    /// The names of the fields that changed.
    #[serde(default, alias = "updated_fields")]
    pub changes: Vec<String>,
}

impl Event for ServiceUpdated {
    const KEY: &'static str = "service.updated";

    fn aggregate_id(&self) -> Uuid {
        self.service.service_id.as_uuid()
    }

    fn sample() -> Self {
        Self {
            service: HospitalService {
                capacity: Some(16),
                ..HospitalService::sample()
            },
            changes: vec!["capacity".into()],
        }
    }
}

impl Establishment {
    fn sample() -> Self {
        Self {
            establishment_id: Uuid::from_u128(0x019ab3c1_5d10_7a21_9b44_2c0f2e8b4a41).into(),
            code: Some("CHU-MUSTAPHA".into()),
            name: "CHU Mustapha Pacha".into(),
            kind: Some("CHU".into()),
            wilaya: Some("Alger".into()),
            address: Some("Place du 1er Mai, Sidi M'Hamed".into()),
            email: Some("contact@chu-mustapha.example".into()),
            phone: Some("+213 21 23 55 55".into()),
        }
    }
}

impl HospitalService {
    fn sample() -> Self {
        Self {
            service_id: Uuid::from_u128(0x019ab3c1_5e10_7b21_8b44_3c0f2e8b4a42).into(),
            establishment_id: Establishment::sample().establishment_id,
            name: "Cardiology".into(),
            description: Some("Adult cardiology, second floor".into()),
            capacity: Some(12),
        }
    }
}
