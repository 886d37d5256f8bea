//! Authentication of calls by API key: a bearer token, or the password of any user name.

use base64::Engine;
use base64::engine::general_purpose::STANDARD_PAD_INDIFFERENT;
use tonic::metadata::{AsciiMetadataValue, MetadataMap};
use tonic::service::Interceptor;
use tonic::{Request, Status};

use super::super::Service;
use super::super::keys::KeyId;
use super::call_log;

pub const AUTHORIZATION: &str = "authorization";

/// Requires a key of any role, and adds its id to the call's extensions. Without configured keys,
/// every call passes.
#[derive(Clone)]
pub struct KeyInterceptor(Service);

impl KeyInterceptor {
    pub fn new(service: Service) -> Self {
        Self(service)
    }

    /// Logs and returns a rejection. Interceptors do not learn the name of the call.
    fn reject(&self, request: &Request<()>, key: Option<KeyId>, sentence: &str) -> Status {
        let mut entry = call_log::begin(&self.0, request.extensions(), "Authenticate");
        entry.set_key(key);
        let status = Status::unauthenticated(sentence);
        entry.answered(call_log::code_name(status.code()));
        status
    }
}

impl Interceptor for KeyInterceptor {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        let Some(keys) = &self.0.settings.keys else { return Ok(request) };
        let Some(key) = presented_key(request.metadata()) else {
            let expected =
                "no key was sent; send `authorization: Bearer KEY`, or the key as a password";
            return Err(self.reject(&request, None, expected));
        };
        match keys.admit(&key, (self.0.settings.clock)()) {
            Ok(pass) => {
                request.extensions_mut().insert(pass.key());
                Ok(request)
            }
            Err(denied) => Err(self.reject(&request, denied.key(), &denied.to_string())),
        }
    }
}

/// Key in the call's metadata; `None` without one.
pub fn presented_key(metadata: &MetadataMap) -> Option<String> {
    let (scheme, credentials) = metadata.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    let credentials = credentials.trim();
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(credentials.to_owned());
    }
    let is_basic = scheme.eq_ignore_ascii_case("basic");
    is_basic.then(|| password(credentials)).flatten()
}

/// Header to send with further calls, once the handshake has presented the key.
pub fn bearer_header(key: &str) -> Option<AsciiMetadataValue> {
    format!("Bearer {key}").parse().ok()
}

/// Password of Basic credentials, which clients send with or without padding.
fn password(credentials: &str) -> Option<String> {
    let decoded = STANDARD_PAD_INDIFFERENT.decode(credentials).ok()?;
    let (_, password) = std::str::from_utf8(&decoded).ok()?.split_once(':')?;
    Some(password.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(authorization: &str, key: Option<&str>) {
        let mut metadata = MetadataMap::new();
        metadata.insert(AUTHORIZATION, authorization.parse().unwrap());
        assert_eq!(presented_key(&metadata).as_deref(), key, "{authorization}");
    }

    #[test]
    fn a_key_is_a_token_or_the_password_of_any_user() {
        check("Bearer upt_1", Some("upt_1"));
        check("bearer  upt_1", Some("upt_1"));
        check("Basic YW5uOnVwdF8x", Some("upt_1"));
        check("Basic OnVwdF8xMg==", Some("upt_12"));
        check("basic OnVwdF8xMg", Some("upt_12"));
        check("Basic YW5u", None);
        check("Basic ***", None);
        check("Digest upt_1", None);
        check("upt_1", None);
    }
}
