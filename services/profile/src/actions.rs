//! State changes: rows and their events, on a borrowed transaction.

use crate::{
    domain::{Account, Decision, Person},
    store::{
        self,
        people::{Changed, Deleted, NewProfile, PersonChange},
    },
};
use events::{
    EncadrantId, Event, Role, StudentId, UserId,
    auth::{UserCreated, UserDeleted, UserUpdated},
    profile::{
        EncadrantCreated, EncadrantDeleted, EncadrantUpdated, StudentCreated, StudentDeleted,
        StudentUpdated,
    },
};
use messaging::{Cause, Failure, Message, NewEvent, Transaction};
use std::collections::HashMap;
use uuid::Uuid;

/// Makes profiles for new accounts and announces them. Whoever is known already, or was deleted, gets none; nor
/// does an admin.
///
/// # Errors
/// When the database refuses.
pub async fn create_profiles(
    tx: &mut Transaction,
    events: &[Message<UserCreated>],
) -> Result<(), Failure> {
    let accounts: Vec<_> = events
        .iter()
        .map(|event| (event.payload.user_id, Account::created(&event.meta)))
        .collect();
    let admitted = store::accounts::admit(tx, &accounts).await?;
    let (mut students, mut encadrants) = (Vec::new(), Vec::new());
    for (event, (user_id, account)) in events.iter().zip(accounts) {
        let role = event.payload.role;
        if !admitted.contains(&user_id) {
            // Another event says so; a copy of the same one does not come here.
            tx.after_commit(move || tracing::info!("User {user_id} is known already"));
        } else if role == Role::Student {
            students.push((
                event.cause(),
                new_profile(StudentId::new(), &event.payload, account),
            ));
        } else if role == Role::Encadrant {
            encadrants.push((
                event.cause(),
                new_profile(EncadrantId::new(), &event.payload, account),
            ));
        }
    }
    if !students.is_empty() {
        create_students(tx, students).await?;
    }
    if !encadrants.is_empty() {
        create_encadrants(tx, encadrants).await?;
    }
    let released: Vec<_> = admitted.into_iter().map(account_key).collect();
    Ok(tx.release(&released).await?)
}

/// Changes profiles as their accounts changed, and announces it. What is not news is passed over.
///
/// # Errors
/// When the database refuses.
pub async fn update_profiles(
    tx: &mut Transaction,
    events: &[Message<UserUpdated>],
) -> Result<(), Failure> {
    let user_ids: Vec<UserId> = events.iter().map(|event| event.payload.user_id).collect();
    let known = store::accounts::lock(tx, &user_ids).await?;
    let (mut accounts, mut changes, mut causes) = (Vec::new(), Vec::new(), HashMap::new());
    for event in events {
        let user = &event.payload;
        match Account::on_updated(known.get(&user.user_id).copied(), &event.meta) {
            Decision::Ignore => {}
            Decision::Wait => tx.wait(&event.meta, account_key(user.user_id)),
            Decision::Apply(account) => {
                accounts.push((user.user_id, account));
                changes.push(person_change(user, account));
                causes.insert(user.user_id, event.cause());
            }
        }
    }
    if accounts.is_empty() {
        return Ok(());
    }
    store::accounts::put(tx, &accounts).await?;
    let students = store::students::update(tx, &changes).await?;
    tx.enqueue_all(&new_events(&causes, students, student_updated))
        .await?;
    let encadrants = store::encadrants::update(tx, &changes).await?;
    let ids: Vec<Uuid> = encadrants.iter().map(|changed| changed.id).collect();
    let specialities = store::encadrants::specialities(tx, &ids).await?;
    let updated = |changed| encadrant_updated(changed, &specialities);
    tx.enqueue_all(&new_events(&causes, encadrants, updated))
        .await?;
    Ok(())
}

/// Erases the profiles of deleted accounts, and announces it; what arrives late about them counts no more.
///
/// # Errors
/// When the database refuses.
pub async fn erase_profiles(
    tx: &mut Transaction,
    events: &[Message<UserDeleted>],
) -> Result<(), Failure> {
    let user_ids: Vec<UserId> = events.iter().map(|event| event.payload.user_id).collect();
    let known = store::accounts::lock(tx, &user_ids).await?;
    let (mut accounts, mut causes) = (Vec::new(), HashMap::new());
    for event in events {
        let user_id = event.payload.user_id;
        if let Decision::Apply(account) =
            Account::on_deleted(known.get(&user_id).copied(), &event.meta)
        {
            accounts.push((user_id, account));
            causes.insert(user_id, event.cause());
        }
    }
    store::accounts::put(tx, &accounts).await?;
    let user_ids: Vec<UserId> = accounts.into_iter().map(|(user_id, _)| user_id).collect();
    let students = store::students::delete(tx, &user_ids).await?;
    tx.enqueue_all(&new_events(&causes, students, student_deleted))
        .await?;
    let encadrants = store::encadrants::delete(tx, &user_ids).await?;
    tx.enqueue_all(&new_events(&causes, encadrants, encadrant_deleted))
        .await?;
    let ids: Vec<Uuid> = user_ids.iter().map(|id| id.as_uuid()).collect();
    Ok(tx.erase(&ids).await?)
}

