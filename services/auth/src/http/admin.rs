//! What administrators do with users.

use super::{
    App, RequestCause,
    client::Client,
    errors::{Error, unknown_user},
    fields::{AnyRole, OptionalPhone},
    users::User,
};
use crate::{
    actions::{self, users::Change},
    domain::{Locale, PersonName},
    store::{
        self,
        audit::Actor,
        search::{self, Filter, Order, Rows},
    },
};
use axum::{
    Json,
    extract::{FromRef, FromRequestParts, Path, State},
    http::{StatusCode, request::Parts},
    response::Response,
};
use events::{Role, UserId};
use service_kit::{
    body,
    http::{
        Body, Common, CurrentUser, Problem, Verifier,
        body::Patch,
        detached,
        docs::problems,
        list::{Choice, Flag, List, ListQuery, PageParameters, Search, Sort},
    },
    query,
};

/// The user who sent the request, who is an administrator.
pub(super) struct Administrator(Actor);

/// Before the body is read: who may not send it learns nothing about it.
impl<S> FromRequestParts<S> for Administrator
where
    S: Send + Sync,
    Verifier: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let user = CurrentUser::from_request_parts(parts, state).await?;
        user.require(Role::Admin)?;
        let Ok(client) = Client::from_request_parts(parts, state).await;
        Ok(Self(Actor::user(user.id, client.detail())))
    }
}

/// The id of a user in the address. A text that is not an id names no user.
pub(super) struct UserPath(UserId);

impl<S: Send + Sync> FromRequestParts<S> for UserPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = Path::<String>::from_request_parts(parts, state).await;
        let id = path.ok().and_then(|Path(id)| id.parse().ok());
        id.map(Self).ok_or_else(unknown_user)
    }
}

/// What users are sorted by.
#[derive(Clone, Copy, Debug)]
pub(super) struct SortKey(&'static str);

impl Choice for SortKey {
    const ALL: &'static [(&'static str, Self)] = &[
        ("created_at", Self("created_at")),
        ("email", Self("email")),
        ("first_name", Self("first_name")),
        ("last_name", Self("last_name")),
    ];
}

query! {
    /// Which users the list has.
    pub(super) struct UserQuery {
        /// Only users whose e-mail or names contain this text; one or two characters are looked for at the beginning of a
        /// word.
        search: Search = "doe",
        /// Only this role.
        role: AnyRole = "student",
        /// Only users who can log in, or only those who cannot.
        is_active: Flag = "true",
        /// The order; the newest first when absent.
        sort: Sort<SortKey> = "-created_at",
    }
}

/// Users.
type Users = List<User>;

body! {
    /// A field that is absent keeps its value; `null` clears it.
    pub(super) struct AdminChange {
        first_name: Patch<PersonName> = "Johnny",
        last_name: Patch<PersonName> = "Doe",
        phone: Patch<OptionalPhone> = "+33123456780",
        /// Language of texts for this user; there is always one.
        locale: Patch<Locale> = "en",
        /// What the user is. A change ends the user's sessions.
        role: Patch<AnyRole> = "encadrant",
        /// False: cannot log in. A change ends the user's sessions.
        is_active: Patch<bool> = false,
    }
}

/// Users, for administrators.
///
/// The first hundred as a bare array, with their number in `X-Total-Count`; with `page` or `limit` a page with its
/// numbers.
#[utoipa::path(
    get,
    path = "/auth/api/v1/users",
    tag = "users",
    security(("access_token" = [])),
    params(UserQuery, PageParameters),
    responses((
        status = OK,
        description = "The users.",
        body = Users,
        headers(
            ("X-Total-Count" = i64, description = "How many there are. Only without `page` and `limit`."),
            ("Link" = String, description = "The next page (`rel=\"next\"`), where there is one; its shape is `Page`. \
                                             Only without `page` and `limit`."),
        ),
    )),
    extensions(("x-problems" = json!(problems(&[&Common::Forbidden]))))
)]
pub(super) async fn list(
    _: Administrator,
    query: ListQuery<UserQuery>,
    State(app): State<App>,
) -> Result<Response, Problem> {
    let (own, paging) = (query.own, query.paging);
    let filter = Filter {
        pattern: own.search.and_then(|search| search::pattern(&search.0)),
        role: own.role.map(|role| role.0.as_str()),
        is_active: own.is_active.map(|is_active| is_active.0),
    };
    let order = Order {
        by: own.sort.as_ref().map_or("created_at", |sort| sort.by.0),
        descending: own.sort.is_none_or(|sort| sort.descending),
    };
    let rows = Rows {
        offset: paging.offset(),
        limit: paging.limit(),
    };
    let (users, total) = detached(async move {
        let mut tx = app.pool.begin_with(search::SNAPSHOT).await?;
        let users = search::users(&mut tx, &filter, order, rows).await?;
        tx.commit().await?;
        Ok(users)
    })
    .await?;
    let users: Vec<User> = users.into_iter().map(User::from).collect();
    Ok(paging.respond(users, total))
}

