//! Authorization of requests: the host they name, the page that sends them, and their key's role.

use warp::http::header::{AUTHORIZATION, HeaderName, WWW_AUTHENTICATE};
use warp::http::{Method, StatusCode};

use super::host::RequestedHost;
use super::keys::{KeyId, ROLES, Role};
use super::origin::Initiator;
use super::problem::{Answer, Refusal};
use super::request::Request;
use super::routes::Route;
use super::settings::Settings;
use crate::rules::keyword::keyword;

const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// Admits a request of any path and method, before any work is done for it.
///
/// # Errors
/// If there are no keys and the host is not allowed (DNS rebinding), except for probes, which
/// reveal nothing; or if a page of another site would change state or run SQL (cross-site request
/// forgery).
pub fn admit(
    settings: &Settings,
    asked: Option<&RequestedHost>,
    initiator: &Initiator,
    method: &Method,
    route: Option<&Route>,
) -> Answer<()> {
    // Load balancers send probes with host names of their own or none, and probes reveal nothing.
    if settings.keys.is_none() && !route.is_some_and(Route::is_probe) {
        check_host(settings, asked)?;
    }
    let reads = [Method::GET, Method::HEAD].contains(method);
    match initiator {
        Initiator::CrossSite(origin) if !reads || route.is_some_and(Route::is_guarded) => {
            let (pages, value) = match origin {
                Some(origin) => (format!("pages of {origin}"), origin.to_string()),
                None => ("pages of other sites".to_owned(), "ORIGIN".to_owned()),
            };
            let detail = format!(
                "{pages} may not change state or run SQL; start the server with --allow-origin {value} to let them"
            );
            Err(Refusal::new(StatusCode::FORBIDDEN, detail))
        }
        _ => Ok(()),
    }
}

fn check_host(settings: &Settings, asked: Option<&RequestedHost>) -> Answer<()> {
    let asked = asked.ok_or_else(|| {
        Refusal::wrong("expected one Host field of a host and a port, like localhost:8000")
    })?;
    if settings.hosts.contains(&asked.host) {
        return Ok(());
    }
    let host = &asked.host;
    let detail = format!(
        "without keys this server does not answer as {host}; start it with --allow-host {host}, or with --keys FILE"
    );
    Err(Refusal::new(StatusCode::MISDIRECTED_REQUEST, detail))
}

/// Identity and role of a client.
pub struct Caller {
    /// Id of the presented key, even if its role does not suffice; `None` if unknown or not needed.
    pub key: Option<KeyId>,
    /// Role of the key. Without keys everybody is an admin; refused if the key is missing, unknown,
    /// expired or of a lesser role.
    pub role: Answer<Role>,
}

/// Authenticates the request for a route that needs the role.
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
    let (role, needed) = (keyword(ROLES, role), keyword(ROLES, needed));
    Refusal::new(StatusCode::FORBIDDEN, format!("the key has the role {role}; expected {needed}"))
}
