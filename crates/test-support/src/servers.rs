//! The servers of this run. `./medtrack test` and `./medtrack ephemeral exec` name them in the environment.

use reqwest::Url;
use std::{env, net::SocketAddr, path::PathBuf};

/// Address of PostgreSQL, as a superuser.
pub fn database_url() -> String {
    read("MEDTRACK_TEST_DATABASE_URL")
}

/// Address of RabbitMQ, as an administrator, on the virtual host `/`.
pub fn amqp_url() -> String {
    read("MEDTRACK_TEST_AMQP_URL")
}

/// Address of RabbitMQ's management API, with login and without a path.
pub fn management_url() -> String {
    read("MEDTRACK_TEST_MANAGEMENT_URL")
}

/// The path of a program of this workspace; it must be built.
pub fn binary(name: &str) -> PathBuf {
    let path = PathBuf::from(read("MEDTRACK_TEST_BIN_DIR")).join(name);
    assert!(
        path.is_file(),
        "{} is not built; run the tests with ./medtrack test",
        path.display()
    );
    path
}

fn read(variable: &str) -> String {
    env::var(variable)
        .unwrap_or_else(|_| panic!("{variable} is not set; run the tests with ./medtrack test"))
}

/// The host and port that an address names.
pub fn address_of(url: &str) -> SocketAddr {
    let addresses = parse(url)
        .socket_addrs(|| None)
        .expect("the run's servers are named with their ports");
    *addresses
        .first()
        .expect("the name of the run's servers resolves")
}

/// The address with another host and port.
pub fn with_address(url: &str, address: SocketAddr) -> String {
    let mut url = parse(url);
    url.set_ip_host(address.ip())
        .and_then(|()| url.set_port(Some(address.port())).map(drop))
        .expect("an address has a host and a port");
    url.to_string()
}

/// The address with another database or virtual host.
pub(crate) fn with_name(url: &str, name: &str) -> String {
    let mut url = parse(url);
    url.set_path(name);
    url.to_string()
}

/// The same address, with another login.
pub fn with_login(url: &str, user: &str, password: &str) -> String {
    let mut url = parse(url);
    url.set_username(user)
        .and_then(|()| url.set_password(Some(password)))
        .expect("it had a login");
    url.to_string()
}

pub(crate) fn parse(url: &str) -> Url {
    url.parse().expect("the run's addresses are URLs")
}

/// Does asynchronous work in a `drop`, which cannot await, and in which the test's runtime may have ended.
pub(crate) fn clean_up(work: impl Future<Output = ()> + Send + 'static) {
    let runtime = || {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
    };
    let finished =
        std::thread::spawn(move || runtime().map(|runtime| runtime.block_on(work))).join();
    // Where it fails, the run's private servers end with all their data anyway.
    drop(finished);
}
