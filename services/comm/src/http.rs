//! The HTTP API.

mod changes;
mod creation;
mod cursor;
mod export;
mod links;
mod listing;
mod notifications;
mod position;
mod preferences;
mod resume;
mod view;

pub(crate) use links::Links;

use crate::{config::Serve, purge::Purge, store::inboxes};
use axum::{Router, extract::FromRef};
use serde_json::Value;
use service_kit::{
    Start,
    http::{Api, Verifier, docs},
};
use sqlx::PgPool;
use utoipa_axum::{router::OpenApiRouter, routes};

/// What the handlers need.
#[derive(Clone, FromRef)]
struct App {
    pool: PgPool,
    verifier: Verifier,
    links: Links,
}

/// Makes the router.
///
/// # Errors
/// Fails when no HTTP client can be made, or when the database does not answer.
pub(crate) async fn start(start: Start<Serve>) -> anyhow::Result<Router> {
    let Start {
        config,
        pool,
        process,
        health,
    } = start;
    let purge = Purge::new(pool.clone(), config.notices.notice_days);
    process.spawn("purge", purge.run(process.stopping()));
    let Api { pool, verifier } = Api::start(Start {
        config: config.verifier,
        pool,
        process: process.clone(),
        health,
    })?;
    messaging::follow_revocations(&process, pool.clone(), verifier.revocations()).await;
    // A list reads in one snapshot. There, of two first requests that begin the epoch, one would fail.
    inboxes::begin_epoch(&mut *pool.acquire().await?).await?;
    let links = config.notices.notice_links;
    let (router, document) = documented();
    Ok(router
        .with_state(App {
            pool,
            verifier,
            links,
        })
        .merge(docs::page("/comm/api/docs", document)))
}

/// Describes the routes as an OpenAPI document.
pub fn openapi() -> Value {
    documented().1
}

fn documented() -> (Router<App>, Value) {
    let routes = OpenApiRouter::default()
        .routes(routes!(listing::list, creation::create))
        .routes(routes!(listing::unread_count))
        .routes(routes!(resume::changes))
        .routes(routes!(changes::read_all))
        .routes(routes!(
            preferences::preferences,
            preferences::set_preferences
        ))
        .routes(routes!(listing::of_user))
        .routes(routes!(listing::one, changes::delete))
        .routes(routes!(changes::read))
        .routes(routes!(changes::unread))
        .routes(routes!(changes::archive))
        .routes(routes!(changes::unarchive))
        .routes(routes!(changes::restore))
        .routes(routes!(export::export));
    docs::documented("comm-service", "The notifications of users.", routes)
}
