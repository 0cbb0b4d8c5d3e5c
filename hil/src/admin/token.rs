//! The token endpoint: client id and secret in, a token for a day out.
//! Source: fact sheet of the Admin API, "Client credentials grant".
use serde_json::{Value, json};

use super::http::{Answer, Request};
use super::store::Store;

/// Answers a request that no fault keeps from being carried out.
pub fn grant(store: &mut Store, request: &Request) -> Answer {
    let field = |name| field(request, name);
    if field("grant_type").as_deref() != Some("client_credentials") {
        return refused("unsupported_grant_type", "The grant type must be client_credentials");
    }
    let Some((id, secret)) = store.spec.client.clone() else { return not_installed() };
    if field("client_id") != Some(id) || field("client_secret") != Some(secret) {
        return invalid_client();
    }
    let token = store.issue_token();
    let scope = store.spec.scopes.join(",");
    Answer::json(200, &json!({"access_token": token, "scope": scope, "expires_in": store.spec.token_life_s}))
}

pub fn invalid_client() -> Answer {
    refused("invalid_client", "The client id or secret is wrong")
}

/// The recorded text is not JSON.
pub fn not_permitted() -> Answer {
    let text = "Oauth error shop_not_permitted: Client credentials cannot be performed on this shop.";
    Answer::text(400, "text/plain; charset=utf-8", text.into())
}

fn not_installed() -> Answer {
    refused("app_not_installed", "The app is not installed on this shop")
}

fn refused(error: &str, description: &str) -> Answer {
    Answer::json(400, &json!({"error": error, "error_description": description}))
}

/// The fields come as a form, or as JSON from Shopify's own library.
fn field(request: &Request, name: &str) -> Option<String> {
    let kind = request.header("content-type").unwrap_or_default();
    if kind.starts_with("application/json") {
        let body: Value = serde_json::from_slice(&request.body).ok()?;
        return body.get(name)?.as_str().map(str::to_owned);
    }
    if !kind.starts_with("application/x-www-form-urlencoded") {
        return None;
    }
    let body = std::str::from_utf8(&request.body).ok()?;
    let (_, value) = body.split('&').filter_map(|pair| pair.split_once('=')).find(|(have, _)| *have == name)?;
    percent_decoded(value)
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        match first {
            b'+' => bytes.push(b' '),
            b'%' => {
                let (digits, after) = rest.split_at_checked(2)?;
                bytes.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?);
                rest = after;
            }
            other => bytes.push(other),
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_value_is_percent_decoded() {
        assert_eq!(percent_decoded("a%2Bb+c").as_deref(), Some("a+b c"));
        assert_eq!(percent_decoded("a%2"), None);
    }
}
