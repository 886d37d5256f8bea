//! Who may pass: the key of a request against the role that its route asks for.

use warp::http::StatusCode;
use warp::http::header::{AUTHORIZATION, HeaderName, WWW_AUTHENTICATE};

use super::keys::{Keys, ROLES, Role};
use super::problem::{Answer, Refusal};
use super::request::Request;
use crate::words::word;

const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// Who asks; without keys everybody is an admin.
///
/// # Errors
/// Where the key is missing, unknown, or its role may not do what is asked.
pub fn pass(keys: Option<&Keys>, request: &Request, needed: Option<Role>) -> Answer<Role> {
    let (Some(keys), Some(needed)) = (keys, needed) else { return Ok(Role::Admin) };
    let bearer = request.header(AUTHORIZATION).and_then(|value| {
        let (scheme, key) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(key.trim())
    });
    let presented = bearer.or_else(|| request.header(API_KEY));
    let role = presented.and_then(|key| keys.role(key)).ok_or_else(|| {
        let detail = match presented {
            Some(_) => "the key is not one of this server's",
            None => "expected a key, as `Authorization: Bearer KEY` or `X-API-Key: KEY`",
        };
        Refusal::new(StatusCode::UNAUTHORIZED, detail).with(WWW_AUTHENTICATE, "Bearer")
    })?;
    match role >= needed {
        true => Ok(role),
        false => Err(forbidden(role, needed)),
    }
}

pub fn forbidden(role: Role, needed: Role) -> Refusal {
    let (role, needed) = (word(ROLES, role), word(ROLES, needed));
    Refusal::new(StatusCode::FORBIDDEN, format!("the key has the role {role}; expected {needed}"))
}
