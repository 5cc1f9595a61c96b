//! The tools of the tests work: databases and virtual hosts are private, and the proxy breaks its connections.

use lapin::{Connection, ConnectionProperties, options::QueueDeclareOptions, types::FieldTable};
use serde_json::json;
use sqlx::{
    AssertSqlSafe, SqlSafeStr,
    migrate::{Migration, MigrationType, Migrator},
};
use std::{
    io::ErrorKind,
    net::SocketAddr,
    time::{Duration, Instant},
};
use test_support::{BrokerProxy, Database, Mode, PassiveRule, Proxy, Vhost, eventually, servers};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};
use uuid::Uuid;

#[tokio::test]
async fn each_database_is_migrated_and_private() {
    let table = format!("thing_{}", Uuid::new_v4().simple());
    let sql = AssertSqlSafe(format!("create table {table} (id int)")).into_sql_str();
    let migration = Migration::new(1, "thing".into(), MigrationType::Simple, sql, false);
    let migrator = Migrator::with_migrations(vec![migration]);
    let migrators = [&migrator];
    // Side by side: both want the same template first.
    let (one, other) = tokio::join!(
        Database::migrated(&migrators),
        Database::migrated(&migrators)
    );
    assert_eq!(one.count(&table).await, 0);
    assert!(one.is(&format!("to_regclass('{table}') is not null")).await);
    assert_ne!(one.url, other.url);
}

#[tokio::test]
async fn a_dropped_database_is_gone() {
    let survivor = Database::empty().await;
    let database = Database::empty().await;
    let name = database.url.rsplit('/').next().unwrap().to_owned();
    let there = format!("exists (select from pg_database where datname = '{name}')");
    assert!(survivor.is(&there).await);
    assert_eq!(
        database.count("pg_class where false").await,
        0,
        "a session that the drop has to end"
    );
    drop(database);
    assert!(!survivor.is(&there).await);
}

#[tokio::test]
async fn a_tap_hears_what_its_pattern_selects_and_no_other_vhost() {
    let (vhost, other) = tokio::join!(Vhost::new(), Vhost::new());
    let tap = vhost.tap("student.*").await;
    other.publish("student.created", "from elsewhere").await;
    vhost.publish("student.a.b", "too deep").await;
    vhost.publish("student.created", "{\"n\":1}").await;
    let message = tap
        .hear(|message| message.routing_key == "student.created")
        .await;
    assert_eq!(message.json()["n"], 1);
    assert_eq!(tap.heard().len(), 1);
    assert_eq!(vhost.depth("no.such.queue").await, None);
    assert!(
        vhost
            .inspect("exchanges")
            .await
            .as_array()
            .unwrap()
            .iter()
            .any(|e| e["name"] == "events.topic")
    );
}

#[tokio::test]
async fn a_key_that_is_not_utf8_can_be_sent() {
    let vhost = Vhost::new().await;
    let channel = vhost.channel().await;
    let options = Default::default();
    channel
        .queue_declare("raw".into(), options, Default::default())
        .await
        .unwrap();
    let all = "auth.user.*".into();
    channel
        .queue_bind(
            "raw".into(),
            "events.topic".into(),
            all,
            Default::default(),
            Default::default(),
        )
        .await
        .unwrap();
    test_support::wire::publish(&vhost.amqp_url, b"auth.user.\xff\xfe", b"{}").await;
    assert_eq!(vhost.depth("raw").await, Some(1));
}

#[tokio::test]
async fn a_look_without_a_permission_closes_its_channel_and_nothing_else() {
    let vhost = Vhost::new().await;
    let passive = QueueDeclareOptions {
        passive: true,
        ..Default::default()
    };
    for name in ["own", "other"] {
        let options = QueueDeclareOptions::default();
        let declare = vhost.channel().await;
        let declare = declare.queue_declare(name.into(), options, FieldTable::default());
        declare.await.unwrap();
    }
    let permissions =
        json!([{"user": "admin", "configure": "^$", "write": "^events\\.topic$", "read": "^own$"}]);
    let target = servers::address_of(&vhost.amqp_url);
    let proxy = BrokerProxy::to(target, &permissions).await;
    let url = servers::with_address(&vhost.amqp_url, proxy.address);
    let connection = Connection::connect(&url, ConnectionProperties::default())
        .await
        .unwrap();
    let may_look = async |name: &str| {
        // Each channel takes the place of the one that was closed before.
        let channel = connection.create_channel().await.unwrap();
        let look = channel.queue_declare(name.into(), passive, FieldTable::default());
        look.await.is_ok()
    };
    assert!(may_look("other").await, "without a rule");
    proxy.hold_to(PassiveRule::Any);
    for (name, may) in [
        ("other", false),
        ("own", true),
        ("other", false),
        ("own", true),
    ] {
        assert_eq!(may_look(name).await, may, "{name}");
    }
    proxy.hold_to(PassiveRule::Configure);
    assert!(!may_look("own").await);
    assert_eq!(
        proxy.seen().refused,
        ["admin other", "admin other", "admin own"]
    );
    assert_eq!(proxy.seen().connections, 1);
}

