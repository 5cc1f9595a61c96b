//! Which kinds of notifications a user gets.

use crate::{domain::kinds::KINDS, store::preferences};
use axum::{Json, extract::State};
use events::{
    Event as _, UserId,
    internships::{StageAccepted, StageStarted},
};
use serde::Serialize;
use serde_json::Value;
use service_kit::{
    body,
    http::{Body, CurrentUser, Problem, body::FieldValue, detached},
};
use sqlx::{PgConnection, PgPool};
use std::collections::BTreeMap;
use utoipa::{
    ToSchema,
    openapi::{ObjectBuilder, Type},
};

/// Each kind, and whether the user gets it.
#[derive(Debug)]
pub(super) struct Switches(Vec<(&'static str, bool)>);

impl FieldValue for Switches {
    fn from_json(value: &Value) -> Result<Self, String> {
        let Value::Object(switches) = value else {
            return Err("Must be a JSON object.".into());
        };
        let read = switches.iter().map(|(name, value)| {
            let kind = KINDS.iter().find(|kind| kind.name == name);
            let kind = kind.ok_or("Names a kind of notifications that does not exist.")?;
            let is_on = value.as_bool().ok_or("Each kind is true or false.")?;
            if kind.mandatory && !is_on {
                return Err(format!(
                    "{} is mandatory: it cannot be switched off.",
                    kind.name
                ));
            }
            Ok((kind.name, is_on))
        });
        read.collect::<Result<_, String>>().map(Self)
    }

    fn cleared() -> Result<Self, String> {
        Err("Must be a JSON object.".into())
    }

    fn schema() -> ObjectBuilder {
        let mut schema = ObjectBuilder::new().schema_type(Type::Object);
        for kind in &KINDS {
            let switch = ObjectBuilder::new().schema_type(Type::Boolean);
            let values = kind.mandatory.then_some([Value::Bool(true)]);
            schema = schema.property(kind.name, switch.enum_values(values));
        }
        schema
    }
}

body! {
    /// What a user wants to be notified of.
    pub(super) struct NewPreferences {
        /// What the inbox gets. A kind that is not named is on; one that is mandatory cannot be off.
        inbox: Switches = {(StageStarted::KEY): false},
    }
}

/// What a user is notified of.
#[derive(Serialize, ToSchema)]
pub(super) struct Preferences {
    /// Each kind, and whether the inbox gets it.
    #[schema(examples(json!({(StageAccepted::KEY): true, (StageStarted::KEY): false})))]
    inbox: BTreeMap<&'static str, bool>,
    /// The kinds that cannot be switched off.
    #[schema(examples(json!([StageAccepted::KEY])))]
    mandatory: Vec<&'static str>,
}

/// What one is notified of.
#[utoipa::path(
    get,
    path = "/comm/api/notifications/preferences",
    tag = "notifications",
    security(("access_token" = [])),
    responses((status = OK, description = "All kinds.", body = Preferences))
)]
pub(super) async fn preferences(
    user: CurrentUser,
    State(pool): State<PgPool>,
) -> Result<Json<Preferences>, Problem> {
    Ok(Json(read(&mut *pool.acquire().await?, user.id).await?))
}

/// Chooses what one is notified of. It holds for notifications that come later.
#[utoipa::path(
    put,
    path = "/comm/api/notifications/preferences",
    tag = "notifications",
    security(("access_token" = [])),
    request_body = NewPreferences,
    responses((status = OK, description = "All kinds, as they are now.", body = Preferences))
)]
pub(super) async fn set_preferences(
    user: CurrentUser,
    State(pool): State<PgPool>,
    Body(body): Body<NewPreferences>,
) -> Result<Json<Preferences>, Problem> {
    let Switches(switches) = body.inbox;
    let off = switches.into_iter().filter(|(_, is_on)| !is_on);
    let off: Vec<String> = off.map(|(name, _)| name.to_owned()).collect();
    detached(async move {
        let mut tx = pool.begin().await?;
        preferences::set_off(&mut tx, user.id, &off).await?;
        let preferences = read(&mut tx, user.id).await?;
        tx.commit().await?;
        Ok(Json(preferences))
    })
    .await
}

async fn read(connection: &mut PgConnection, user_id: UserId) -> sqlx::Result<Preferences> {
    let off = preferences::off(connection, user_id).await?;
    let is_on = |name: &str| !off.iter().any(|kind| kind == name);
    let mandatory = KINDS.iter().filter(|kind| kind.mandatory);
    Ok(Preferences {
        inbox: KINDS
            .iter()
            .map(|kind| (kind.name, is_on(kind.name)))
            .collect(),
        mandatory: mandatory.map(|kind| kind.name).collect(),
    })
}
