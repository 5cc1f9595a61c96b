//! The counts for the first page of encadrants and administrators.

use crate::fixture::{administrator, enrolled, people};
use events::Role;
use serde_json::json;

#[tokio::test]
async fn the_dashboard_counts_what_is_there_and_no_profile_of_another_role() {
    let stack = people().await;
    let admin = administrator(&stack).await;
    let empty = stack
        .client
        .get("/profile/api/dashboard-stats/", &admin)
        .await;
    assert_eq!(
        (empty.status, empty.body),
        (
            200,
            json!({"total_students": 0, "total_encadrants": 0, "total_establishments": 0,
                   "total_services": 0, "establishment_types": {}})
        )
    );
    let (student, encadrant) = (
        enrolled(&stack, Role::Student).await,
        enrolled(&stack, Role::Encadrant).await,
    );
    for statement in [
        "insert into profiles_student (id, user_id, email, is_active)
         select gen_random_uuid(), gen_random_uuid(), n || '@example.com', n > 2 from generate_series(1, 5) as n",
        "insert into profiles_encadrant (id, user_id, email, is_active)
         select gen_random_uuid(), gen_random_uuid(), n || '@example.com', false from generate_series(1, 2) as n",
        "insert into profiles_establishment (id, name, type)
         select gen_random_uuid(), 'E' || n, (array['CHU', 'CHU', 'Clinique', null])[n] from generate_series(1, 4) as n",
        "insert into profiles_service (id, establishment_id, name)
         select gen_random_uuid(), id, 'Cardiology' from profiles_establishment where type = 'CHU'",
    ] {
        stack.profile.run(statement).await;
    }
    let counts = json!({"total_students": 4, "total_encadrants": 1, "total_establishments": 4,
                        "total_services": 2, "establishment_types": {"CHU": 2, "Clinique": 1}});
    for path in [
        "/profile/api/dashboard-stats/",
        "/profile/api/dashboard-stats",
        "/profile/dashboard-stats/",
    ] {
        for user in [&admin, &encadrant] {
            let read = stack.client.get(path, user).await;
            assert_eq!((read.status, &read.body), (200, &counts), "{path}");
        }
        let refused = stack.client.get(path, &student).await;
        assert_eq!(
            (refused.status, &refused.body["code"]),
            (403, &json!("FORBIDDEN")),
            "{path}"
        );
    }
}
