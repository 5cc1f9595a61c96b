//! Which events about a user still count, in whatever order they arrive.
//!
//! Each field keeps the stamp of the event that set it, and a newer stamp wins: changes that name some fields only may
//! come in any order. Any version is newer than any time, so a user whom a publisher with versions describes ends in the
//! state that this publisher sends. A publisher without versions cannot change or delete such a user, unless an operator
//! had its event replayed.

use super::{Person, PersonChange};
use chrono::{DateTime, Utc};
use events::{Meta, Refusal, Role, UserId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// What orders the events that set one field of one user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Stamp {
    /// An event of a publisher that counts no versions.
    Time {
        /// When the change was made.
        at: DateTime<Utc>,
        /// A change in the second of the creation is newer than the creation.
        is_change: bool,
        /// Decides between two changes of the same time, so that the order of arrival does not.
        event_id: Uuid,
    },
    /// The version of the user, from a publisher that counts versions.
    Version(i64),
}

impl Stamp {
    fn is_version(self) -> bool {
        matches!(self, Stamp::Version(_))
    }

    fn version(self) -> Option<i64> {
        match self {
            Stamp::Version(version) => Some(version),
            Stamp::Time { .. } => None,
        }
    }
}

/// The place of an event among all events about its user.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    /// What the fields get that the event sets.
    pub stamp: Stamp,
    /// The time of the change.
    pub changed_at: DateTime<Utc>,
    /// Why the event has no place: it has neither a version nor a time.
    pub flaw: Option<Refusal>,
    /// An operator had the event replayed.
    pub confirmed: bool,
}

impl Order {
    /// The place of an event that creates a user.
    pub(crate) fn of_creation(meta: &Meta, confirmed: bool) -> Self {
        Self::of(meta, false, confirmed)
    }

    /// The place of an event that changes or deletes a user.
    pub(crate) fn of_change(meta: &Meta, confirmed: bool) -> Self {
        Self::of(meta, true, confirmed)
    }

    fn of(meta: &Meta, is_change: bool, confirmed: bool) -> Self {
        if let Some(version) = meta.aggregate_version {
            return Self {
                stamp: Stamp::Version(version),
                changed_at: meta.timestamp,
                flaw: None,
                confirmed,
            };
        }
        let now = Utc::now();
        let (at, flaw) = match meta.time_of_change(now) {
            Ok(at) => (at, None),
            // A person decided that it counts now.
            Err(_) if confirmed => (now, None),
            Err(refusal) => (now, Some(refusal)),
        };
        Self {
            stamp: Stamp::Time {
                at,
                is_change,
                event_id: meta.event_id.as_uuid(),
            },
            changed_at: at,
            flaw,
            confirmed,
        }
    }

    /// # Errors
    /// The flaw.
    pub(crate) fn check(&self) -> Result<(), Refusal> {
        self.flaw.clone().map_or(Ok(()), Err)
    }
}

/// The stamps of a user's fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stamps {
    /// Every event says the e-mail, so this is the newest of all stamps.
    pub email: Stamp,
    /// Of the first name.
    pub first_name: Stamp,
    /// Of the last name.
    pub last_name: Stamp,
    /// Of the phone.
    pub phone: Stamp,
    /// Of the role. Rows of before the column do not have it: then it is that of the e-mail.
    #[serde(default)]
    pub role: Option<Stamp>,
    /// Of the language; it may be missing as that of the role.
    #[serde(default)]
    pub locale: Option<Stamp>,
}

impl Stamps {
    /// All fields were set by the same event.
    pub(crate) fn all(stamp: Stamp) -> Self {
        Self {
            email: stamp,
            first_name: stamp,
            last_name: stamp,
            phone: stamp,
            role: Some(stamp),
            locale: Some(stamp),
        }
    }
}

/// What this service has recorded about a user. It decides which events about the user still count.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct UserState {
    /// The user.
    pub user_id: UserId,
    /// The newest version that was applied; the profile's own version is no lower afterwards.
    pub version: i64,
    /// The time of the newest change.
    pub changed_at: DateTime<Utc>,
    /// The user was deleted.
    pub erased: bool,
    /// Which profile counts; `None` when the user is erased, or recorded by a version that did not record roles.
    pub role: Option<Role>,
    /// What set the fields.
    pub stamps: Stamps,
}

/// What to do with an event that describes a user.
#[derive(Clone, Debug)]
pub(crate) enum Decision {
    /// Make the user's profile: the state is then this one.
    Create(UserState),
    /// Apply these fields: the state is then this one.
    Apply(UserState, PersonChange),
    /// Do nothing: all that it says is older than what is recorded.
    Ignore,
    /// Wait: the user's creation has not arrived.
    Wait,
}

impl UserState {
    /// The state of a user who was created, when no state is recorded.
    pub(crate) fn created(user_id: UserId, role: Role, order: &Order) -> Self {
        Self {
            user_id,
            version: order.stamp.version().unwrap_or(1),
            changed_at: order.changed_at,
            erased: false,
            role: Some(role),
            stamps: Stamps::all(order.stamp),
        }
    }

