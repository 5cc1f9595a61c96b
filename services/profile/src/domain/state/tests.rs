//! Any order of the events about one user, with repetitions and with both kinds of publisher, ends in the same state.

use super::*;
use crate::domain::Person;
use proptest::{prelude::*, sample::Index};

#[derive(Clone, Debug)]
enum Kind {
    Created(Person, Role),
    Updated(PersonChange),
    Deleted,
}

#[derive(Clone, Debug)]
struct Event {
    kind: Kind,
    order: Order,
}

fn user_id() -> UserId {
    Uuid::nil().into()
}

fn time(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_765_654_022 + seconds, 0).unwrap()
}

fn versioned(version: i64) -> Order {
    Order {
        stamp: Stamp::Version(version),
        changed_at: time(version),
        flaw: None,
        confirmed: false,
    }
}

fn timed(seconds: i64, is_change: bool, id: u128) -> Order {
    Order {
        stamp: Stamp::Time {
            at: time(seconds),
            is_change,
            event_id: Uuid::from_u128(id),
        },
        changed_at: time(seconds),
        flaw: None,
        confirmed: false,
    }
}

fn person(text: &str) -> Person {
    Person {
        user_id: user_id(),
        email: text.to_owned(),
        first_name: text.to_owned(),
        last_name: text.to_owned(),
        phone: Some(text.to_owned()),
        locale: Some(text.to_owned()),
    }
}

/// A change that names the fields whose bit is set, and the e-mail.
fn change(text: &str, fields: u8) -> PersonChange {
    let named = |bit: u8| (fields & bit != 0).then(|| text.to_owned());
    PersonChange {
        user_id: user_id(),
        email: Some(text.to_owned()),
        first_name: named(1),
        last_name: named(2),
        phone: named(4).map(Some),
        locale: named(8),
        role: None,
    }
}

fn created(text: &str, order: Order) -> Event {
    created_as(Role::Student, text, order)
}

fn created_as(role: Role, text: &str, order: Order) -> Event {
    let kind = Kind::Created(person(text), role);
    Event { kind, order }
}

/// As auth-service publishes a change: it says all fields, and the role.
fn changed_to(role: Role, text: &str, order: Order) -> Event {
    let kind = Kind::Updated(PersonChange::all(&person(text), role));
    Event { kind, order }
}

fn updated(text: &str, fields: u8, order: Order) -> Event {
    let kind = Kind::Updated(change(text, fields));
    Event { kind, order }
}

fn deleted(order: Order) -> Event {
    let kind = Kind::Deleted;
    Event { kind, order }
}

/// A user as the service holds one: the profiles of both roles have the same person.
#[derive(Default)]
struct User {
    state: Option<UserState>,
    person: Option<Person>,
}

impl User {
    /// Returns whether the event must wait. One that is refused is parked until a person decides.
    fn receive(&mut self, Event { kind, order }: &Event) -> bool {
        let decision = match (kind, self.state) {
            (Kind::Created(_, role), None) => Ok(Decision::Create(UserState::created(
                user_id(),
                *role,
                order,
            ))),
            (Kind::Created(person, role), Some(state)) => {
                Ok(state.on_created(order, person, *role))
            }
            (Kind::Updated(change), state) => UserState::on_updated(state, order, change.clone()),
            (Kind::Deleted, state) => {
                if let Ok(Some(erased)) = UserState::on_deleted(user_id(), state, order) {
                    *self = Self {
                        state: Some(erased),
                        person: None,
                    };
                }
                return false;
            }
        };
        match decision {
            Ok(Decision::Create(state)) => {
                let Kind::Created(person, role) = kind else {
                    panic!("only a creation creates");
                };
                *self = Self {
                    state: Some(state),
                    person: (*role != Role::Admin).then(|| person.clone()),
                };
            }
            Ok(Decision::Apply(state, change)) => {
                self.apply(state, change);
            }
            Ok(Decision::Wait) => return true,
            Ok(Decision::Ignore) | Err(_) => {}
        }
        false
    }