async fn create_students(
    tx: &mut Transaction,
    newcomers: Vec<(Cause, NewProfile<StudentId>)>,
) -> Result<(), Failure> {
    let (causes, profiles): (Vec<_>, Vec<_>) = newcomers.into_iter().unzip();
    store::students::insert(tx, &profiles).await?;
    announce(tx, "student", causes, profiles, |student_id, person| {
        StudentCreated {
            student_id,
            user_id: person.user_id,
            first_name: person.first_name,
            last_name: person.last_name,
            email: person.email,
        }
    })
    .await
}

async fn create_encadrants(
    tx: &mut Transaction,
    newcomers: Vec<(Cause, NewProfile<EncadrantId>)>,
) -> Result<(), Failure> {
    let (causes, profiles): (Vec<_>, Vec<_>) = newcomers.into_iter().unzip();
    store::encadrants::insert(tx, &profiles).await?;
    announce(tx, "encadrant", causes, profiles, |encadrant_id, person| {
        EncadrantCreated {
            encadrant_id,
            user_id: person.user_id,
            first_name: person.first_name,
            last_name: person.last_name,
            specialization: None,
            email: person.email,
        }
    })
    .await
}

async fn announce<Id, E: Event>(
    tx: &mut Transaction,
    kind: &'static str,
    causes: Vec<Cause>,
    profiles: Vec<NewProfile<Id>>,
    event: impl Fn(Id, Person) -> E,
) -> Result<(), Failure> {
    for user_id in profiles.iter().map(|new| new.person.user_id) {
        // Operators grep for this line; it comes only once it is true.
        tx.after_commit(move || tracing::info!("✅ Created {kind} profile for user {user_id}"));
    }
    let new_events: Vec<_> = causes
        .into_iter()
        .zip(profiles)
        .map(|(cause, new)| NewEvent {
            cause,
            version: new.version,
            event: event(new.id, new.person),
        })
        .collect();
    tx.enqueue_all(&new_events).await?;
    Ok(())
}

/// What updates of an account wait for that came before its creation.
fn account_key(user_id: UserId) -> String {
    format!("user:{user_id}")
}

fn new_profile<Id>(id: Id, user: &UserCreated, account: Account) -> NewProfile<Id> {
    let person = Person {
        user_id: user.user_id,
        email: user.email.clone(),
        first_name: user.first_name.clone(),
        last_name: user.last_name.clone(),
        phone: user.phone.clone(),
    };
    NewProfile {
        id,
        person,
        version: account.version,
    }
}

fn person_change(user: &UserUpdated, account: Account) -> PersonChange {
    PersonChange {
        user_id: user.user_id,
        email: user.email.clone(),
        first_name: user.first_name.clone(),
        last_name: user.last_name.clone(),
        phone: user.phone.clone(),
        version: account.version,
    }
}

/// The events that follow from rows, each with the cause that its user's event is.
fn new_events<T, E: Event>(
    causes: &HashMap<UserId, Cause>,
    rows: Vec<T>,
    event: impl Fn(T) -> (UserId, i64, E),
) -> Vec<NewEvent<E>> {
    let draft = |row| {
        let (user_id, version, event) = event(row);
        NewEvent {
            cause: causes[&user_id].clone(),
            version,
            event,
        }
    };
    rows.into_iter().map(draft).collect()
}

fn student_updated(changed: Changed) -> (UserId, i64, StudentUpdated) {
    let Changed {
        id,
        version,
        person,
        changes,
    } = changed;
    let event = StudentUpdated {
        student_id: id.into(),
        user_id: person.user_id,
        first_name: person.first_name,
        last_name: person.last_name,
        email: person.email,
        changes,
    };
    (event.user_id, version, event)
}

fn encadrant_updated(
    changed: Changed,
    specialities: &HashMap<Uuid, String>,
) -> (UserId, i64, EncadrantUpdated) {
    let Changed {
        id,
        version,
        person,
        changes,
    } = changed;
    let event = EncadrantUpdated {
        encadrant_id: id.into(),
        user_id: person.user_id,
        first_name: person.first_name,
        last_name: person.last_name,
        specialization: specialities.get(&id).cloned(),
        email: person.email,
        changes,
    };
    (event.user_id, version, event)
}

fn student_deleted(deleted: Deleted) -> (UserId, i64, StudentDeleted) {
    let event = StudentDeleted {
        student_id: deleted.id.into(),
        user_id: deleted.user_id,
    };
    (event.user_id, deleted.version + 1, event)
}

fn encadrant_deleted(deleted: Deleted) -> (UserId, i64, EncadrantDeleted) {
    let event = EncadrantDeleted {
        encadrant_id: deleted.id.into(),
        user_id: deleted.user_id,
    };
    (event.user_id, deleted.version + 1, event)
}
