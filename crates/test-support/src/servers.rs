//! The servers of this run, as `./medtrack test` and `./medtrack stack exec` tell them.

use std::{env, path::PathBuf};

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

/// A binary of this workspace, built.
pub fn binary(name: &str) -> PathBuf {
    let path = PathBuf::from(read("MEDTRACK_TEST_BIN_DIR")).join(name);
    assert!(path.is_file(), "{} is not built; run the tests with ./medtrack test", path.display());
    path
}

fn read(variable: &str) -> String {
    env::var(variable)
        .unwrap_or_else(|_| panic!("{variable} is not set; run the tests with ./medtrack test"))
}

/// Does asynchronous work from a `drop`, where nothing can be awaited and the test's runtime may be gone.
pub(crate) fn clean_up(work: impl Future<Output = ()> + Send + 'static) {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build();
    let done = std::thread::spawn(move || runtime().map(|runtime| runtime.block_on(work))).join();
    // A left-over goes with the run's private servers.
    drop(done);
}