    fn apply(&mut self, state: UserState, change: PersonChange) {
        let begins = state.role != self.state.and_then(|before| before.role)
            && state.role != Some(Role::Admin);
        self.state = Some(state);
        if begins && self.person.is_none() {
            self.person = Some(Person {
                user_id: user_id(),
                email: change.email.clone().unwrap_or_default(),
                first_name: change.first_name.clone().unwrap_or_default(),
                last_name: change.last_name.clone().unwrap_or_default(),
                phone: change.phone.clone().flatten(),
                locale: change.locale.clone(),
            });
        }
        if let Some(person) = &mut self.person {
            set(&mut person.email, change.email);
            set(&mut person.first_name, change.first_name);
            set(&mut person.last_name, change.last_name);
            set(&mut person.phone, change.phone);
            set(&mut person.locale, change.locale.map(Some));
        }
    }

    /// The role, and the profile that counts.
    fn end(self) -> (Option<Role>, Option<Person>) {
        let role = self.state.and_then(|state| state.role);
        (role, self.person.filter(|_| role != Some(Role::Admin)))
    }
}

fn set<T>(field: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *field = value;
    }
}

/// The profile that counts after these events; those that must wait are received again at the end.
fn end_of(events: Vec<Event>) -> Option<Person> {
    state_after(events).1
}

/// The same, with the role.
fn state_after(mut events: Vec<Event>) -> (Option<Role>, Option<Person>) {
    let mut user = User::default();
    loop {
        let before = events.len();
        events.retain(|event| user.receive(event));
        if events.is_empty() || events.len() == before {
            return user.end();
        }
    }
}

/// What the old publisher says of the user, or another one that counts versions: the fields of each change, and whether it
/// deletes the user at the end.
fn story(counts: bool, changes: &[(u8, i64)], deletes: bool) -> Vec<Event> {
    let order = |n: usize, seconds: i64| {
        let n = i64::try_from(n).unwrap();
        if counts {
            versioned(n + 1)
        } else {
            timed(seconds, n > 0, 1_000 - u128::try_from(n).unwrap())
        }
    };
    let name = if counts { "counts" } else { "old" };
    let mut events = vec![created(name, order(0, 0))];
    events.extend(changes.iter().enumerate().map(|(i, (fields, seconds))| {
        updated(&format!("{name} {i}"), *fields, order(i + 1, *seconds))
    }));
    if deletes {
        events.push(deleted(order(changes.len() + 1, 9)));
    }
    events
}

/// What auth-service says: the role of the creation, and of each change.
fn roles(roles: &[Role], deletes: bool) -> Vec<Event> {
    let event = |(i, role): (usize, &Role)| {
        let version = i64::try_from(i).unwrap() + 1;
        let (name, order) = (format!("role {i}"), versioned(version));
        match i {
            0 => created_as(*role, &name, order),
            _ => changed_to(*role, &name, order),
        }
    };
    let mut events: Vec<_> = roles.iter().enumerate().map(event).collect();
    if deletes {
        let version = i64::try_from(roles.len()).unwrap() + 1;
        events.push(deleted(versioned(version)));
    }
    events
}

/// The same events with repetitions, in another order.
fn storm(calm: &[Event], again: &[Index], order: Vec<u32>) -> Vec<Event> {
    let copies: Vec<_> = again.iter().map(|index| index.get(calm).clone()).collect();
    let mut storm: Vec<_> = calm.iter().cloned().chain(copies).zip(order).collect();
    storm.sort_by_key(|(_, place)| *place);
    storm.into_iter().map(|(event, _)| event).collect()
}

