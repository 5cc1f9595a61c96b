//! The OpenAPI document.

use test_support::{Stack, Unit, openapi, stack::Links};

#[tokio::test]
async fn the_openapi_document_is_true() {
    let mut stack = Stack::prepare(Links::Direct).await;
    stack.start_units(&[Unit::Auth, Unit::Comm]).await;
    let user = crate::creating::administrator(&stack).await;
    openapi::assert_described(&stack.client, &user, "comm", &comm_service::http::openapi()).await;
}
