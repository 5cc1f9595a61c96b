//! Names and links of operations: what a response names can be asked for with its id.

use serde_json::{Map, Value, json};

/// Gives every operation a name of its own, made of its method and its path.
pub(super) fn name_operations(document: &mut Value) {
    let paths = document["paths"].as_object_mut();
    for (path, methods) in paths.into_iter().flatten() {
        for (method, operation) in methods.as_object_mut().into_iter().flatten() {
            operation["operationId"] = name(method, path).into();
        }
    }
}

/// `get` and `/auth/api/v1/users/{id}` make `get_users_id`.
fn name(method: &str, path: &str) -> String {
    let own = ["/api/v1/", "/api/"]
        .iter()
        .find_map(|api| path.split_once(api));
    let own = own.map_or(path, |(_, rest)| rest);
    let words = own.split(|c: char| !c.is_ascii_alphanumeric());
    let words = words.filter(|word| !word.is_empty());
    let words: Vec<&str> = std::iter::once(method).chain(words).collect();
    words.join("_")
}

/// Links the responses that name an object, or a list of them, to the operations on one object. Their examples tell which
/// these are.
pub(super) fn add(document: &mut Value) {
    let paths = document["paths"].clone();
    for (collection, methods) in document["paths"].as_object_mut().into_iter().flatten() {
        let operations = methods
            .as_object_mut()
            .into_iter()
            .flat_map(Map::values_mut);
        let responses = operations.filter_map(|operation| operation["responses"].as_object_mut());
        for response in responses.flat_map(Map::values_mut) {
            let example = response.pointer("/content/application~1json/example");
            let links = example.map(|example| links(&paths, collection, example));
            if let Some(links) = links.filter(|links| !links.is_empty()) {
                response["links"] = links.into();
            }
        }
    }
}

/// The operations on one object of a collection, for a response with this example.
fn links(paths: &Value, collection: &str, example: &Value) -> Map<String, Value> {
    let (start, object) = match example.as_array() {
        Some(objects) => ("/0", objects.first().unwrap_or(&Value::Null)),
        None => ("", example),
    };
    let mut links = Map::new();
    for (path, methods) in paths.as_object().into_iter().flatten() {
        let rest = path.strip_prefix(collection).unwrap_or_default();
        let parameter = match rest.trim_start_matches('/') {
            "by_user/{user_id}" => "user_id",
            rest if rest.starts_with("{id}") => "id",
            _ => continue,
        };
        if object.get(parameter).is_none() {
            continue;
        }
        for operation in methods.as_object().into_iter().flat_map(Map::values) {
            let name = operation["operationId"].as_str().unwrap_or_default();
            let link = json!({
                "operationId": name,
                "parameters": {parameter: format!("$response.body#{start}/{parameter}")},
            });
            links.insert(name.to_owned(), link);
        }
    }
    links
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operation_is_named_by_its_method_and_path() {
        assert_eq!(name("get", "/auth/api/v1/users/{id}"), "get_users_id");
        assert_eq!(
            name("post", "/comm/api/notifications/{id}/read"),
            "post_notifications_id_read"
        );
        assert_eq!(
            name("get", "/auth/.well-known/jwks.json"),
            "get_auth_well_known_jwks_json"
        );
    }

    #[test]
    fn a_response_that_names_an_object_is_linked_to_what_can_be_done_with_it() {
        let answer = |example: Value| json!({"responses": {"200": {"content": {"application/json": {"example": example}}}}});
        let mut document = json!({"paths": {
            "/api/things": {"get": answer(json!([{"id": 1}])), "post": answer(json!({"id": 1}))},
            "/api/things/{id}": {"get": answer(json!({"id": 1}))},
            "/api/things/{id}/open": {"post": {}},
            "/api/things/count": {"get": answer(json!({"count": 1}))},
        }});
        name_operations(&mut document);
        add(&mut document);
        let links = |method: &str| {
            document["paths"]["/api/things"][method]["responses"]["200"]["links"].clone()
        };
        assert_eq!(
            links("get")["get_things_id"]["parameters"]["id"],
            "$response.body#/0/id"
        );
        assert_eq!(
            links("post")["post_things_id_open"]["parameters"]["id"],
            "$response.body#/id"
        );
        assert_eq!(links("post").as_object().map(Map::len), Some(2));
        let count = &document["paths"]["/api/things/count"]["get"]["responses"]["200"];
        assert!(count.get("links").is_none());
    }
}
