//! Whether a part answers, and what it answers.

use crate::http;

/// What a part answered to a request.
pub(super) enum Answer {
    Response(http::Response),
    /// No process listens there.
    Refused,
    /// A process accepts connections and does not answer.
    Nothing,
}

pub(super) async fn get(url: &str) -> Answer {
    match http::get(url).await {
        Ok(response) => Answer::Response(response),
        Err(error) => {
            let error = error.downcast_ref::<reqwest::Error>();
            match error.is_some_and(|error| error.is_timeout() && !error.is_connect()) {
                true => Answer::Nothing,
                false => Answer::Refused,
            }
        }
    }
}
