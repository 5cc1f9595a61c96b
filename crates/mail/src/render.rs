//! The text of a mail: subject, plain text and HTML, in the language of the user.
//!
//! What comes from users stands in the body only, never in a header; HTML escapes it, and `clean` takes from it what a
//! mail program would make a link of. So a stranger who registers with the address of a page as a name sends no such
//! mail to others.

mod clean;
mod texts;

use crate::content::{Content, Language};
use askama::Template;
use lettre::{
    Message,
    message::{
        Mailbox, MultiPart,
        header::{Header, HeaderName, HeaderValue},
    },
};
use texts::Text;
use uuid::Uuid;

/// What the rendering needs besides the content.
pub(crate) struct Frame<'a> {
    pub(crate) from: &'a Mailbox,
    /// The address of the pages, without a slash at its end.
    pub(crate) public_url: &'a str,
    pub(crate) recipient: &'a str,
    pub(crate) name: &'a str,
    pub(crate) language: Language,
    /// The secret of the link, for a mail that has one.
    pub(crate) secret: Option<&'a str>,
    /// The Message-ID before the `@`.
    pub(crate) message_id: Uuid,
}

/// Why a mail cannot be rendered.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RenderError {
    #[error("the recipient is no e-mail address")]
    Recipient,
    #[error("a template failed")]
    Template(#[from] askama::Error),
    #[error("the message could not be built")]
    Message(#[from] lettre::error::Error),
}

#[derive(Template)]
#[template(path = "mail.html")]
struct Html<'a> {
    page: &'a Page<'a>,
}

#[derive(Template)]
#[template(path = "mail.txt")]
struct Plain<'a> {
    page: &'a Page<'a>,
}

/// What both layouts show.
struct Page<'a> {
    language: &'static str,
    direction: &'static str,
    /// The side at which lines begin.
    start: &'static str,
    text: Text,
    link: String,
    public_url: &'a str,
}

impl<'a> Page<'a> {
    fn new(content: &Content, frame: &Frame<'a>) -> Self {
        let link = match (content.purpose(), frame.secret) {
            (Some((purpose, _)), Some(secret)) => {
                format!("{}/#/{}/{secret}", frame.public_url, purpose.as_str())
            }
            _ => format!("{}/", frame.public_url),
        };
        let (direction, start) = match frame.language {
            Language::Arabic => ("rtl", "right"),
            Language::English | Language::French => ("ltr", "left"),
        };
        Self {
            language: frame.language.code(),
            direction,
            start,
            text: texts::of(content, frame.language, frame.name),
            link,
            public_url: frame.public_url,
        }
    }
}

/// The header of mails that no person wrote (RFC 3834): no out-of-office note answers them.
#[derive(Clone)]
struct AutoSubmitted;

/// The header that names the language of the text.
#[derive(Clone)]
struct ContentLanguage(String);

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".into())
    }
}

impl Header for ContentLanguage {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Content-Language")
    }

    fn parse(text: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self(text.to_owned()))
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), self.0.clone())
    }
}

/// Renders a mail.
///
/// # Errors
/// When the recipient is no address.
pub(crate) fn message(content: &Content, frame: &Frame<'_>) -> Result<Message, RenderError> {
    let page = Page::new(content, frame);
    let to = frame
        .recipient
        .parse()
        .map_err(|_| RenderError::Recipient)?;
    let plain = Plain { page: &page }.render()?;
    let html = Html { page: &page }.render()?;
    let domain = frame.from.email.domain();
    let message = Message::builder()
        .from(frame.from.clone())
        .to(Mailbox::new(None, to))
        .subject(page.text.subject)
        .message_id(Some(format!("<{}@{domain}>", frame.message_id)))
        .header(AutoSubmitted)
        .header(ContentLanguage(page.language.to_owned()))
        .date_now()
        .multipart(MultiPart::alternative_plain_html(plain, html))?;
    Ok(message)
}

#[cfg(test)]
mod tests;
