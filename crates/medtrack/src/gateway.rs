//! The gateway: Caddy, with `deploy/Caddyfile`.

use crate::{home::Home, ports::Ports, program::Program};

pub(crate) fn program(home: &Home, ports: &Ports) -> Program {
    let upstream = |unit: &str| format!("127.0.0.1:{}", ports[unit]);
    Program::new("caddy")
        .args(["run", "--adapter", "caddyfile", "--config"])
        .arg(home.root.join("deploy/Caddyfile"))
        .env("GATEWAY_PORT", ports["gateway"].to_string())
        .env("GATEWAY_BIND", "127.0.0.1")
        .env("AUTH_UPSTREAM", upstream("auth-service"))
        .env("PROFILE_UPSTREAM", upstream("profile-service"))
        .env("COMM_UPSTREAM", upstream("comm-service"))
        // Caddy would leave a folder in the home of whoever starts it.
        .env("HOME", home.path("caddy"))
        .env("XDG_DATA_HOME", home.path("caddy"))
        .env("XDG_CONFIG_HOME", home.path("caddy"))
        .expendable()
}
