//! The logins of a production stack at the versions of RabbitMQ that ask for a permission where a queue or an exchange is
//! declared passively. The broker of the tests is older, so a proxy refuses as these versions do.

use crate::production::Production;
use events::{Role, topology::PROFILE};
use lapin::{BasicProperties, options::BasicPublishOptions};
use std::time::Duration;
use test_support::{BrokerProxy, Links, PassiveRule, Stack, Unit, eventually, servers};

const SOON: Duration = Duration::from_secs(20);

/// A user who registers now is welcomed: auth-service and profile-service publish, and all services consume.
async fn proof_of_life(stack: &Stack) {
    let user = stack.client.register(Role::Student).await;
    eventually(SOON, "the welcome", async || {
        stack.client.notifications(&user).await.len() == 1
    })
    .await;
    let profile = format!(
        "users_user where id = '{}' and profile_id is not null",
        user.user_id
    );
    eventually(SOON, "auth-service knows the profile", async || {
        stack.auth.count(&profile).await == 1
    })
    .await;
}

/// Puts a message into the crashed queue of profile-service.
async fn set_aside(stack: &Stack, body: &str) {
    let channel = stack.vhost.channel().await;
    let options = BasicPublishOptions::default();
    let sent = channel.basic_publish(
        "".into(),
        PROFILE.queue.crashed.into(),
        options,
        body.as_bytes(),
        BasicProperties::default(),
    );
    sent.await.expect("the queue is there");
}

#[tokio::test]
async fn all_services_work_where_a_look_at_a_queue_needs_a_permission_on_it() {
    let mut stack = Stack::prepare(Links::Direct).await;
    let production = Production::load(&stack.vhost).await;
    let target = servers::address_of(&stack.vhost.amqp_url);
    let proxy = BrokerProxy::to(target, &production.permissions).await;
    for unit in Unit::ALL {
        let login = &production.logins[unit.service().short];
        stack.set_broker_url(unit, servers::with_address(login, proxy.address));
    }
    for rule in [PassiveRule::Configure, PassiveRule::Any] {
        proxy.hold_to(rule);
        let before = proxy.seen().refused.len();
        let body = format!("{rule:?}");
        set_aside(&stack, &body).await;
        stack.start_units(&Unit::ALL).await;
        proof_of_life(&stack).await;
        let parked = format!("parked_event where kind = 'crashed' and body = '{body}'");
        eventually(SOON, "the crashed queue is read", async || {
            stack.profile.count(&parked).await == 1
        })
        .await;
        proxy.cut();
        proof_of_life(&stack).await;
        for unit in Unit::ALL {
            stack.kill(unit).await;
        }
        let refused = proxy.seen().refused.split_off(before);
        match rule {
            PassiveRule::Configure => assert!(!refused.is_empty(), "the proxy refuses nothing"),
            PassiveRule::Any => assert_eq!(refused, Vec::<String>::new()),
        }
    }
}