    /// What to do with the creation of a user who is recorded.
    pub(crate) fn on_created(self, order: &Order, person: &Person, role: Role) -> Decision {
        let foreign = self.is_owned() && !order.stamp.is_version();
        if self.erased && !self.is_owned() && order.stamp.is_version() {
            // A publisher that counts no versions cannot delete this user.
            let created = Self::created(self.user_id, role, order);
            return Decision::Create(Self {
                version: created.version.max(self.version + 1),
                ..created
            });
        }
        if self.erased || foreign {
            return Decision::Ignore;
        }
        self.merge(order, PersonChange::all(person, role))
    }

    /// What to do with a change, given the recorded state.
    ///
    /// # Errors
    /// A [`Refusal`] when its publisher may not change this user, or when nothing orders the change.
    pub(crate) fn on_updated(
        recorded: Option<Self>,
        order: &Order,
        change: PersonChange,
    ) -> Result<Decision, Refusal> {
        let Some(recorded) = recorded else {
            order.check()?;
            return Ok(Decision::Wait);
        };
        let is_version = order.stamp.is_version();
        if recorded.erased {
            let undone = is_version && !recorded.is_owned();
            return Ok(if undone {
                Decision::Wait
            } else {
                Decision::Ignore
            });
        }
        if recorded.is_owned() && !is_version {
            if order.confirmed {
                // The stamps stay: the next version says all fields again.
                return Ok(Decision::Apply(recorded, change));
            }
            let reason = "its publisher counts no versions, and another one that does has spoken of this user; \
                          nothing has changed; a replay applies it";
            return Err(refusal("foreign_change", reason));
        }
        order.check()?;
        Ok(recorded.merge(order, change))
    }

    /// What to do with a deletion, given the recorded state: the state to record, or nothing. A deletion counts more than
    /// any version, and needs no time.
    ///
    /// # Errors
    /// A [`Refusal`] when its publisher may not delete this user.
    pub(crate) fn on_deleted(
        user_id: UserId,
        recorded: Option<Self>,
        order: &Order,
    ) -> Result<Option<Self>, Refusal> {
        let is_version = order.stamp.is_version();
        let is_owned = recorded.is_some_and(|recorded| recorded.is_owned());
        if recorded.is_some_and(|recorded| recorded.erased) && (is_owned || !is_version) {
            return Ok(None);
        }
        if is_owned && !is_version && !order.confirmed {
            let reason = "its publisher counts no versions, and another one that does has spoken of this user; \
                          nothing has changed; a replay deletes the user's profile for good";
            return Err(refusal("foreign_deletion", reason));
        }
        let before = recorded.map_or(1, |recorded| recorded.version);
        let version = order
            .stamp
            .version()
            .map_or(before, |version| version.max(before));
        let last = is_version || order.confirmed;
        Ok(Some(Self {
            user_id,
            version,
            changed_at: order.changed_at,
            erased: true,
            role: None,
            stamps: Stamps::all(if last {
                Stamp::Version(version)
            } else {
                order.stamp
            }),
        }))
    }

    /// Whether a publisher that counts versions describes the user.
    pub(crate) fn is_owned(&self) -> bool {
        self.stamps.email.is_version()
    }

    /// Takes the fields whose stamp is newer than the recorded one.
    fn merge(mut self, order: &Order, mut change: PersonChange) -> Decision {
        let stamps = &mut self.stamps;
        let role_stamp = stamps.role.get_or_insert(stamps.email);
        let locale_stamp = stamps.locale.get_or_insert(stamps.email);
        let newer = [
            keep_newer(&mut change.email, &mut stamps.email, order.stamp),
            keep_newer(&mut change.first_name, &mut stamps.first_name, order.stamp),
            keep_newer(&mut change.last_name, &mut stamps.last_name, order.stamp),
            keep_newer(&mut change.phone, &mut stamps.phone, order.stamp),
            keep_newer(&mut change.role, role_stamp, order.stamp),
            keep_newer(&mut change.locale, locale_stamp, order.stamp),
        ];
        if !newer.contains(&true) {
            return Decision::Ignore;
        }
        self.version = order
            .stamp
            .version()
            .map_or(self.version, |version| version.max(self.version));
        self.changed_at = self.changed_at.max(order.changed_at);
        self.role = change.role.or(self.role);
        Decision::Apply(self, change)
    }
}

/// Keeps a value that is newer than the recorded one, and records its stamp. Returns whether it is.
fn keep_newer<T>(value: &mut Option<T>, recorded: &mut Stamp, stamp: Stamp) -> bool {
    if value.is_none() {
        return false;
    }
    let is_newer = stamp > *recorded;
    if is_newer {
        *recorded = stamp;
    } else {
        *value = None;
    }
    is_newer
}

fn refusal(kind: &'static str, reason: &str) -> Refusal {
    Refusal {
        kind,
        reason: reason.to_owned(),
    }
}

#[cfg(test)]
mod tests;
