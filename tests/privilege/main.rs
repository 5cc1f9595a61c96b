//! With the logins of a production stack a service can do its own work and no more, and an operator can do what the
//! operator's command does and no more.

mod bindings;
mod databases;
mod production;
mod publisher;
mod versions;

use events::{
    Event as _,
    profile::StudentCreated,
    topology::{EXCHANGE, SERVICES, queues},
};
use lapin::{
    BasicProperties, ExchangeKind,
    options::{BasicPublishOptions, ExchangeDeclareOptions, QueueDeclareOptions},
    types::FieldTable,
};
use production::Production;
use test_support::Vhost;

#[tokio::test]
async fn broker_permission_matrix() {
    let vhost = Vhost::new().await;
    let production = Production::load(&vhost).await;
    for (service, key, may) in [
        ("auth", "auth.user.created", true),
        ("auth", "auth.user.deleted", true),
        ("auth", "auth.session.revoked", true),
        ("auth", "student.created", false),
        ("profile", "student.created", true),
        ("profile", "encadrant.deleted", true),
        ("profile", "auth.user.created", false),
        ("profile", "auth.session.revoked", false),
        ("profile", "stage.created", false),
        ("comm", "auth.session.revoked", false),
        ("comm", "student.created", false),
        ("comm", "grade.assigned", false),
    ] {
        assert_eq!(
            production.may_publish(service, key).await,
            may,
            "{service}: {key}"
        );
    }
    for service in SERVICES.map(|service| service.short) {
        for queue in queues() {
            let own = queue.name.starts_with(service);
            assert_eq!(
                production.may_read(service, queue.name).await,
                own,
                "{service}: {}",
                queue.name
            );
            assert_eq!(
                production.may_read(service, queue.crashed).await,
                own,
                "{service}: {}",
                queue.crashed
            );
        }
        let durable = ExchangeDeclareOptions {
            durable: true,
            ..Default::default()
        };
        let (_connection, channel) = production.channel(service).await;
        let exchange = channel.exchange_declare(
            EXCHANGE.into(),
            ExchangeKind::Topic,
            durable,
            FieldTable::default(),
        );
        assert!(exchange.await.is_err(), "{service} declares no exchange");
        let (_connection, channel) = production.channel(service).await;
        let queue = channel.queue_declare(
            "spy".into(),
            QueueDeclareOptions::default(),
            FieldTable::default(),
        );
        assert!(queue.await.is_err(), "{service} declares no queue");
        for queue in queues() {
            let own = queue.name.starts_with(service);
            for (pattern, may) in queue
                .patterns
                .iter()
                .map(|own| (*own, true))
                .chain([("#", false)])
            {
                assert_eq!(
                    production.may_bind(service, queue.name, pattern).await,
                    own && may,
                    "{service}: {} with {pattern}",
                    queue.name
                );
            }
        }
    }
    // The definitions declare just what the processes would.
    assert!(vhost.depth("comm.events").await.is_some());
}

/// The broker compares the login with the property `user_id`, so no message in the name of another service reaches a queue.
#[tokio::test]
async fn forged_source_is_poison() {
    let vhost = Vhost::new().await;
    let production = Production::load(&vhost).await;
    let (_connection, channel) = production.channel("profile").await;
    let forged = BasicProperties::default().with_user_id("auth-service".into());
    let sent = channel
        .basic_publish(
            EXCHANGE.into(),
            StudentCreated::KEY.into(),
            BasicPublishOptions::default(),
            b"{}",
            forged,
        )
        .await;
    let taken = match sent {
        Ok(confirm) => confirm.await.is_ok(),
        Err(_) => false,
    };
    assert!(!taken, "no service speaks in the name of another one");
    assert_eq!(vhost.depth("comm.events").await, Some(0));
}
