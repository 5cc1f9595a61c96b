//! The callers of `tests/authorisation.toml`, and the things that they ask for.

use events::Role;
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;
use test_support::{
    Process, Signer, Stack, User,
    client::{self, Answer, PASSWORD},
    eventually, tokens,
};

const SOON: Duration = Duration::from_secs(10);
const ME: &str = "/auth/api/v1/users/me";
const LOGIN: &str = "/auth/api/v1/login";

/// All callers, logged in.
pub(crate) struct People<'a> {
    stack: &'a Stack,
    signer: Signer,
    student: User,
    other: User,
    encadrant: User,
    admin: User,
    revoked: User,
}

impl<'a> People<'a> {
    /// Makes the users, and waits until they have a profile and a welcome.
    pub(crate) async fn new(stack: &'a Stack) -> Self {
        let people = Self {
            stack,
            signer: Signer::of(&stack.auth).await,
            student: stack.client.register(Role::Student).await,
            other: stack.client.register(Role::Student).await,
            encadrant: stack.client.register(Role::Encadrant).await,
            admin: admin(stack).await,
            revoked: revoked(stack).await,
        };
        for user in [&people.student, &people.other, &people.encadrant] {
            eventually(SOON, "a profile and a welcome", async || {
                let profile = stack.client.get("/profile/api/me", user).await;
                profile.status == 200 && !stack.client.notifications(user).await.is_empty()
            })
            .await;
        }
        people
    }

    /// Asks a service.
    pub(crate) async fn ask(
        &self,
        method: &Method,
        path: &str,
        token: Option<&str>,
        body: Option<&Value>,
    ) -> Answer {
        let response = self.stack.client.ask(method.clone(), path, token, body);
        let response = response.await;
        response.unwrap_or_else(|error| panic!("{method} {path}: {error}"))
    }

    /// The token that a caller sends.
    pub(crate) fn token(&self, caller: &str) -> Option<String> {
        let student = &self.student;
        let earlier = chrono::Utc::now().timestamp() - 60;
        let token = match caller {
            "anonymous" => return None,
            "student" => student.token.clone(),
            "other" => self.other.token.clone(),
            "encadrant" => self.encadrant.token.clone(),
            "admin" => self.admin.token.clone(),
            "expired" => self.signer.with(&student.token, "exp", earlier),
            "audience" => self.signer.with(&student.token, "aud", "another"),
            "refresh" => {
                let token = student.body["refresh_token"].as_str();
                token.expect("a refresh token").to_owned()
            }
            "revoked" => self.revoked.token.clone(),
            other => panic!("{other} is no caller"),
        };
        Some(token)
    }

    /// Logs those in again whose session a line has ended.
    pub(crate) async fn log_in_again(&mut self) {
        let users = [
            &mut self.student,
            &mut self.other,
            &mut self.encadrant,
            &mut self.admin,
        ];
        for user in users {
            if self.stack.client.get(ME, user).await.status == 401 {
                *user = log_in(self.stack, &user.email).await;
            }
        }
    }

    /// Puts ids in the places of a path's parameters.
    pub(crate) async fn fill(&self, path: &str, id: Option<&str>) -> Result<String, String> {
        let mut filled = path.to_owned();
        for (parameter, usual) in [("{id}", None), ("{user_id}", Some("user"))] {
            if filled.contains(parameter) {
                let name = id.or(usual);
                let name = name.ok_or("no line of [ids] says what {id} stands for")?;
                let id = self.thing(name).await;
                let id = id.ok_or_else(|| format!("{name:?} is no thing of the student"))?;
                filled = filled.replace(parameter, &id);
            }
        }
        match filled.contains('{') {
            true => Err("a parameter has no value".to_owned()),
            false => Ok(filled),
        }
    }

