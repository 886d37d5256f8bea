//! Who may pass: the key of a request against the role that its route asks for.

use warp::http::StatusCode;
use warp::http::header::{AUTHORIZATION, HeaderName, WWW_AUTHENTICATE};

use super::keys::{KeyId, ROLES, Role};
use super::problem::{Answer, Refusal};
use super::request::Request;
use super::settings::Settings;
use crate::words::word;

const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// Who asks.
pub struct Caller {
    /// Of the key that was presented, also where it may not do what is asked; `None` where it was not
    /// looked at, or is not one of the server's.
    pub key: Option<KeyId>,
    /// Without keys everybody is an admin; refused where the key is missing, unknown or expired, or
    /// its role may not do what is asked.
    pub role: Answer<Role>,
}

/// Who asks for what needs the role.
pub fn caller(settings: &Settings, request: &Request, needed: Option<Role>) -> Caller {
    let (Some(keys), Some(needed)) = (&settings.keys, needed) else {
        return Caller { key: None, role: Ok(Role::Admin) };
    };
    let Some(presented) = presented(request) else {
        let detail = "expected a key, as `Authorization: Bearer KEY` or `X-API-Key: KEY`";
        return Caller { key: None, role: Err(unauthorized(detail)) };
    };
    match keys.admit(presented, (settings.clock)()) {
        Ok(pass) => {
            let is_enough = pass.role >= needed;
            let role = if is_enough { Ok(pass.role) } else { Err(forbidden(pass.role, needed)) };
            Caller { key: Some(pass.key()), role }
        }
        Err(denied) => Caller { key: denied.key(), role: Err(unauthorized(denied.to_string())) },
    }
}

fn presented(request: &Request) -> Option<&str> {
    let bearer = request.header(AUTHORIZATION).and_then(|value| {
        let (scheme, key) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(key.trim())
    });
    bearer.or_else(|| request.header(API_KEY))
}

fn unauthorized(detail: impl Into<String>) -> Refusal {
    Refusal::new(StatusCode::UNAUTHORIZED, detail).with(WWW_AUTHENTICATE, "Bearer")
}

pub fn forbidden(role: Role, needed: Role) -> Refusal {
    let (role, needed) = (word(ROLES, role), word(ROLES, needed));
    Refusal::new(StatusCode::FORBIDDEN, format!("the key has the role {role}; expected {needed}"))
}
