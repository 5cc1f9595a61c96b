//! Where the link of a notification leads: to a page of another system, by the type of the object that it is about.

use axum::http::Uri;
use std::sync::Arc;
use uuid::Uuid;

/// Stands in an address for the id of the object.
const ID: &str = "{id}";

/// The addresses, by the types of objects.
#[derive(Clone, Debug, Default)]
pub(crate) struct Links(Arc<[(String, String)]>);

impl Links {
    /// Reads `stage=https://front.example/stages/{id},evaluation=…`; an empty text has none.
    ///
    /// # Errors
    /// Fails when an entry has another form, when an address is not one of a page, or when a type stands there twice.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut links: Vec<(String, String)> = Vec::new();
        for entry in text
            .split(',')
            .map(str::trim)
            .filter(|entry| !entry.is_empty())
        {
            let (object_type, address) = entry.split_once('=').ok_or_else(|| {
                format!("{entry:?}: write stage=https://front.example/stages/{ID}")
            })?;
            let is_type = |c: char| c.is_ascii_lowercase() || c == '_';
            if object_type.is_empty() || !object_type.chars().all(is_type) {
                return Err(format!(
                    "{object_type:?} is no type of an object, such as stage"
                ));
            }
            if links.iter().any(|(known, _)| known == object_type) {
                return Err(format!("{object_type} stands there twice"));
            }
            if !is_page(address) {
                return Err(format!(
                    "{address:?} is no address of a page: http:// or https:// with a host, and {ID} for the id"
                ));
            }
            links.push((object_type.to_owned(), address.to_owned()));
        }
        Ok(Self(links.into()))
    }

    /// The link to an object; `None` where the setting has none for its type.
    pub(super) fn to(&self, object_type: Option<&str>, id: Option<Uuid>) -> Option<String> {
        let (object_type, id) = (object_type?, id?);
        let (_, address) = self.0.iter().find(|(known, _)| known == object_type)?;
        Some(address.replace(ID, &id.to_string()))
    }
}

fn is_page(address: &str) -> bool {
    let page = address.replace(ID, "");
    let Ok(uri) = page.parse::<Uri>() else {
        return false;
    };
    // A host with an id in it would be another site for each object.
    let host = uri.authority().map_or("", |authority| authority.as_str());
    matches!(uri.scheme_str(), Some("http" | "https"))
        && !host.is_empty()
        && !host.contains('@')
        && address
            .split_once("://")
            .is_some_and(|(_, rest)| rest.starts_with(host))
        && !page.contains(['{', '}', '"', '<', '>', '\\', '`'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_leads_to_the_object_of_a_type_that_has_one() {
        let text = "stage=https://front.example/stages/{id}, evaluation=http://localhost:3000/#/e/{id}?from=bell";
        let links = Links::parse(text).unwrap();
        let id = Uuid::from_u128(7);
        let to = |object_type| links.to(Some(object_type), Some(id));
        assert_eq!(
            to("stage").unwrap(),
            format!("https://front.example/stages/{id}")
        );
        assert_eq!(
            to("evaluation").unwrap(),
            format!("http://localhost:3000/#/e/{id}?from=bell")
        );
        assert_eq!(to("student"), None);
        assert_eq!(links.to(Some("stage"), None), None);
        assert_eq!(links.to(None, Some(id)), None);
        assert_eq!(Links::parse("").unwrap().to(Some("stage"), Some(id)), None);
    }

    #[test]
    fn only_addresses_of_pages_are_taken() {
        for bad in [
            "https://front.example/stages/{id}",
            "stage",
            "=https://front.example",
            "Stage=https://front.example",
            "stage=",
            "stage=javascript:alert(1)",
            "stage=javascript://front.example/%0aalert(1)",
            "stage=data:text/html,x",
            "stage=ftp://front.example/{id}",
            "stage=//front.example/{id}",
            "stage=/stages/{id}",
            "stage=https://",
            "stage=https:///stages",
            "stage=https://{id}",
            "stage=https://{id}.example/",
            "stage=https://user:password@front.example/",
            "stage=https://front.example/{stage}",
            "stage=https://front.example/ {id}",
            "stage=https://front.example/\"{id}",
            "stage=https://a.example,stage=https://b.example",
        ] {
            assert!(Links::parse(bad).is_err(), "{bad}");
        }
    }
}