/// Returns a user, for administrators.
#[utoipa::path(
    get,
    path = "/auth/api/v1/users/{id}",
    tag = "users",
    security(("access_token" = [])),
    params(("id" = Uuid, Path, description = "The user.")),
    responses((status = OK, description = "The user.", body = User)),
    extensions(("x-problems" = json!(problems(&[&Common::Forbidden, &Common::NotFound]))))
)]
pub(super) async fn show(
    _: Administrator,
    UserPath(id): UserPath,
    State(app): State<App>,
) -> Result<Json<User>, Problem> {
    let mut connection = app.pool.acquire().await?;
    store::users::by_id(&mut connection, id)
        .await?
        .map(|user| Json(user.into()))
        .ok_or_else(unknown_user)
}

/// Changes the fields of a user that the body names, for administrators.
///
/// The other services take the change over from an event, a moment later.
#[utoipa::path(
    patch,
    path = "/auth/api/v1/users/{id}",
    tag = "users",
    security(("access_token" = [])),
    params(("id" = Uuid, Path, description = "The user.")),
    request_body = AdminChange,
    responses((status = OK, description = "The user after the change.", body = User)),
    extensions(("x-problems" = json!(problems(&[
        &Common::Forbidden,
        &Common::NotFound,
        &Error::LastAdmin,
        &Error::OwnRole,
    ]))))
)]
pub(super) async fn change(
    Administrator(by): Administrator,
    UserPath(id): UserPath,
    State(app): State<App>,
    RequestCause(cause): RequestCause,
    Body(change): Body<AdminChange>,
) -> Result<Json<User>, Problem> {
    let change = Change {
        email: None,
        first_name: change.first_name.0,
        last_name: change.last_name.0,
        phone: change.phone.0.map(|phone| phone.0),
        locale: change.locale.0,
        role: change.role.0.map(|role| role.0),
        is_active: change.is_active.0,
        email_verified: None,
    };
    detached(async move {
        let mut tx = app.outbox.begin().await?;
        let user = actions::admin::change(&mut tx, &cause, &by, id, change).await?;
        tx.commit().await?;
        Ok(Json(user.into()))
    })
    .await
}

/// Deletes a user, for administrators. The other services erase what they keep by event.
#[utoipa::path(
    delete,
    path = "/auth/api/v1/users/{id}",
    tag = "users",
    security(("access_token" = [])),
    params(("id" = Uuid, Path, description = "The user.")),
    responses((status = NO_CONTENT, description = "The user is gone.")),
    extensions(("x-problems" = json!(problems(&[
        &Common::Forbidden,
        &Common::NotFound,
        &Error::LastAdmin,
    ]))))
)]
pub(super) async fn delete(
    Administrator(by): Administrator,
    UserPath(id): UserPath,
    State(app): State<App>,
    RequestCause(cause): RequestCause,
) -> Result<StatusCode, Problem> {
    detached(async move {
        let mut tx = app.outbox.begin().await?;
        let email = actions::users::delete(&mut tx, &cause, &by, id).await?;
        app.throttle.forget(&mut tx, &email).await?;
        tx.commit().await?;
        Ok(StatusCode::NO_CONTENT)
    })
    .await
}