#[tokio::test]
#[should_panic(expected = "the impossible")]
async fn waiting_ends_at_the_deadline_and_says_for_what() {
    eventually(Duration::from_millis(30), "the impossible", async || false).await;
}

/// Echoes what it gets.
async fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0")
        .await
        .expect("loopback is there");
    let address = listener.local_addr().expect("it is bound");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut from, mut to) = stream.split();
                let _ = tokio::io::copy(&mut from, &mut to).await;
            });
        }
    });
    address
}

async fn ping(stream: &mut TcpStream) -> std::io::Result<u8> {
    stream.write_all(b"x").await?;
    stream.read_u8().await
}

const MOMENT: Duration = Duration::from_millis(100);

#[tokio::test]
async fn a_proxy_passes_and_stalls_and_delays() {
    let proxy = Proxy::to(echo().await).await;
    let mut stream = TcpStream::connect(proxy.address).await.unwrap();
    assert_eq!(ping(&mut stream).await.unwrap(), b'x');

    proxy.set(Mode::BlackHole);
    timeout(MOMENT, ping(&mut stream))
        .await
        .expect_err("no byte comes through a black hole");
    let mut late = TcpStream::connect(proxy.address)
        .await
        .expect("a black hole accepts");
    timeout(MOMENT, ping(&mut late))
        .await
        .expect_err("no byte comes through a black hole");
    proxy.set(Mode::Pass);
    assert_eq!(
        stream.read_u8().await.unwrap(),
        b'x',
        "what was stalled arrives"
    );

    proxy.set(Mode::Latency(MOMENT));
    let began = Instant::now();
    assert_eq!(ping(&mut stream).await.unwrap(), b'x');
    assert!(began.elapsed() >= 2 * MOMENT, "there and back");
}

#[tokio::test]
async fn a_proxy_limits_the_bytes_of_a_second() {
    let proxy = Proxy::to(echo().await).await;
    let mut stream = TcpStream::connect(proxy.address).await.unwrap();
    proxy.set(Mode::BytesPerSecond(10_000));
    assert_eq!(ping(&mut stream).await.unwrap(), b'x');
    let began = Instant::now();
    stream.write_all(&[0; 3_000]).await.unwrap();
    stream.read_exact(&mut [0; 3_000]).await.unwrap();
    let elapsed = began.elapsed();
    assert!(
        elapsed >= Duration::from_millis(290) && elapsed < Duration::from_secs(5),
        "{elapsed:?}"
    );
}

#[tokio::test]
async fn a_proxy_forgets_the_connections_there_are_and_serves_new_ones() {
    let proxy = Proxy::to(echo().await).await;
    let mut old = TcpStream::connect(proxy.address).await.unwrap();
    assert_eq!(ping(&mut old).await.unwrap(), b'x');
    proxy.forget();
    timeout(MOMENT, ping(&mut old))
        .await
        .expect_err("it is neither handed on nor closed");
    let mut new = TcpStream::connect(proxy.address).await.unwrap();
    assert_eq!(ping(&mut new).await.unwrap(), b'x');
    proxy.set(Mode::Pass);
    timeout(MOMENT, old.read_u8())
        .await
        .expect_err("it stays forgotten");
}

#[tokio::test]
async fn a_proxy_refuses_resets_closes_and_cuts() {
    let proxy = Proxy::to(echo().await).await;
    let connect = || TcpStream::connect(proxy.address);
    let mut stream = connect().await.unwrap();
    assert_eq!(ping(&mut stream).await.unwrap(), b'x');

    proxy.set(Mode::Refuse);
    assert_eq!(
        stream.read(&mut [0]).await.unwrap(),
        0,
        "refusing ends what there is"
    );
    eventually(
        Duration::from_secs(5),
        "connections are refused",
        async || {
            connect()
                .await
                .is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused)
        },
    )
    .await;

    proxy.set(Mode::AcceptThenClose);
    let mut stream = eventually(Duration::from_secs(5), "it listens again", async || {
        connect().await.ok()
    })
    .await;
    assert_eq!(stream.read(&mut [0]).await.unwrap(), 0);

    proxy.set(Mode::Reset);
    let reset = async || match connect().await {
        Ok(mut stream) => stream
            .read(&mut [0])
            .await
            .is_err_and(|e| e.kind() == ErrorKind::ConnectionReset),
        Err(_) => false,
    };
    eventually(Duration::from_secs(5), "connections are reset", reset).await;

    proxy.set(Mode::Pass);
    let passing = async || {
        let mut stream = connect().await.ok()?;
        ping(&mut stream).await.ok().map(|_| stream)
    };
    let mut stream = eventually(Duration::from_secs(5), "it passes again", passing).await;
    proxy.cut();
    let error = stream
        .read(&mut [0])
        .await
        .expect_err("a cut resets what there is");
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    let mut stream = connect().await.unwrap();
    assert_eq!(
        ping(&mut stream).await.unwrap(),
        b'x',
        "a cut leaves new connections alone"
    );
}
