//! Who may pass: the host that a request asks for, the page that sends it, and its key against the
//! role that its route asks for.

use warp::http::header::{AUTHORIZATION, HeaderName, WWW_AUTHENTICATE};
use warp::http::{Method, StatusCode};

use super::host::AskedHost;
use super::keys::{KeyId, ROLES, Role};
use super::origin::Initiator;
use super::problem::{Answer, Refusal};
use super::request::Request;
use super::routes::Route;
use super::settings::Settings;
use crate::option_text::keyword;

const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// Admits a request of any path and method, before anything is done for it.
///
/// # Errors
/// Where a host is asked for that is not allowed, unless keys are needed anyway (DNS rebinding) or
/// nothing is told; and where a page of another site would change state or run SQL (cross-site request
/// forgery).
pub fn admit(
    settings: &Settings,
    asked: Option<&AskedHost>,
    initiator: &Initiator,
    method: &Method,
    route: Option<&Route>,
) -> Answer<()> {
    // Balancers ask probes by names of their own, or by none, and these tell nothing to anybody.
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

fn check_host(settings: &Settings, asked: Option<&AskedHost>) -> Answer<()> {
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
    let (role, needed) = (keyword(ROLES, role), keyword(ROLES, needed));
    Refusal::new(StatusCode::FORBIDDEN, format!("the key has the role {role}; expected {needed}"))
}
