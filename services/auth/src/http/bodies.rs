//! What requests carry, for the OpenAPI document. [`service_kit::http::Fields`] reads them, and tells all that is
//! wrong at once; a test compares the two.
#![expect(dead_code, reason = "described, never made")]

use utoipa::ToSchema;

/// A new account.
#[derive(ToSchema)]
pub(super) struct Registration {
    /// To log in with; kept in lower case.
    #[schema(format = Email, examples("test.student@example.com"))]
    email: String,
    /// 8 to 128 characters; none that is easily guessed.
    #[schema(format = Password, min_length = 8, max_length = 128, examples("SecurePass123!"))]
    password: String,
    #[schema(examples("John"))]
    first_name: Option<String>,
    #[schema(examples("Doe"))]
    last_name: Option<String>,
    #[schema(examples("+33123456789"))]
    phone: Option<String>,
    /// `student` or `encadrant`; `student` when absent.
    #[schema(pattern = "^(student|encadrant)$", examples("student"))]
    role: Option<String>,
    /// Language of texts for this user.
    #[schema(pattern = "^(en|fr)$", examples("fr"))]
    locale: Option<String>,
}

/// Who logs in.
#[derive(ToSchema)]
pub(super) struct LogIn {
    #[schema(examples("test.student@example.com"))]
    email: String,
    #[schema(format = Password, examples("SecurePass123!"))]
    password: String,
}

/// What is absent stays; `null` clears.
#[derive(ToSchema)]
pub(super) struct AccountChange {
    #[schema(examples("Johnny"))]
    first_name: Option<String>,
    #[schema(examples("Doe"))]
    last_name: Option<String>,
    #[schema(examples("+33123456780"))]
    phone: Option<String>,
    /// Language of texts for this user; there is always one.
    #[schema(pattern = "^(en|fr)$", nullable = false, examples("en"))]
    locale: Option<String>,
}

/// A new address to log in with.
#[derive(ToSchema)]
pub(super) struct EmailChange {
    #[schema(format = Email, examples("john.doe@example.com"))]
    email: String,
    /// Says that it is the user.
    #[schema(format = Password, examples("SecurePass123!"))]
    current_password: String,
}

/// Says that it is the user.
#[derive(ToSchema)]
pub(super) struct Confirmation {
    #[schema(format = Password, examples("SecurePass123!"))]
    current_password: String,
}
