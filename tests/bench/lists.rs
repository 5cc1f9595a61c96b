//! Pages of the list of students, at 100,000 of them.

use crate::report::{Figure, Report, by_parts};
use events::Role;
use std::time::Instant;
use test_support::{Stack, User};

/// How often each page is asked for.
const ROUNDS: usize = 100;

/// An eighth has each first name, three have each last name, and all have the same e-mail domain.
const STUDENTS: &str = "
    insert into profiles_student (id, user_id, email, first_name, last_name, student_number, university, program,
                                  year_level, created_at)
    select gen_random_uuid(), gen_random_uuid(), lower(first || '.' || last || n || '@example.com'), first, last,
           'S' || n, 'University ' || n % 60, 'Program ' || n % 25, 1 + n % 7, now() - n * interval '1 minute'
    from generate_series(1, 100000) as n,
         lateral (select (array['Amina', 'Yacine', 'Lina', 'Karim', 'Sara', 'Omar', 'Nour', 'Ali'])[1 + n % 8] as first,
                         initcap(substr(md5((n / 3)::text), 1, 7)) as last) as names";

/// What the pages have in common, and their queries.
const PAGES: [(&str, &str, &[&str]); 6] = [
    (
        "plain",
        "without a search",
        &["", "page=50", "sort=created_at"],
    ),
    (
        "name",
        "a search that finds a few",
        &["search=a3f2", "search=s4242", "search=5e1c&sort=last_name"],
    ),
    (
        "common",
        "a search that finds an eighth",
        &[
            "search=amina",
            "search=yacine&page=50",
            "search=karim&sort=last_name",
        ],
    ),
    (
        "short",
        "a search of two letters",
        &["search=li", "search=s4&page=5", "search=no&sort=-last_name"],
    ),
    (
        "all",
        "a search that finds all",
        &["search=example.com", "search=example.com&page=50"],
    ),
    (
        "sorted",
        "in another order, without a search",
        &[
            "sort=last_name",
            "sort=-university",
            "sort=student_number&page=50",
        ],
    ),
];

pub(crate) async fn measure(stack: &Stack, report: &mut Report) {
    stack.profile.run("truncate profiles_student").await;
    stack.profile.run(STUDENTS).await;
    stack.profile.run("vacuum analyze profiles_student").await;
    let reader = stack.client.register(Role::Encadrant).await;
    for (path, about, queries) in PAGES {
        let times = times(stack, &reader, queries).await;
        for (name, share) in [("p50", 0.5), ("p99", 0.99)] {
            let parts = by_parts(&times, share);
            let path = format!("lists.{path}.{name}_ms");
            let about = format!("a page of 100,000 students, {about}, {name}");
            let figure = Figure::of_parts(&path, &about, "ms", parts);
            report.add(match name {
                "p99" => figure.asked("at most 20 ms"),
                _ => figure,
            });
        }
    }
}

/// Milliseconds of each request, the pages in turn.
async fn times(stack: &Stack, reader: &User, queries: &[&str]) -> Vec<f64> {
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        for query in queries {
            let began = Instant::now();
            let page = stack
                .client
                .get(&format!("/profile/api/students?{query}"), reader)
                .await;
            times.push(began.elapsed().as_secs_f64() * 1e3);
            assert_eq!(page.status, 200, "{query}: {}", page.body);
        }
    }
    times
}