proptest! {
    #[test]
    fn any_order_with_repetition_ends_in_the_same_state(
        ours in proptest::option::of(proptest::collection::vec((0..16_u8, 0..4_i64), 0..5)),
        theirs in proptest::collection::vec((0..16_u8, 0..4_i64), 0..5),
        we_delete: bool, they_delete: bool,
        again in proptest::collection::vec(any::<Index>(), 0..10),
        order in proptest::collection::vec(any::<u32>(), 30),
    ) {
        let mut calm = story(false, &theirs, they_delete);
        if let Some(ours) = &ours {
            calm.extend(story(true, ours, we_delete));
        }
        prop_assert_eq!(state_after(storm(&calm, &again, order)), state_after(calm));
    }

    #[test]
    fn any_order_of_role_changes_ends_in_the_last_role(
        ours in proptest::collection::vec(proptest::sample::select(&Role::ALL), 1..6),
        theirs in proptest::option::of(proptest::collection::vec((0..16_u8, 0..4_i64), 0..4)),
        we_delete: bool, they_delete: bool,
        again in proptest::collection::vec(any::<Index>(), 0..10),
        order in proptest::collection::vec(any::<u32>(), 30),
    ) {
        let mut calm = roles(&ours, we_delete);
        if let Some(theirs) = &theirs {
            calm.extend(story(false, theirs, they_delete));
        }
        let end = state_after(storm(&calm, &again, order));
        let last = *ours.last().unwrap();
        let person = person(&format!("role {}", ours.len() - 1));
        let expected = (!we_delete).then_some((last, (last != Role::Admin).then_some(person)));
        prop_assert_eq!(end, expected.map_or((None, None), |(role, person)| (Some(role), person)));
    }
}

#[test]
fn changes_that_name_some_fields_may_come_in_any_order() {
    let creation = created("old", timed(1, false, 1));
    let name = updated("name", 1, timed(2, true, 2));
    let phone = updated("phone", 4, timed(3, true, 3));
    let end = end_of(vec![creation.clone(), phone.clone(), name.clone()]).unwrap();
    assert_eq!(Some(&end), end_of(vec![name, phone, creation]).as_ref());
    assert_eq!(
        (end.first_name.as_str(), end.phone.as_deref()),
        ("name", Some("phone"))
    );
}

#[test]
fn a_change_in_the_second_of_the_creation_applies() {
    // The creation has the greater id.
    let creation = created("old", timed(1, false, 9));
    let change = updated("new", 15, timed(1, true, 1));
    assert_eq!(end_of(vec![creation, change]), Some(person("new")));
}

#[test]
fn of_two_changes_of_the_same_time_the_greater_id_wins() {
    let creation = created("old", timed(1, false, 1));
    let lesser = updated("lesser", 15, timed(2, true, 2));
    let greater = updated("greater", 15, timed(2, true, 3));
    for changes in [[&lesser, &greater], [&greater, &lesser]] {
        let events = [&creation].into_iter().chain(changes).cloned().collect();
        assert_eq!(end_of(events), Some(person("greater")));
    }
}

#[test]
fn a_publisher_that_counts_no_versions_cannot_touch_anothers_user_unless_an_operator_agrees() {
    let state = UserState::created(user_id(), Role::Student, &versioned(1));
    let mut order = timed(5, true, 1);
    let refused = UserState::on_updated(Some(state), &order, change("old", 15)).unwrap_err();
    assert_eq!(refused.kind, "foreign_change");
    let refused = UserState::on_deleted(user_id(), Some(state), &order).unwrap_err();
    assert_eq!(refused.kind, "foreign_deletion");
    order.confirmed = true;
    let agreed = UserState::on_updated(Some(state), &order, change("old", 15));
    assert!(matches!(agreed, Ok(Decision::Apply(..))), "{agreed:?}");
    let agreed = UserState::on_deleted(user_id(), Some(state), &order)
        .unwrap()
        .unwrap();
    assert!(agreed.erased);
    let late = agreed.on_created(&versioned(1), &person("late"), Role::Student);
    assert!(matches!(late, Decision::Ignore), "{late:?}");
}

#[test]
fn a_change_that_nothing_orders_is_refused_even_before_the_creation() {
    let order = Order {
        flaw: Some(refusal("no_time", "")),
        ..timed(0, true, 1)
    };
    for state in [
        None,
        Some(UserState::created(
            user_id(),
            Role::Student,
            &timed(0, false, 1),
        )),
    ] {
        let refused = UserState::on_updated(state, &order, change("new", 15)).unwrap_err();
        assert_eq!(refused.kind, "no_time");
    }
}
