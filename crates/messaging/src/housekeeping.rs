//! What the relay does besides: counts what is left, and purges what is done.

use sqlx::PgConnection;

/// Sets the gauges of the outbox and of the parked events, then purges a small batch.
///
/// # Errors
/// When the database refuses.
pub(crate) async fn run(connection: &mut PgConnection) -> sqlx::Result<()> {
    measure(connection).await?;
    purge(connection).await
}

async fn measure(connection: &mut PgConnection) -> sqlx::Result<()> {
    let outbox = sqlx::query!(
        r#"select count(*) as "depth!",
                  coalesce(extract(epoch from now() - min(created_at)), 0)::float8 as "age!",
                  count(*) filter (where unroutable_at is not null) as "unroutable!"
           from outbox where published_at is null"#
    )
    .fetch_one(&mut *connection)
    .await?;
    metrics::gauge!("medtrack_outbox_depth").set(outbox.depth as f64);
    metrics::gauge!("medtrack_outbox_age_seconds").set(outbox.age);
    metrics::gauge!("medtrack_outbox_unroutable").set(outbox.unroutable as f64);
    let parked = sqlx::query!(
        r#"select state,
                  count(event_id) as "count!",
                  coalesce(extract(epoch from now() - min(first_at)), 0)::float8 as "age!"
           from (values ('waiting'), ('dead')) as states (state) left join parked_event using (state)
           group by state"#
    )
    .fetch_all(connection)
    .await?;
    for row in parked {
        let state = row.state.unwrap_or_default();
        metrics::gauge!("medtrack_parked_events", "state" => state.clone()).set(row.count as f64);
        metrics::gauge!("medtrack_parked_oldest_seconds", "state" => state).set(row.age);
    }
    Ok(())
}

/// Published rows are kept for a week, inbox ids for 90 days: after that the services' own unique keys,
/// versions and tombstones still keep a copy from having an effect.
async fn purge(connection: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query!(
        "delete from outbox where event_id in (
             select event_id from outbox where published_at < now() - interval '7 days' limit 1000)"
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!(
        "delete from inbox where event_id in (
             select event_id from inbox i where received_at < now() - interval '90 days'
               and not exists (select from parked_event p where p.event_id = i.event_id)
             limit 1000)"
    )
    .execute(connection)
    .await?;
    Ok(())
}
