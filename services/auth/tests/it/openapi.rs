//! The OpenAPI document.

use test_support::{Stack, Unit, openapi, stack::Links};

#[tokio::test]
async fn the_openapi_document_is_true() {
    let mut stack = Stack::prepare(Links::Direct).await;
    stack.start_units(&[Unit::Auth]).await;
    let user = crate::admin(&stack).await;
    openapi::assert_described(&stack.client, &user, "auth", &auth_service::http::openapi()).await;
}