    /// The id of something that the student owns, by the name that the file gives it. What is spare is new each time.
    async fn thing(&self, name: &str) -> Option<String> {
        let student = &self.student;
        let id = match name {
            "user" => student.user_id.to_string(),
            "spare_user" => {
                let spare = self.stack.client.register(Role::Student).await;
                spare.user_id.to_string()
            }
            "session" => tokens::session_of(student).to_string(),
            "profile" => self.profile(student).await,
            "encadrant" => self.profile(&self.encadrant).await,
            "encadrant_user" => self.encadrant.user_id.to_string(),
            "spare_profile" => {
                let spare = self.stack.client.register(Role::Student).await;
                self.profile(&spare).await
            }
            "spare_encadrant" => {
                let spare = self.stack.client.register(Role::Encadrant).await;
                self.profile(&spare).await
            }
            "establishment" | "spare_establishment" => self.establishment().await,
            "hospital_service" | "spare_hospital_service" => self.hospital_service().await,
            "notification" => {
                let notifications = self.stack.client.notifications(student).await;
                notifications.first()?["id"].as_str()?.to_owned()
            }
            "spare_notification" => self.notification().await,
            _ => return None,
        };
        Some(id)
    }

    /// The id of a new establishment.
    async fn establishment(&self) -> String {
        let body = json!({"name": "CHU"});
        self.created("/profile/api/establishments", &body).await
    }

    /// The id of a new hospital service.
    async fn hospital_service(&self) -> String {
        let body = json!({"name": "Cardiology", "establishment_id": self.establishment().await});
        self.created("/profile/api/services", &body).await
    }

    /// The id of a new notification of the student.
    async fn notification(&self) -> String {
        let body = json!({"user_id": self.student.user_id, "title": "Spare"});
        self.created("/comm/api/notifications", &body).await
    }

    /// The id of what the administrator creates.
    async fn created(&self, path: &str, body: &Value) -> String {
        let token = Some(&*self.admin.token);
        let created = self.ask(&Method::POST, path, token, Some(body)).await;
        let id = created.body["id"].as_str();
        id.unwrap_or_else(|| panic!("{path}: {}", created.body))
            .to_owned()
    }

    /// The id of a user's profile, as soon as there is one.
    async fn profile(&self, user: &User) -> String {
        eventually(SOON, "a profile", async || {
            let profile = self.stack.client.get("/profile/api/me", user).await;
            profile.body["id"].as_str().map(str::to_owned)
        })
        .await
    }
}

/// Opens a session.
pub(crate) async fn log_in(stack: &Stack, email: &str) -> User {
    let credentials = json!({"email": email, "password": PASSWORD});
    let response = stack.client.post(LOGIN, &credentials).await;
    assert_eq!(response.status, 200, "{}", response.body);
    client::user(response.body)
}

/// Makes an administrator.
pub(crate) async fn admin(stack: &Stack) -> User {
    let email = "admin@example.com";
    let file = std::env::temp_dir().join(format!("password-{}", uuid::Uuid::new_v4()));
    std::fs::write(&file, PASSWORD).expect("a new file can be written");
    let path = file.to_str().expect("a path of letters");
    let arguments = ["create-admin", "--email", email, "--password-file", path];
    let environment = [("DATABASE_URL", stack.auth.url.clone())];
    Process::run("auth-service", &arguments, &environment).await;
    std::fs::remove_file(&file).expect("it is there");
    log_in(stack, email).await
}

/// A user whose session has ended before the token did, because the user was deleted. Every service knows it.
async fn revoked(stack: &Stack) -> User {
    let user = stack.client.register(Role::Student).await;
    let password = json!({"current_password": PASSWORD});
    let delete = stack
        .client
        .ask(Method::DELETE, ME, Some(&user.token), Some(&password));
    assert_eq!(delete.await.expect("an answer").status, 204);
    for path in ["/profile/api/me", "/comm/api/notifications/"] {
        eventually(SOON, "the session is revoked", async || {
            stack.client.get(path, &user).await.status == 401
        })
        .await;
    }
    user
}
